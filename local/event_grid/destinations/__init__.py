"""How an event reaches a subscriber: one module for each kind of destination."""
