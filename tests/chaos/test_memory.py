"""A few of the histories that `scripts/chaos` runs by the hundred, and bugs that they find."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mesh import consuming, fan_out, landing, outbox, suspects
from mesh.model.names import ProductId
from tests.chaos import run
from tests.chaos.bugs import told_everybody
from tests.chaos.simulation import Simulation


@pytest.mark.parametrize("seed", range(2))
def test_the_promise_holds_in_memory(seed: int) -> None:
    history = Simulation(seed=seed, files=15)

    assert history.run() == []


def test_a_seed_is_a_history() -> None:
    """What a seed found can be looked at again."""
    first, second = Simulation(seed=7, files=10), Simulation(seed=7, files=10)
    first.run()
    second.run()

    assert first.happened == second.happened
    assert [one.etag for one in first.world.landed] == [one.etag for one in second.world.landed]
    assert first.world.broker.published == second.world.broker.published


def published_too_early(backbone: Any, _: ProductId, decide: Any, *, first: Any) -> Any:
    change = decide(first)
    if change is not None:
        backbone.topic.publish([event.to_cloudevent() for event in change.events])
        backbone.registry.commit(change)
    return change


@pytest.mark.parametrize(
    ("module", "name", "bug"),
    [
        (landing, "commit", published_too_early),
        (fan_out, "fan_out", told_everybody),
        (outbox, "relay", lambda *_, **__: 0),
        (consuming, "follow", lambda *_: None),
        (suspects, "_TRIES", 0),
    ],
    ids=[
        "published before the commit",
        "filters not asked",
        "outbox not relayed",
        "barred are told",
        "who failed is called poison",
    ],
)
def test_a_bug_does_not_stay_unseen_in_memory(
    module: Any, name: str, bug: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, bug)

    assert any(is_broken(seed) for seed in range(5, 25))


def is_broken(seed: int) -> bool:
    """Whether a history breaks the promise; one that does not come to rest does."""
    try:
        return bool(Simulation(seed=seed, files=15).run())
    except AssertionError:
        return True


def test_the_command_tells_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert run.main(["--seeds=1", "--files=5", "--seed=3"]) == 0
    finally:
        logging.disable(logging.NOTSET)  # the command keeps its process quiet

    said = capsys.readouterr().out
    assert said.startswith("1 seeds x 5 files in ")
    assert "the promise was broken in 0\n" in said
    assert " 5 files" in said.replace(",", " ")
