"""An Azure for one machine: Azurite, Service Bus, Event Grid, blob events and a functions host.

It knows nothing of `mesh`: any Python Functions app can run on it.
"""
