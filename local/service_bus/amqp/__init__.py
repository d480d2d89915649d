"""The wire: AMQP 1.0 as Service Bus speaks it. It translates; every decision is taken in `core`.

The pieces, from bytes upwards: `types` and `decoding`/`encoding` (values), `sections` (messages),
`performatives` (frames), `connection` (handshake, sessions), `incoming` and `outgoing` (links),
`cbs` and `management` (request and response nodes).
"""
