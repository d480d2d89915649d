"""What the broker does, on a clock that it is given, without knowing how clients talk to it.

`namespace` holds entities and routes messages; `mailbox` holds the messages of one queue or
subscription with their locks; `sessions` adds ordering by session; `rules` selects for
subscriptions; `journal` says what must be durable.
"""
