"""The administration endpoint: HTTPS requests into operations of the namespace."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Iterable
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from aiohttp import web

from local.service_bus.admin.atom import (
    Entry,
    read_description,
    write_entry,
    write_error,
    write_feed,
)
from local.service_bus.admin.fields import (
    moment,
    read_fields,
    tag,
    without_optional,
    write_fields,
)
from local.service_bus.admin.rules_xml import read_rule, write_rule
from local.service_bus.core.entities import (
    DEFAULT_RULE,
    QueueSpec,
    RuleSpec,
    Spec,
    SubscriptionSpec,
    TopicSpec,
)
from local.service_bus.core.errors import (
    BrokerError,
    EntityNotFoundError,
    InvalidArgumentError,
)
from local.service_bus.core.namespace import Namespace
from local.service_bus.core.queues import Entity, Subscription, Topic

_PATH = re.compile(
    r"(?P<entity>.+?)(?:/subscriptions(?:/(?P<subscription>[^/]+)"
    r"(?P<rules>/rules(?:/(?P<rule>[^/]+))?)?)?)?",
    re.IGNORECASE,
)
_LARGEST_PAGE = 100
_XML = "application/xml"
_GRACE = 1.0


class AdminServer:
    """Serves one namespace. Any token is accepted: the endpoint is on loopback only."""

    def __init__(self, namespace: Namespace, url: str) -> None:
        self._namespace, self._url = namespace, url
        self._forward_base = url.replace("https://", "sb://")
        self._runner: web.AppRunner | None = None

    async def start(self, bound: socket.socket, context: ssl.SSLContext) -> None:
        """Begin to serve on a bound socket."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE)
        await self._runner.setup()
        await web.SockSite(self._runner, bound, ssl_context=context).start()

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            answer = self._answer(request, body)
        except BrokerError as refused:
            return web.Response(status=refused.status, body=write_error(refused), content_type=_XML)
        await self._durable()
        return answer

    async def _durable(self) -> None:
        """Wait until the change, if there was one, would survive the process."""
        durable = asyncio.Event()
        self._namespace.journal.when_durable(durable.set)
        await durable.wait()

    def _answer(self, request: web.Request, body: bytes) -> web.Response:
        path = unquote(request.rel_url.raw_path).strip("/")
        if request.method == "GET" and path.lower() == "$namespaceinfo":
            return _ok(self._namespace_info())
        if request.method == "GET" and path.lower().startswith("$resources/"):
            return _ok(self._list_entities(request, path.lower().removeprefix("$resources/")))
        match = _PATH.fullmatch(path)
        if match is None:
            raise EntityNotFoundError.at(path)
        found = match.groupdict()
        if request.method == "GET":
            return _ok(self._get(request, path, found))
        if request.method == "DELETE":
            self._delete(path, found)
            return web.Response()
        if request.method == "PUT":
            replacing = "If-Match" in request.headers
            document = self._put(path, found, body, replacing=replacing)
            return web.Response(status=200 if replacing else 201, body=document, content_type=_XML)
        message = f"The method {request.method} is not supported."
        raise InvalidArgumentError(message)

    # Reading

    def _get(self, request: web.Request, path: str, found: dict[str, str | None]) -> bytes:
        directory = self._namespace.directory
        if found["rules"]:
            subscription = self._subscription(found)
            if found["rule"] is None:
                rules = [rule.spec for rule in subscription.rules.values()]
                return self._page(request, "rules", [self._rule(subscription, r) for r in rules])
            rule = subscription.rules.get(found["rule"].lower())
            if rule is None:
                raise EntityNotFoundError.at(path)
            return write_entry(self._rule(subscription, rule.spec))
        if found["subscription"] is None and path.lower().endswith("/subscriptions"):
            topic = directory.entity(found["entity"] or "")
            if not isinstance(topic, Topic):
                raise EntityNotFoundError.at(path)
            return self._page(request, "subscriptions", self._entries(topic.subscriptions.values()))
        return write_entry(self._entry(directory.entity(path)))

    def _list_entities(self, request: web.Request, kind: str) -> bytes:
        directory = self._namespace.directory
        if kind == "queues":
            return self._page(request, kind, self._entries(directory.queues.values()))
        if kind == "topics":
            return self._page(request, kind, self._entries(directory.topics.values()))
        raise EntityNotFoundError.at(f"$Resources/{kind}")

    def _entries(self, entities: Iterable[Entity]) -> list[Entry]:
        ordered = sorted(entities, key=lambda entity: entity.path.lower())
        return [self._entry(entity) for entity in ordered]

    def _page(self, request: web.Request, title: str, entries: list[Entry]) -> bytes:
        skip = _number(request, "$skip", 0)
        top = min(_number(request, "$top", _LARGEST_PAGE), _LARGEST_PAGE)
        url = f"{self._url}{request.rel_url.raw_path}"
        following = None
        if skip + top < len(entries):
            following = f"{url}?$skip={skip + top}&$top={top}"
        page = entries[skip : skip + top]
        now = self._namespace.clock()
        return write_feed(title, url, page, following=following, updated=now)

    def _entry(self, entity: Entity) -> Entry:
        title = entity.spec.name
        return Entry(
            title=title,
            url=f"{self._url}/{entity.path}",
            description=write_fields(entity, self._forward_base),
            published=entity.created_at,
            updated=entity.updated_at,
        )

    def _rule(self, subscription: Subscription, rule: RuleSpec) -> Entry:
        return Entry(
            title=rule.name,
            url=f"{self._url}/{subscription.path}/Rules/{rule.name}",
            description=write_rule(rule),
            published=rule.created_at,
            updated=rule.created_at,
        )

    def _subscription(self, found: dict[str, str | None]) -> Subscription:
        topic, name = found["entity"] or "", found["subscription"] or ""
        return self._namespace.directory.subscription(topic, name)

    def _namespace_info(self) -> bytes:
        now = self._namespace.clock()
        info = ET.Element(tag("NamespaceInfo"))
        fields = {
            "CreatedTime": moment(now),
            "MessagingSKU": "Standard",
            "ModifiedTime": moment(now),
            "Name": "local",
            "NamespaceType": "Messaging",
        }
        for name, text in fields.items():
            ET.SubElement(info, tag(name)).text = text
        entry = Entry(title="local", url=self._url, description=info, published=now, updated=now)
        return write_entry(entry)

    # Writing

    def _delete(self, path: str, found: dict[str, str | None]) -> None:
        if found["rule"]:
            self._namespace.delete_rule(self._subscription(found), found["rule"])
        else:
            self._namespace.delete(self._namespace.directory.entity(path))

    def _put(
        self, path: str, found: dict[str, str | None], body: bytes, *, replacing: bool
    ) -> bytes:
        if found["rule"]:
            subscription = self._subscription(found)
            _, element = read_description(body, ["RuleDescription"])
            rule = read_rule(element, found["rule"])
            made = self._namespace.put_rule(subscription, rule, replacing=replacing)
            return write_entry(self._rule(subscription, made))
        if found["subscription"]:
            name, element = read_description(body, ["SubscriptionDescription"])
        else:
            name, element = read_description(body, ["QueueDescription", "TopicDescription"])
        entity = self._replace(path, element) if replacing else self._make(name, found, element)
        return write_entry(self._entry(entity))

    def _replace(self, path: str, element: ET.Element) -> Entity:
        current = self._namespace.directory.entity(path).spec
        return self._namespace.update(read_fields(element, without_optional(current)))

    def _make(self, kind: str, found: dict[str, str | None], element: ET.Element) -> Entity:
        name = found["entity"] or ""
        spec: Spec
        if kind == "QueueDescription":
            spec = read_fields(element, QueueSpec(name=name))
            assert isinstance(spec, QueueSpec)
            return self._namespace.create_queue(spec)
        if kind == "TopicDescription":
            spec = read_fields(element, TopicSpec(name=name))
            assert isinstance(spec, TopicSpec)
            return self._namespace.create_topic(spec)
        spec = read_fields(element, SubscriptionSpec(topic=name, name=found["subscription"] or ""))
        assert isinstance(spec, SubscriptionSpec)
        first = element.find(tag("DefaultRuleDescription"))
        rule = None if first is None else read_rule(first, _name_of(first))
        return self._namespace.create_subscription(spec, *(() if rule is None else (rule,)))


def _name_of(rule: ET.Element) -> str:
    name = rule.find(tag("Name"))
    return DEFAULT_RULE if name is None or not name.text else name.text


def _ok(document: bytes) -> web.Response:
    return web.Response(body=document, content_type=_XML)


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdecimal() else default
