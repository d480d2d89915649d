"""Ask a webhook whether it wants events, before it gets any.

In Event Grid's schema the endpoint echoes a code, at once or by calling a URL within ten minutes;
in CloudEvents it answers an OPTIONS request:
https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema and
https://github.com/cloudevents/spec/blob/v1.0/http-webhook.md#4-abuse-protection.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass

import aiohttp

from local.event_grid.clock import timestamp
from local.event_grid.destinations.settings import WebHook
from local.event_grid.destinations.webhook import ORIGIN, outcome_of_exception
from local.event_grid.retry import RESPONSE_SECONDS
from local.event_grid.schemas import CLOUD_EVENTS, as_json

MANUAL_SECONDS = 600.0
"""How long a validation URL can be called."""

RETRY_SECONDS = 5.0


class Answer(enum.Enum):
    """What the endpoint said."""

    AGREED = enum.auto()
    WILL_CALL = enum.auto()
    """It took the question without answering it: the validation URL may still be called."""
    REFUSED = enum.auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One handshake with one endpoint."""

    webhook: WebHook
    delivery_schema: str
    subscription: str
    topic: str
    code: str
    validation_url: str
    asked: float


async def ask(http: aiohttp.ClientSession, question: Question) -> tuple[Answer, str]:
    """Hold the handshake; never raises. Returns the answer, and what to tell about a refusal."""
    limit = aiohttp.ClientTimeout(total=RESPONSE_SECONDS)
    try:
        if question.delivery_schema == CLOUD_EVENTS:
            return await _ask_by_options(http, question.webhook.url, limit)
        return await _ask_by_event(http, question, limit)
    except (TimeoutError, aiohttp.ClientError, ValueError) as problem:
        outcome = outcome_of_exception(problem)
        return Answer.REFUSED, f"{outcome.name}: {outcome.detail}"


async def _ask_by_options(
    http: aiohttp.ClientSession, url: str, limit: aiohttp.ClientTimeout
) -> tuple[Answer, str]:
    headers = {"WebHook-Request-Origin": ORIGIN, "Origin": ORIGIN}
    async with http.options(url, headers=headers, allow_redirects=False, timeout=limit) as answer:
        allowed = answer.headers.get("WebHook-Allowed-Origin", "")
        if allowed == "*" or allowed.casefold() == ORIGIN:
            return Answer.AGREED, ""
        detail = (
            f"it answered the OPTIONS request with {answer.status} and WebHook-Allowed-Origin "
            f"'{allowed}' instead of '{ORIGIN}' or '*'"
        )
        return Answer.REFUSED, detail


async def _ask_by_event(
    http: aiohttp.ClientSession, question: Question, limit: aiohttp.ClientTimeout
) -> tuple[Answer, str]:
    event = {
        "id": question.code,
        "topic": question.topic,
        "subject": "",
        "data": {"validationCode": question.code, "validationUrl": question.validation_url},
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": timestamp(question.asked),
        "metadataVersion": "1",
        "dataVersion": "2",
    }
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "aeg-event-type": "SubscriptionValidation",
        "aeg-subscription-name": question.subscription.upper(),
        "aeg-delivery-count": "0",
        "aeg-data-version": "2",
        "aeg-metadata-version": "1",
    }
    async with http.post(
        question.webhook.url,
        data=as_json([event]),
        headers=headers,
        allow_redirects=False,
        timeout=limit,
    ) as answer:
        if answer.status != 200:
            return Answer.REFUSED, f"it answered the validation event with {answer.status}, not 200"
        if _code_in(await answer.text(errors="replace")) == question.code:
            return Answer.AGREED, ""
        return Answer.WILL_CALL, ""


def _code_in(body: str) -> object:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer.get("validationResponse") if isinstance(answer, dict) else None
