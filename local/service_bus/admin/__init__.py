"""The administration endpoint: what `ServiceBusAdministrationClient` talks to."""
