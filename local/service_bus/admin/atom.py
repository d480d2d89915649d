"""Atom documents: entries and feeds around descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from local.service_bus.admin.fields import SB, moment
from local.service_bus.core.errors import BrokerError, InvalidArgumentError

_ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One entity in a document. `url` is its address."""

    title: str
    url: str
    description: ET.Element
    published: float
    updated: float


def _tag(name: str) -> str:
    return f"{{{_ATOM}}}{name}"


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, _tag(name), attributes)
    element.text = text
    return element


def write_entry(entry: Entry) -> bytes:
    """Write the document of one entity."""
    return _written(_entry(entry))


def _entry(entry: Entry) -> ET.Element:
    element = ET.Element(_tag("entry"))
    _add(element, "id", entry.url)
    _add(element, "title", entry.title, type="text")
    _add(element, "published", moment(entry.published))
    _add(element, "updated", moment(entry.updated))
    _add(_add(element, "author"), "name", "local")
    _add(element, "link", rel="self", href=entry.url)
    _add(element, "content", type="application/xml").append(entry.description)
    return element


def write_feed(
    title: str, url: str, entries: Sequence[Entry], *, following: str | None, updated: float
) -> bytes:
    """Write a page of entities; `following` is the address of the next one."""
    feed = ET.Element(_tag("feed"))
    _add(feed, "title", title, type="text")
    _add(feed, "id", url)
    _add(feed, "updated", moment(updated))
    _add(feed, "link", rel="self", href=url)
    if following is not None:
        _add(feed, "link", rel="next", href=following)
    feed.extend(_entry(entry) for entry in entries)
    return _written(feed)


def write_error(refused: BrokerError) -> bytes:
    """Write why a request was refused."""
    error = ET.Element("Error")
    ET.SubElement(error, "Code").text = str(refused.status)
    ET.SubElement(error, "Detail").text = str(refused)
    return _written(error)


def _written(element: ET.Element) -> bytes:
    document: bytes = ET.tostring(element, encoding="utf-8", xml_declaration=True)
    return document


def read_description(document: bytes, names: Iterable[str]) -> tuple[str, ET.Element]:
    """Find the description in an entry: its element's name, and the element.

    Raises:
        InvalidArgumentError: the document is no XML, or has none of these descriptions.
    """
    try:
        # expat limits entity expansion, and clients are on this machine.
        entry = ET.fromstring(document)  # noqa: S314
    except ET.ParseError as wrong:
        message = f"The request's body is no XML: {wrong}."
        raise InvalidArgumentError(message) from None
    for name in names:
        element = entry.find(f"{_tag('content')}/{{{SB}}}{name}")
        if element is not None:
            return name, element
    message = f"The request's body has no {' or '.join(names)}."
    raise InvalidArgumentError(message)
