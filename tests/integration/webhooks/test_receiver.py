"""The receiver of the examples, and the guide for those who write their own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import pytest

from mesh.errors import Rejected
from mesh.model.delivery import JITTER, LONGEST_PAUSE, STANDARD_SCHEDULE, DeliveryAttempt
from mesh.webhooks.secrets import SigningSecrets
from mesh.webhooks.sender import LONGEST_ANSWER, WebhookSender
from mesh.webhooks.targets import LONGEST_URL

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
COMMAND = "python examples/receiver/receiver.py --port 9000 --secrets secrets.txt"
EVENT = {"specversion": "1.0", "id": "a.b", "type": "mesh.product.updated.v1", "data": {"n": "ø"}}
BODY = json.dumps(EVENT, ensure_ascii=False).encode()
SECRETS = SigningSecrets(master_keys=(b"k" * 32,))

Senders = Callable[..., WebhookSender]


class Running:
    """The example as a process of its own, started with the guide's command."""

    def __init__(self, folder: Path, *options: str) -> None:
        script = str(ROOT / "examples" / "receiver" / "receiver.py")
        words = COMMAND.replace("--port 9000", "--port 0").split()[2:]
        self.process = subprocess.Popen(
            [sys.executable, script, *words, *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self.url = self.line().removeprefix("listening on ").strip()

    @property
    def output(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def line(self) -> str:
        return self.output.readline()

    def stop(self) -> str:
        """End it; what it had still to say."""
        self.process.terminate()
        rest, _ = self.process.communicate()
        return rest


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def make(*options: str) -> Running:
        running.append(Running(tmp_path, *options))
        return running[-1]

    yield make
    for receiver in running:
        if receiver.process.poll() is None:
            receiver.stop()
        receiver.output.close()


def _headers(*generations: int, webhook_id: str = "msg_1", scheme: Any = "v1") -> dict[str, str]:
    return SECRETS.headers(
        subscription="sub-1",
        generations=generations,
        webhook_id=webhook_id,
        at=datetime.now(UTC),
        body=BODY,
        scheme=scheme,
    )


def _deliver(sender: WebhookSender, url: str, headers: dict[str, str]) -> DeliveryAttempt:
    return sender.deliver(url=url, body=BODY, headers=headers)


def test_the_example_consents_verifies_and_takes_each_notification_once(
    start: Callable[..., Running], senders: Senders, tmp_path: Path
) -> None:
    receiver, sender = start(), senders()
    sender.verify(receiver.url)

    early = _deliver(sender, receiver.url, _headers(1))
    assert (early.outcome, early.status, early.retry_after) == ("retry", 503, timedelta(seconds=5))

    (tmp_path / "secrets.txt").write_text(SECRETS.reveal("sub-1", 1) + "\n")
    assert _deliver(sender, receiver.url, _headers(1)).status == 204
    assert json.loads(receiver.line()) == {"webhook-id": "msg_1", "event": EVENT}

    assert _deliver(sender, receiver.url, _headers(1)).status == 204
    forged = _headers(1, webhook_id="msg_2") | {"webhook-id": "msg_3"}
    assert _deliver(sender, receiver.url, forged).status == 401
    assert _deliver(sender, receiver.url, {"content-type": "text/plain"}).status == 401
    assert receiver.stop() == ""


def test_the_example_goes_through_a_rotation(
    start: Callable[..., Running], senders: Senders, tmp_path: Path
) -> None:
    receiver, sender = start(), senders()
    (tmp_path / "secrets.txt").write_text("\n".join(SECRETS.reveal("sub-1", n) for n in (1, 2)))
    for generations in ((1,), (2, 1), (2,)):
        headers = _headers(*generations, webhook_id=f"msg_{len(generations)}{generations[0]}")
        assert _deliver(sender, receiver.url, headers).status == 204
    assert _deliver(sender, receiver.url, _headers(3)).status == 401


def test_the_example_takes_no_large_body(start: Callable[..., Running], senders: Senders) -> None:
    receiver = start()
    attempt = senders().deliver(url=receiver.url, body=b"x" * 65_537, headers={})
    assert attempt.status == 413


def test_the_example_listens_to_the_mesh_it_was_told_to(
    start: Callable[..., Running], senders: Senders
) -> None:
    receiver = start("--origin", "other.example")
    with pytest.raises(Rejected, match="answered 403 Forbidden without the header"):
        senders().verify(receiver.url)
    senders(origin="other.example").verify(receiver.url)


def _python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def test_the_guide_verifies_as_it_says() -> None:
    simple, _ = _python_blocks()
    known = {"secret": SECRETS.reveal("sub-1", 1), "body": BODY, "headers": _headers(1)}
    exec(simple, known)
    assert known["event"] == EVENT
    with pytest.raises(Exception, match="No matching signature found"):
        exec(simple, known | {"body": BODY + b" "})


def test_the_guide_verifies_ed25519_as_it_says() -> None:
    _, ed25519 = _python_blocks()
    known: dict[str, Any] = {}
    exec(ed25519, known)
    is_from_the_mesh = known["is_from_the_mesh"]
    public_key = SECRETS.reveal("sub-1", 1, scheme="v1a")
    headers = _headers(2, 1, scheme="v1a")
    assert is_from_the_mesh(BODY, headers, public_key)
    assert not is_from_the_mesh(BODY + b" ", headers, public_key)
    assert not is_from_the_mesh(BODY, _headers(2, scheme="v1a"), public_key)
    old = headers | {"webhook-timestamp": str(int(time.time()) - 301)}
    assert not is_from_the_mesh(BODY, old, public_key)


def test_the_guide_tells_the_numbers_that_hold() -> None:
    def text(pause: timedelta) -> str:
        for unit, size in (("h", 3600), ("min", 60)):
            if pause and pause.total_seconds() % size == 0:
                return f"{pause.total_seconds() / size:g} {unit}"
        return f"{pause.total_seconds():g} s"

    sender = WebhookSender(origin="mesh.example", version="1")
    for claim in (
        ", ".join(map(text, STANDARD_SCHEDULE)),
        f"by up to {JITTER:.0%}".replace("%", " %"),
        f"up to {text(LONGEST_PAUSE)}.",
        f"nothing within {sender.total_timeout:g} s",
        f"no connection within {sender.connect_timeout:g} s",
        f"at most {LONGEST_ANSWER // 1024} KiB",
        f"at most {LONGEST_URL} characters",
        COMMAND,
    ):
        assert claim in GUIDE, claim
