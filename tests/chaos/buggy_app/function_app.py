"""The app, with two bugs put in on purpose; for tests of what finds them.

A file named `deadly…` ends the worker that judges it. Of one named `hasty…` the events are
published before they are committed, and the first time the worker ends in between.
"""

import importlib.util
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from mesh import landing  # noqa: E402 - its path has just been made known

_judge, _commit = landing.judge, landing.commit


def _judge_or_die(backbone, dropped, place, port, pieces):
    if dropped.file.startswith("deadly"):
        os.kill(os.getpid(), signal.SIGKILL)
    return _judge(backbone, dropped, place, port, pieces)


def _commit_too_late(backbone, product, decide, *, first=None):
    change = decide(backbone.registry.head(product))
    if change is None or change.entry is None or not change.entry.file.startswith("hasty"):
        return _commit(backbone, product, decide, first=first)
    backbone.topic.publish([event.to_cloudevent() for event in change.events])
    once = Path(os.environ["CHAOS_STATE"]) / change.entry.drop
    if not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    backbone.registry.commit(change)
    return change


landing.judge, landing.commit = _judge_or_die, _commit_too_late

_spec = importlib.util.spec_from_file_location("real_function_app", ROOT / "function_app.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
app = _module.app
