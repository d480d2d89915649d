"""The durable journal: what a new process finds, and state folders that cannot be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from local.process import LocalError
from local.service_bus.core.entities import (
    CorrelationFilter,
    QueueSpec,
    RuleSpec,
    SqlAction,
    SqlFilter,
)
from local.service_bus.core.journal import Journal
from local.service_bus.core.message import State
from local.service_bus.core.queues import Subscription
from local.service_bus.core.restoring import restore
from local.service_bus.core.sessions import SessionMailbox
from local.service_bus.store import FILE_NAME, SqliteJournal, StorageError
from tests.local.service_bus.fake import CODEC, START, Bench, Receiver, body, content


class Machine:
    """Brokers, one after the other, on one folder; each ends as if it had been killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.failures: list[LocalError] = []

    def _journal(self, soon: Callable[[Any], Any]) -> Journal:
        return SqliteJournal(self._folder, CODEC, soon, self.failures.append)

    def start(self) -> Bench:
        bench = Bench(self._journal)
        restore(bench.namespace)
        return bench

    def kill(self, bench: Bench) -> None:
        """Drop what is not committed, as the end of the process would."""
        journal = bench.journal
        assert isinstance(journal, SqliteJournal)
        journal._connection.rollback()
        journal._connection.close()

    def restart(self, bench: Bench) -> Bench:
        self.kill(bench)
        following = self.start()
        following.now = bench.now
        return following


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_messages_survive_with_everything_known_of_them(machine: Machine) -> None:
    bench = machine.start()
    queue = bench.queue(max_delivery_count=5)
    bench.send("q", "active", user={"n": 1}, message_id="m", time_to_live=100.0)
    bench.send("q", "scheduled", scheduled_at=START + 50.0)
    bench.send("q", "deferred")
    bench.send("q", "dead")
    taken = bench.take(queue.mailbox, 3)
    queue.mailbox.abandon(taken.tokens[0])
    queue.mailbox.defer(taken.tokens[1])
    queue.mailbox.dead_letter(taken.tokens[2], "Why", "because")
    bench.settle()
    before = [message.sequence for message in queue.mailbox.peek(1, 10)]

    bench = machine.restart(bench)
    queue = bench.namespace.directory.queues["q"]
    assert queue.spec.max_delivery_count == 5
    messages = queue.mailbox.peek(1, 10)
    assert [message.sequence for message in messages] == before
    assert [(body(m.content), m.state, m.failed_deliveries) for m in messages] == [
        ("active", State.ACTIVE, 1),
        ("scheduled", State.SCHEDULED, 0),
        ("deferred", State.DEFERRED, 0),
    ]
    assert messages[0].content.user == {"n": 1}
    assert (messages[0].enqueued_at, messages[0].expires_at) == (START, START + 100.0)
    [dead] = bench.take(queue.dead_letters).got
    assert dead.content.user["DeadLetterReason"] == "Why"
    bench.advance(50.0)
    assert bench.take(queue.mailbox, 10).bodies() == ["active", "scheduled"]


def test_what_was_completed_stays_gone_and_locks_are_free(machine: Machine) -> None:
    bench = machine.start()
    queue = bench.queue()
    bench.send("q", "done", "locked")
    taken = bench.take(queue.mailbox, 2)
    queue.mailbox.complete(taken.tokens[0])
    bench.settle()
    bench = machine.restart(bench)
    queue = bench.namespace.directory.queues["q"]
    assert bench.take(queue.mailbox, 10).bodies() == ["locked"]


def test_nobody_hears_of_what_is_not_durable(machine: Machine) -> None:
    bench = machine.start()
    queue = bench.queue()
    bench.settle()
    heard: list[str] = []
    bench.send("q", "durable")
    bench.namespace.router.send(queue, [content("lost")])
    bench.journal.when_durable(lambda: heard.append("lost"))
    bench = machine.restart(bench)
    assert heard == []
    queue = bench.namespace.directory.queues["q"]
    assert bench.take(queue.mailbox, 10).bodies() == ["durable"]


def test_sequence_numbers_never_come_again(machine: Machine) -> None:
    bench = machine.start()
    queue = bench.queue()
    bench.send("q", "a", "b")
    last = queue.mailbox.peek(1, 10)[-1].sequence
    for token in bench.take(queue.mailbox, 2).tokens:
        queue.mailbox.complete(token)
    bench.settle()
    bench = machine.restart(bench)
    bench.send("q", "c")
    [message] = bench.namespace.directory.queues["q"].mailbox.peek(1, 10)
    assert message.sequence > last
    bench.namespace.close()
    bench.journal.flush()
    bench = machine.restart(bench)
    bench.send("q", "d")
    numbers = [m.sequence for m in bench.namespace.directory.queues["q"].mailbox.peek(1, 10)]
    assert numbers == [message.sequence, message.sequence + 1]


def test_rules_sessions_and_remembered_ids_survive(machine: Machine) -> None:
    bench = machine.start()
    bench.topic(requires_duplicate_detection=True, duplicate_detection_history_time_window=60.0)
    rules = (
        RuleSpec(
            name="sql",
            filter=SqlFilter(expression="n = @n", parameters={"@n": 1}),
            action=SqlAction(expression="SET n = 2"),
        ),
        RuleSpec(name="corr", filter=CorrelationFilter(label="x", properties={"b": True})),
    )
    subscription = bench.subscription("s", *rules, requires_session=True)
    assert isinstance(subscription.mailbox, SessionMailbox)
    subscription.mailbox.accept(Receiver(), "one")
    subscription.mailbox.set_state("one", b"state")
    bench.send("t", "x", message_id="m", user={"n": 1}, session_id="one")
    bench = machine.restart(bench)
    found = bench.namespace.directory.subscription("t", "s")
    assert [rule.spec for rule in found.rules.values()] == list(rules)
    assert [rule.spec.created_at for rule in found.rules.values()] == [START, START]
    bench.send("t", "again", message_id="m", user={"n": 1}, session_id="one")
    assert isinstance(found.mailbox, SessionMailbox)
    receiver = Receiver(left=10)
    found.mailbox.accept(receiver, "one")
    bench.settle()
    assert receiver.bodies() == ["x"]
    assert found.mailbox.get_state("one") == b"state"
    found.mailbox.set_state("one", None)
    bench.settle()
    bench = machine.restart(bench)
    again = bench.namespace.directory.subscription("t", "s")
    assert isinstance(again, Subscription)
    assert isinstance(again.mailbox, SessionMailbox)
    assert again.mailbox.names() == ["one"]
    bench.advance(60.0)
    bench.send("t", "later", message_id="m", user={"n": 1}, session_id="two")
    assert again.mailbox.names() == ["one", "two"]


def test_forwarded_messages_keep_source_and_hops(machine: Machine) -> None:
    bench = machine.start()
    bench.queue("end")
    start = bench.queue("start", forward_dead_lettered_messages_to="end")
    bench.send("start", "x")
    start.mailbox.dead_letter(bench.take(start.mailbox).tokens[0], "Why", "")
    bench.settle()
    bench = machine.restart(bench)
    [message] = bench.namespace.directory.queues["end"].mailbox.peek(1, 10)
    assert (message.dead_letter_source, message.hops) == ("start", 1)
    assert bench.namespace.directory.queues["start"].dead_letters.peek(1, 10) == []


def test_changed_and_deleted_entities_survive_as_such(machine: Machine) -> None:
    bench = machine.start()
    bench.queue("gone")
    bench.queue("kept")
    bench.send("gone", "x")
    bench.namespace.update(QueueSpec(name="kept", max_delivery_count=2, user_metadata="note"))
    bench.namespace.delete(bench.namespace.directory.queues["gone"])
    bench.settle()
    bench.journal.flush()
    bench = machine.restart(bench)
    assert set(bench.namespace.directory.queues) == {"kept"}
    assert bench.namespace.directory.queues["kept"].spec.user_metadata == "note"
    bench.queue("gone")
    assert len(bench.namespace.directory.queues["gone"].mailbox) == 0


def test_two_brokers_cannot_share_a_folder(machine: Machine) -> None:
    bench = machine.start()
    with pytest.raises(LocalError, match=r"is in use by another broker\. Stop it, or"):
        machine.start()
    machine.kill(bench)


def test_a_damaged_file_is_named_with_a_way_out(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(
        LocalError, match=r"is damaged \(.*\)\. Move it away to begin with an empty"
    ):
        machine.start()


def test_damage_within_the_file_is_found(machine: Machine, tmp_path: Path) -> None:
    bench = machine.start()
    bench.queue()
    for _ in range(50):
        bench.send("q", "x" * 3000)
    bench.journal.close()
    file = tmp_path / FILE_NAME
    data = bytearray(file.read_bytes())
    data[8192:40960] = b"\xee" * (40960 - 8192)
    file.write_bytes(data)
    with pytest.raises(LocalError, match="is damaged"):
        machine.start()


def test_a_file_of_another_version_is_refused(machine: Machine, tmp_path: Path) -> None:
    machine.kill(machine.start())
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LocalError, match=r"another version of the broker \(format 99, this one"):
        machine.start()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(LocalError, match=f"The state folder {blocked}/below cannot be used"):
        Machine(blocked / "below").start()


def test_a_disk_that_refuses_stops_the_broker_and_acknowledges_nothing(machine: Machine) -> None:
    bench = machine.start()
    bench.queue()
    bench.settle()
    journal = bench.journal
    assert isinstance(journal, SqliteJournal)
    journal.flush()
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    heard: list[str] = []
    queue = bench.namespace.directory.queues["q"]
    with pytest.raises(StorageError, match="nothing that was not written was acknowledged"):
        bench.namespace.router.send(queue, [content("x" * 100_000)])
    journal.when_durable(partial(heard.append, "acknowledged"))
    bench.settle()
    assert heard == []
    [failure] = set(map(str, machine.failures))
    assert "cannot be written to" in failure
    machine.kill(bench)
