"""A composite becomes ready when all its inputs have published for the same period.

The composite subscribes to its inputs like any other consumer; the mesh itself is the receiver.
"""

from __future__ import annotations

from dataclasses import replace

from mesh import outbox, telemetry
from mesh.backbone import Backbone
from mesh.committing import commit
from mesh.model.delivery import DeliveryAttempt
from mesh.model.events import INPUTS_READY, Announcement, ReceivedEvent, trace_id_of
from mesh.model.names import ProductId
from mesh.model.product import InputPort
from mesh.model.record import Commit, Head, InputState, number
from mesh.model.subscription import Subscription


def input_updated(
    backbone: Backbone, subscription: Subscription, event: ReceivedEvent
) -> DeliveryAttempt:
    """Note that an input of a composite was updated; announce readiness when it was the last.

    An update that is older than the one on record changes nothing.
    """
    composite = ProductId.parse(subscription.target)
    with telemetry.compose(composite, event):
        return _input_updated(backbone, composite, event)


def _input_updated(
    backbone: Backbone, composite: ProductId, event: ReceivedEvent
) -> DeliveryAttempt:
    started = backbone.now()

    def decide(head: Head) -> Commit | None:
        ports = [] if head.product is None else head.product.input_ports
        fed = [port for port in ports if _feeds(port, event)]
        if not fed:
            return None
        period = str(event.envelope["data"].get("period") or "")
        known = {state.port: state for state in backbone.registry.inputs(composite, period)}
        changed = [
            state
            for state in (_updated(port, event, period) for port in fed)
            if state.port not in known or known[state.port].sequence < state.sequence
        ]
        if not changed:
            return None
        known.update({state.port: replace(state, used=_used(known, state)) for state in changed})
        return _announced(backbone, head, period, [known.get(port.name) for port in ports])

    done = commit(backbone, composite, decide)
    if done is None:
        outbox.relay(backbone, composite)  # what an earlier run may have committed and then died
    else:
        causes = [state.traceparent for state in done.inputs]
        outbox.publish(backbone, composite, done.events, causes=causes)
    seconds = (backbone.now() - started).total_seconds()
    noted = "noted as an input" if done is None or not done.events else "its inputs are ready"
    return DeliveryAttempt(outcome="delivered", status=None, reason=noted, duration_s=seconds)


def _feeds(port: InputPort, event: ReceivedEvent) -> bool:
    """Whether the event tells of an update of what the port reads."""
    data = event.envelope["data"]
    return (
        port.product == event.product
        and port.contract_id == data.get("contract", {}).get("id")
        and port.major in {None, data.get("major")}
    )


def _updated(port: InputPort, event: ReceivedEvent, period: str) -> InputState:
    return InputState(
        port=port.name,
        product=event.product,
        period=period,
        sequence=event.sequence,
        dataref=str(event.envelope.get("dataref", "")),
        traceparent=str(event.envelope.get("traceparent", "")),
    )


def _used(known: dict[str, InputState], state: InputState) -> int:
    before = known.get(state.port)
    return 0 if before is None else before.used


def _announced(
    backbone: Backbone, head: Head, period: str, states: list[InputState | None]
) -> Commit:
    present = [state for state in states if state is not None]
    if len(present) < len(states) or not all(state.is_fresh for state in present):
        return Commit(head=head, inputs=tuple(present))
    key = ",".join([period, *(f"{state.port}={state.sequence}" for state in present)])
    told = Announcement(
        type=INPUTS_READY,
        key=key,
        subject="inputs",
        time=backbone.now(),
        trace_id=trace_id_of(f"{head.id.key}\n{key}"),
        data={
            "period": period or None,
            "inputs": [
                {
                    "port": state.port,
                    "domain": state.product.domain,
                    "product": state.product.product,
                    "sequence": state.sequence,
                    "dataref": state.dataref,
                }
                for state in present
            ],
        },
    )
    moved, events = number(head, (told,))
    used = tuple(replace(state, used=state.sequence) for state in present)
    return Commit(head=moved, events=events, inputs=used)
