"""Onboard the reference mesh, drop its files, and follow each to the verified signature."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cli.answers.drops import Drop
from cli.answers.onboarding import Onboarding
from cli.client import MeshClient
from cli.connection import Connection
from cli.demo.consumer import Consumer
from cli.demo.reference import COMPOSITE, COMPOSITE_INPUTS, EXAMPLES, PRODUCTS, ExampleFile
from cli.landing_zone import read_published, upload
from cli.onboarding import read_declaration_files
from cli.output import say, show, table
from cli.waiting import wait_for

SUBSCRIBER = "flight-planning"
PATIENCE_S = 60.0
INPUTS_READY = "mesh.composite.inputs-ready.v1"


@dataclass(kw_only=True)
class Demo:
    """One run.

    Attributes:
        broken: the expectations that did not hold, in a sentence each.
        held: how many did.
        subscriptions: those made, as product and id.
    """

    mesh: MeshClient
    connection: Connection
    consumer: Consumer
    scratch: Path
    broken: list[str] = field(default_factory=list)
    held: int = 0
    subscriptions: list[tuple[str, str]] = field(default_factory=list)

    def onboard(self) -> None:
        """Each declaration becomes a product, in steps."""
        rows = []
        for product in PRODUCTS:
            saga = self._onboarded(product)
            steps = " → ".join(step["step"] for step in saga["steps"])
            rows.append((product, saga["status"], steps))
            self._expect(saga["status"] == "registered", f"{product} is {saga['status']}")
        show(table(("product", "status", "steps"), rows, title="Onboarding"))

    def subscribe(self) -> None:
        """One consuming domain wants to be told of everything, by webhook."""
        for product in PRODUCTS:
            made = self.mesh.subscribe(
                product,
                subscriber=SUBSCRIBER,
                route={"webhook": self.consumer.url},
                types=(),
                objects=(),
            )
            self.consumer.secrets.append(made["secret"] or "")
            self.subscriptions.append((product, made["id"]))
        say(f"\n{SUBSCRIBER} is subscribed to {len(PRODUCTS)} products at {self.consumer.url}\n")

    def unsubscribe(self) -> None:
        """End the subscriptions: their receiver ends with the demo."""
        for product, subscription in self.subscriptions:
            self.mesh.unsubscribe(product, subscription)

    def drop(self, files: Iterable[ExampleFile], *, title: str) -> None:
        """Drop files one by one, and tell what became of each."""
        rows = [self._follow(file) for file in files]
        columns = ("file", "verdict", "what the producer is told", "signed notification")
        show(table(columns, rows, title=title))

    def compose(self) -> None:
        """When its inputs are ready, the composite's domain makes the composite and drops it."""
        told = self.consumer.wait_for(
            lambda event: event["type"] == INPUTS_READY, timeout_s=PATIENCE_S
        )
        self._expect(told is not None, f"{INPUTS_READY} did not come")
        if told is None:
            return
        inputs = {f"{i['domain']}/{i['product']}": i for i in told.event["data"]["inputs"]}
        options = []
        for product in COMPOSITE_INPUTS:
            name = product.partition("/")[2]
            path = self.scratch / Path(inputs[product]["dataref"]).name
            path.write_bytes(read_published(self.connection, inputs[product]["dataref"]))
            options += [f"--{name}", str(path)]
        made = self.scratch / "coverage.csv"
        job = [sys.executable, str(EXAMPLES / COMPOSITE / "compose.py"), *options]
        subprocess.run([*job, "--output", str(made)], check=True)
        names = ", ".join(sorted(inputs))
        say(f"\nThe inputs of {COMPOSITE} are ready ({names}): its domain composes it.\n")
        file = ExampleFile(
            path=made,
            product=COMPOSITE,
            object_name="coverage",
            teaches="A composite of three products from two domains.",
            verdict="accepted",
            rules=frozenset(),
        )
        self.drop([file], title="The composite")

    def conclude(self) -> bool:
        """Say whether every expectation held."""
        self._expect(not self.consumer.unverified, f"{self.consumer.unverified} not verified")
        for sentence in self.broken:
            say(f"✗ {sentence}", style="bold red")
        total = self.held + len(self.broken)
        style = "bold red" if self.broken else "bold green"
        say(f"{self.held} of {total} expectations held.", style=style)
        return not self.broken

    def _onboarded(self, product: str) -> Onboarding:
        files = read_declaration_files(EXAMPLES / product)
        asked = self.mesh.request_onboarding(files, by="demo")

        def ended() -> Onboarding | None:
            saga = self.mesh.onboarding(asked["id"])
            return saga if saga["status"] != "running" else None

        return wait_for(
            ended,
            timeout_s=PATIENCE_S,
            what=f"end of the onboarding of {product}",
            instead="See the log of the functions host.",
        )

    def _follow(self, file: ExampleFile) -> tuple[object, ...]:
        started = time.time()
        landed = upload(self.connection, file.path, file.blob, progress=lambda *_: None)
        told = self.consumer.wait_for(
            lambda event: event["data"].get("drop") == landed.drop, timeout_s=PATIENCE_S
        )
        self._expect(told is not None, f"nobody was told of {file.path.name}")
        if told is None:
            return (file.path.name, "?", "no notification came", "")
        self._check_signed_event(file, told.event["type"])
        verdict = next(
            drop
            for drop in self.mesh.drops(product=file.product, file=file.path.name)
            if drop["drop"] == landed.drop
        )
        self._check(file, verdict)
        signed = f"{told.event['type']} verified after {told.at - started:.2f} s"
        return (file.path.name, verdict["verdict"], verdict["summary"], signed)

    def _check_signed_event(self, file: ExampleFile, event_type: str) -> None:
        accepted = file.verdict == "accepted" and event_type in {
            "mesh.product.updated.v1",
            "mesh.file.quarantined.v1",  # of a split file, either may be told first
        }
        rejected = file.verdict == "rejected" and event_type == "mesh.file.quarantined.v1"
        self._expect(accepted or rejected, f"{file.path.name}: told was {event_type}")

    def _check(self, file: ExampleFile, verdict: Drop) -> None:
        expected = f"{file.path.name}: expected {file.verdict}, got {verdict['verdict']}"
        self._expect(verdict["verdict"] == file.verdict, expected)
        receipt = self.mesh.receipt(file.product, verdict["drop"])
        rules = {problem["rule"] for problem in receipt["problems"]}
        rules |= set(receipt["counts"]["byRule"])
        named = f"{file.path.name}: expected the rules {set(file.rules)}, got {rules}"
        self._expect(rules == file.rules, named)

    def _expect(self, holds: bool, otherwise: str) -> None:
        if holds:
            self.held += 1
        else:
            self.broken.append(otherwise)
