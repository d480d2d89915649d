"""The promise, proven from the evidence.

Every file that landed ends in exactly one verdict; every accepted file is announced; every entitled
subscriber is told, or the failure is on record; nobody is told what they did not ask for.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.chaos.consumers import Told
from tests.chaos.evidence import UNPLACED, Evidence, Landed, Story, Wish
from tests.chaos.files import REJECTED_UNREAD, Opinion, opinion

UPDATED = "mesh.product.updated.v1"
MOST_DEATHS = 2
QUARANTINED = "mesh.file.quarantined.v1"


def broken(story: Story, evidence: Evidence) -> list[str]:
    """Every way in which the promise is broken; empty when it holds."""
    found = [*_verdicts(story, evidence)]
    found += _sequences(evidence)
    found += _announcements(evidence)
    found += _snapshots(evidence)
    found += _published(evidence)
    for wish in story.wishes:
        found += (_pulled if wish.is_pulled else _told)(wish, story, evidence)
    found += _strangers(story, evidence)
    found += [f"dead letter in {letter}" for letter in evidence.dead]
    return found


def _verdicts(story: Story, evidence: Evidence) -> Iterator[str]:
    """One verdict per version, in the right record, and the one that its content deserves."""
    decided: defaultdict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for partition, entries in evidence.ledger.items():
        for entry in entries:
            if not entry["is_unplaced"]:
                decided[entry["etag"]].append((partition, entry))
    yield from _notes(evidence)
    newest: dict[str, int] = {}
    for landed in story.landed:
        newest[landed.place] = max(newest.get(landed.place, 0), landed.order)
    poisoned = []
    for landed in story.landed:
        found = decided.pop(landed.etag, [])
        if len(found) != 1:
            yield f"{landed.place} ({landed.etag}) has {len(found)} verdicts"
            continue
        [(partition, entry)] = found
        where = landed.early and partition == UNPLACED and replace(landed, misplaced=True)
        receipt = json.loads(evidence.blob(entry["receipt"]) or b"null")
        if not where and partition != landed.partition:
            yield f"{landed.place} is decided in {partition}, not in {landed.partition}"
        yield from _receipt(landed, entry, receipt)
        is_newest = newest[landed.place] == landed.order
        yield from _verdict(where or landed, entry, receipt, is_newest=is_newest)
        if "poison" in _rules(receipt):
            poisoned.append(landed)
    yield from _poison(poisoned, story)
    yield from _order(story, evidence)
    yield from (f"there is a verdict on {etag}, which never landed" for etag in decided)


def _order(story: Story, evidence: Evidence) -> Iterator[str]:
    """No version is announced after a newer one of the same blob."""
    orders = {landed.etag: landed for landed in story.landed}
    for entries in evidence.ledger.values():
        last: dict[str, tuple[int, str]] = {}
        for entry in sorted(entries, key=lambda entry: entry["sequence"]):
            landed = orders.get(entry["etag"])
            if landed is None or not entry["sequence"]:
                continue
            newest, etag = last.get(landed.place, (0, ""))
            if landed.order < newest:
                yield f"{landed.place}: {landed.etag} was announced after {etag}, which is newer"
            last[landed.place] = (landed.order, landed.etag)


def _notes(evidence: Evidence) -> Iterator[str]:
    """That a file was refused for want of a product is noted where the product is to be."""
    refused = {entry["drop"] for entry in evidence.ledger.get(UNPLACED, ())}
    for partition, entries in evidence.ledger.items():
        noted = {entry["drop"] for entry in entries if entry["is_unplaced"]}
        yield from (f"{partition} notes that {one} was refused" for one in noted - refused)


def _poison(poisoned: Sequence[Landed], story: Story) -> Iterator[str]:
    """A file is called poison when it has ended two workers, and not before."""
    if story.deaths is None:
        if poisoned and len(poisoned) >= story.kills:
            yield f"{len(poisoned)} files are called poison after {story.kills} kills"
        return
    for landed in poisoned:
        if story.deaths.get(landed.etag, 0) < MOST_DEATHS:
            yield f"{landed.place} is called poison, and has not ended {MOST_DEATHS} workers"


def _receipt(landed: Landed, entry: Mapping[str, Any], receipt: Any) -> Iterator[str]:
    if receipt is None:
        yield f"{landed.place} has no receipt at {entry['receipt']}"
    elif (receipt["verdict"], receipt["file"]["etag"]) != (entry["verdict"], landed.etag):
        yield f"{landed.place}: the receipt says {receipt['verdict']}, not {entry['verdict']}"


def _verdict(
    landed: Landed, entry: Mapping[str, Any], receipt: Any, *, is_newest: bool
) -> Iterator[str]:
    right = REJECTED_UNREAD if landed.misplaced else opinion(landed.data, split=landed.split)
    if entry["verdict"] == "superseded":
        if is_newest:
            yield f"{landed.place} is the newest version and called superseded"
    elif "poison" in _rules(receipt):
        if entry["verdict"] != "rejected":
            yield f"{landed.place} is called poison and {entry['verdict']}"
    elif (entry["verdict"], entry["rows"], entry["rejected"]) != _counted(right):
        yield f"{landed.place}: {entry['verdict']}, {entry['rows']} rows, but should be {right}"


def _counted(right: Opinion) -> tuple[str, int, int]:
    return right.verdict, right.rows, right.rejected


def _rules(receipt: Any) -> set[str]:
    return {problem["rule"] for problem in (receipt or {}).get("problems", ())}


def _sequences(evidence: Evidence) -> Iterator[str]:
    """1, 2, 3, … as far as the head says; nothing left in the outbox."""
    for partition, log in evidence.log.items():
        keys = [at for at, _ in log]
        if keys != list(range(1, evidence.heads[partition] + 1)):
            yield f"the events of {partition} are {keys}, its head says {evidence.heads[partition]}"
        wrong = [at for at, event in log if int(event["sequence"]) != at]
        if wrong:
            yield f"events {wrong} of {partition} carry another sequence"
        if evidence.outbox[partition]:
            yield f"the outbox of {partition} still holds {evidence.outbox[partition]}"


def _announcements(evidence: Evidence) -> Iterator[str]:
    """Each decision is announced as it should be, once, with data that is there."""
    for partition, entries in evidence.ledger.items():
        told: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for _, event in evidence.log[partition]:
            if "drop" in event["data"]:
                told[event["data"]["drop"]][event["type"]] += 1
        for entry in entries:
            if entry["is_unplaced"]:
                continue
            expected = Counter[str]()
            if entry["verdict"] == "accepted":
                expected[UPDATED] += 1
            if entry["verdict"] != "superseded" and _has_bad_rows(entry):
                expected[QUARANTINED] += 1
            if told.pop(entry["drop"], Counter()) != expected:
                yield f"{entry['place']} {entry['file']} should be announced as {dict(expected)}"
        for drop in told:
            yield f"an event of {partition} tells of {drop}, which has no verdict"
    ids = Counter(_id(event) for log in evidence.log.values() for _, event in log)
    yield from (f"{count} events have the id {one}" for one, count in ids.items() if count > 1)


def _has_bad_rows(entry: Mapping[str, Any]) -> bool:
    return bool(entry["verdict"] == "rejected" or entry["rejected"])


def _snapshots(evidence: Evidence) -> Iterator[str]:
    """The last good version of an object is the one that was announced last."""
    for partition, log in evidence.log.items():
        last: dict[tuple[int, str], tuple[int, str]] = {}
        for at, event in log:
            if event["type"] == UPDATED:
                data = event["data"]
                last[data["major"], data["object"]] = (at, data["snapshot"]["location"])
        held = {
            (snapshot["major"], snapshot["object_name"]): (
                snapshot["sequence"],
                snapshot["location"],
            )
            for snapshot in evidence.snapshots[partition]
        }
        if held != last:
            yield f"the snapshots of {partition} are {held}, announced were {last}"


def _published(evidence: Evidence) -> Iterator[str]:
    """What is on record was published, and nothing else was."""
    logged = {_id(event): event for log in evidence.log.values() for _, event in log}
    seen: set[tuple[str, str]] = set()
    for event in evidence.published:
        seen.add(_id(event))
        if event != logged.get(_id(event)):
            yield f"{event['type']} {_id(event)} was published, and the record has it otherwise"
    for one in logged.keys() - seen:
        yield f"{logged[one]['type']} {one} was never published"


def _id(event: Mapping[str, Any]) -> tuple[str, str]:
    """What names a CloudEvent."""
    return event["source"], event["id"]


def _owed(wish: Wish, story: Story, evidence: Evidence) -> tuple[set[str], set[str]]:
    """Ids of the events that a subscriber must be told of, and of those that it may be told of."""
    orders = {landed.etag: landed.order for landed in story.landed}
    by_drop = {
        entry["drop"]: orders.get(entry["etag"], 0)
        for entry in evidence.ledger.get(wish.partition, ())
    }
    must, may = set(), set()
    for _, event in evidence.log.get(wish.partition, ()):
        if wish.types and event["type"] not in wish.types:
            continue
        order = by_drop.get(event["data"].get("drop", ""), -1)
        if wish.partition.endswith(".subscriptions"):
            order = wish.first  # what a domain is told of its own subscriptions knows no drops
        if wish.last is None or order <= wish.last:
            may.add(event["id"])
            if order >= wish.first and wish.last is None:
                must.add(event["id"])
    return must, may


def _pulled(wish: Wish, story: Story, evidence: Evidence) -> Iterator[str]:
    must, may = _owed(wish, story, evidence)
    held = {event["id"] for event in evidence.pulled.get(wish.target, ())}
    yield from (f"pull subscriber {wish.target} was not told of {one}" for one in must - held)
    yield from (f"pull subscriber {wish.target} was told of {one}" for one in held - may)
    if wish.barred_after is not None:
        later = evidence.pulled.get(wish.target, ())[wish.barred_after :]
        yield from (f"{wish.target} is barred and holds {event['type']}" for event in later)


def _told(wish: Wish, story: Story, evidence: Evidence) -> Iterator[str]:
    must, may = _owed(wish, story, evidence)
    logged = {event["id"]: event for _, event in evidence.log.get(wish.partition, ())}
    names: defaultdict[str, set[str]] = defaultdict(set)
    taken: dict[str, int] = {}
    for told in evidence.told:
        if told.url != wish.target:
            continue
        event = json.loads(told.body)
        names[event["id"]].add(told.headers["webhook-id"])
        if told.taken:
            taken.setdefault(event["id"], int(event["sequence"]))
        if event != logged.get(event["id"]):
            yield f"{wish.target} was told of {event['id']} otherwise than it is on record"
        if wish.secret is not None and not _is_signed(wish.secret, told):
            yield f"{wish.target} got a signature that does not verify"
    yield from (f"{wish.target} was told of {one}" for one in names.keys() - may)
    yield from _barred(wish, evidence)
    several = [one for one, ids in names.items() if len(ids) != 1]
    yield from (f"{wish.target} was told of {one} under several webhook-ids" for one in several)
    if len(set().union(*names.values())) != len(names):
        yield f"{wish.target} was told of different events under one webhook-id"
    if wish.ordered and list(taken.values()) != sorted(taken.values()):
        yield f"{wish.target} asked for order and was told of {list(taken.values())}"
    # Who is not told any more, after failures, is told of all that is in the log when resumed.
    if evidence.subscriptions.get(wish.id) not in {"gone", "suspended"}:
        for one in must - taken.keys():
            yield f"{wish.target} was never told of {logged[one]['type']} {one}"


def _barred(wish: Wish, evidence: Evidence) -> Iterator[str]:
    """Whose agreement has ended is told just that."""
    if wish.barred_after is None:
        return
    mine = [json.loads(told.body) for told in evidence.told if told.url == wish.target]
    for event in mine[wish.barred_after :]:
        if not event["type"].startswith("mesh.agreement."):
            yield f"{wish.target} is barred and was told of {event['type']} {event['id']}"


def _is_signed(secret: str, told: Told) -> bool:
    """Standard Webhooks 1.0, spelt out: HMAC-SHA256 over id, timestamp and body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    about = f"{told.headers['webhook-id']}.{told.headers['webhook-timestamp']}.".encode()
    expected = base64.b64encode(hmac.digest(key, about + told.body, "sha256")).decode()
    return f"v1,{expected}" in told.headers["webhook-signature"].split()


def _strangers(story: Story, evidence: Evidence) -> Iterator[str]:
    """Nobody is told who did not ask."""
    known = {wish.target for wish in story.wishes}
    yield from {f"{told.url} never subscribed" for told in evidence.told if told.url not in known}
    yield from (f"{name} never subscribed" for name in evidence.pulled.keys() - known)
