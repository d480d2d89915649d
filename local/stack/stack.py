"""Start every part in its order, give the app its settings, stop all."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.process import LocalError
from local.stack.config import StackConfig
from local.stack.parts import Part
from local.stack.storage import make, read_names

READY_FILE = "azure.json"
"""In the state folder: the settings of the running stack, for those who want to talk to it."""

RANDOM_BYTES = 32
_KEYS = ("host.master", "host.function.default")
_MAKE_ANEW = (
    "Delete it, and a new one is made; what was signed with the old one no longer verifies."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Where the parts listen; 0 takes a free port."""

    blob: int = 10000
    queue: int = 10001
    table: int = 10002
    service_bus: int = 5672
    service_bus_admin: int = 5300
    event_grid: int = 10010
    functions: int = 7071
    telemetry: int = 4318
    identity: int = 10020


class Stack:
    """The local Azure of one app; use it with `async with`.

    Attributes:
        settings: the app's settings, once the parts run.
        parts: the running parts, in the order of their start.
        reached: where the parts are, by name.
    """

    def __init__(self, config: StackConfig, *, state: Path, ports: Ports) -> None:
        self._config = config
        self._state = state
        self._ports = ports
        self._exit = AsyncExitStack()
        self.settings: dict[str, str] = {}
        self.parts: list[Part] = []
        self.reached: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as started:
            self._exit = started
            await self._start()
            self._exit = started.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        (self._state / READY_FILE).unlink(missing_ok=True)
        await self._exit.aclose()

    async def first_death(self) -> str:
        """Wait until one of the parts ends by itself; returns what there is to say about that."""
        deaths = [asyncio.create_task(part.died()) for part in self.parts]
        try:
            done, _ = await asyncio.wait(deaths, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for death in deaths:
                death.cancel()
            await asyncio.gather(*deaths, return_exceptions=True)

    async def _start(self) -> None:
        names = read_names(self._config.storage)
        _make_folder(self._state)
        keys, random_key = _keys(self._state), _random_key(self._state)
        async with asyncio.TaskGroup() as group:
            storage = group.create_task(self._azurite(names))
            bus = group.create_task(self._service_bus())
            telemetry = group.create_task(self._telemetry())
            issuer = group.create_task(self._identity())
        addresses = _addresses(storage.result(), bus.result())
        addresses["telemetry"] = telemetry.result().ready["url"]
        grid = await self._event_grid(addresses)
        addresses |= {
            "event_grid": grid.ready["url"],
            "event_grid_key": grid.ready["key"],
            "functions_key": keys["host.function.default"],
            "random_key": random_key,
        }
        self.settings = self._resolve(addresses)
        host = await self._functions_host(issuer.result())
        self.reached = {
            "storage": storage.result().ready["blob"],
            "service_bus": f"amqp://127.0.0.1:{bus.result().ready['port']}",
            "service_bus_admin": bus.result().ready["admin_url"],
            "event_grid": grid.ready["url"],
            "functions": host.ready["url"],
            "telemetry": addresses["telemetry"],
        }
        self._tell({**self.settings, **_client_settings(host, issuer.result())})

    async def _run(
        self, name: str, *arguments: str, environ: Mapping[str, str] | None = None
    ) -> Part:
        log = self._state / "logs" / f"{name}.log"
        part = await Part.start(name, *arguments, log=log, environ=environ)
        self._exit.push_async_callback(part.stop)
        self.parts.append(part)
        return part

    async def _telemetry(self) -> Part:
        queries = self._config.queries
        return await self._run(
            "telemetry",
            f"--port={self._ports.telemetry}",
            f"--state={self._state / 'telemetry'}",
            *(() if queries is None else (f"--queries={queries}",)),
        )

    async def _identity(self) -> Part | None:
        if self._config.identity is None:
            return None
        return await self._run(
            "identity",
            f"--registrations={self._config.identity}",
            f"--port={self._ports.identity}",
            f"--state={self._state / 'identity'}",
        )

    async def _azurite(self, names: dict[str, list[str]]) -> Part:
        ports = self._ports
        part = await self._run(
            "azurite",
            f"--state={self._state / 'azurite'}",
            f"--blob-port={ports.blob}",
            f"--queue-port={ports.queue}",
            f"--table-port={ports.table}",
        )
        await asyncio.to_thread(make, names, part.ready["connection_string"])
        return part

    async def _service_bus(self) -> Part:
        return await self._run(
            "service_bus",
            f"--entities={self._config.service_bus}",
            f"--state={self._state / 'service-bus'}",
            f"--port={self._ports.service_bus}",
            f"--admin-port={self._ports.service_bus_admin}",
        )

    async def _event_grid(self, addresses: Mapping[str, str]) -> Part:
        return await self._run(
            "event_grid",
            f"--topology={self._config.event_grid}",
            f"--state={self._state / 'event-grid'}",
            f"--port={self._ports.event_grid}",
            f"--journal={addresses['storage_journal']}",
            f"--telemetry={addresses['telemetry']}",
            environ={
                "LOCAL_SERVICE_BUS": addresses["service_bus"],
                "LOCAL_STORAGE": addresses["storage"],
            },
        )

    async def _functions_host(self, issuer: Part | None) -> Part:
        return await self._run(
            "functions_host",
            f"--app={self._config.app}",
            f"--state={self._state / 'functions'}",
            f"--keys={self._state / 'keys.json'}",
            f"--port={self._ports.functions}",
            *(() if issuer is None else (f"--authentication={self._authentication(issuer)}",)),
            environ=self.settings,
        )

    def _authentication(self, issuer: Part) -> Path:
        """A file in the form of `authsettingsV2`: the config's rules, for tokens of the issuer."""
        assert self._config.authentication is not None  # it goes with an issuer
        entra = {
            "registration": {"openIdIssuer": issuer.ready["issuer"]},
            "validation": {"allowedAudiences": [issuer.ready["audience"]]},
        }
        whole = {
            "globalValidation": json.loads(self._config.authentication.read_text("utf-8")),
            "identityProviders": {"azureActiveDirectory": entra},
        }
        path = self._state / "authentication.json"
        _write_private(path, json.dumps(whole, indent=2))
        return path

    def _resolve(self, addresses: Mapping[str, str]) -> dict[str, str]:
        resolved = {}
        for name, template in self._config.settings.items():
            try:
                resolved[name] = template.format_map(addresses)
            except (KeyError, ValueError, IndexError) as wrong:
                known = ", ".join(sorted(f"{{{key}}}" for key in addresses))
                message = (
                    f"The setting {name}, {template!r}, has an unknown {wrong}. Known: {known}."
                )
                raise LocalError(message) from None
        return resolved

    def _tell(self, settings: Mapping[str, str]) -> None:
        said = {"settings": settings, "parts": {part.name: part.ready for part in self.parts}}
        _write_private(self._state / READY_FILE, json.dumps(said, indent=2))


def _addresses(storage: Part, bus: Part) -> dict[str, str]:
    return {
        "storage": storage.ready["connection_string"],
        "storage_journal": storage.ready["journal"],
        "service_bus": bus.ready["connection_string"],
        "service_bus_admin": bus.ready["admin_connection_string"],
        "service_bus_certificate": bus.ready["certificate"],
    }


def _client_settings(host: Part, issuer: Part | None) -> dict[str, str]:
    """How a client reaches the app's HTTP functions, and gets a token for them."""
    reached = {"MESH_URL": host.ready["url"] + "/api"}
    if issuer is not None:
        reached |= {
            "MESH_SCOPE": f"{issuer.ready['audience']}/.default",
            "MESH_TOKEN_URL": issuer.ready["token_url"],
            "MESH_CLIENT_SECRET": issuer.ready["secret"],
        }
    return reached


def _make_folder(state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (FileExistsError, NotADirectoryError, PermissionError) as refused:
        message = (
            f"{state} cannot be the state folder: {refused.strerror}. Choose one with --state."
        )
        raise LocalError(message) from None


def _keys(state: Path) -> dict[str, str]:
    """The host's keys, made once."""
    path = state / "keys.json"
    if not path.exists():
        made = {name: secrets.token_urlsafe(RANDOM_BYTES) for name in _KEYS}
        _write_private(path, json.dumps(made))
    try:
        keys: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(keys[name], str) for name in _KEYS):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        message = f"{path} does not hold the keys of the functions host. {_MAKE_ANEW}"
        raise LocalError(message) from None
    return keys


def _random_key(state: Path) -> str:
    """32 random bytes in base64, made once: for a setting that needs a secret of its own."""
    path = state / "random.key"
    if not path.exists():
        _write_private(path, base64.b64encode(secrets.token_bytes(RANDOM_BYTES)).decode())
    text = path.read_text(encoding="utf-8")
    try:
        good = len(base64.b64decode(text, validate=True)) == RANDOM_BYTES
    except ValueError:
        good = False
    if not good:
        message = f"{path} does not hold {RANDOM_BYTES} bytes in base64. {_MAKE_ANEW}"
        raise LocalError(message)
    return text


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
