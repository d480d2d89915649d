"""A Service Bus for one machine, spoken to by the unmodified `azure-servicebus` SDK.

Start it alone with `python -m local.service_bus --help`, or in a program with `ServiceBusEmulator`.

| room | knows |
|---|---|
| `core/` | what Service Bus does: messages, locks, sessions, rules; no AMQP, no real clock |
| `amqp/` | how clients talk: AMQP 1.0, `$cbs`, `$management` |
| `admin/` | the administration endpoint: HTTPS and Atom |
| `config`, `declaring` | the entities file |
| `store` | what survives an end of the process |

It binds to loopback and accepts every key and token: it is a tool for one developer's machine.
"""

from local.service_bus.emulator import ServiceBusEmulator

__all__ = ["ServiceBusEmulator"]
