"""Which URLs may be a webhook.

The URL is taken apart here, once, and strictly; everything later uses the parts. What two parsers
could understand in two ways (a backslash, `user@`, 127.1, 0x7f000001) is refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from mesh.errors import Rejected
from mesh.webhooks.addresses import is_loopback, is_public

LONGEST_URL = 2048
"""Characters."""

_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A webhook's URL in its parts.

    Attributes:
        host: lower-case DNS name without a final dot, or an IP address without brackets.
        path: path and query, exactly as they stand in the URL; never empty.
    """

    scheme: str
    host: str
    port: int
    is_address: bool
    path: str

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == default else f"{host}:{self.port}"


def parse_target(url: str, *, allow_loopback: bool = False) -> Target:
    """Take a URL apart. Where its host leads is for `check_addresses` to judge.

    Raises:
        Rejected: `invalid-webhook-url`: it is not an https URL of the form that is allowed.
    """
    if len(url) > LONGEST_URL:
        raise _invalid(f"it has {len(url)} characters; at most {LONGEST_URL} are allowed")
    if not _URL.fullmatch(url):
        raise _invalid(
            "it holds characters that no URL has. Percent-encode them; write an international "
            "host name in its ASCII form (xn--…)"
        )
    if "#" in url:
        raise _invalid("it has a fragment (#…), which is never sent. Leave it out")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _invalid("its host or port cannot be read") from None
    if parts.scheme != "https" and not (allow_loopback and parts.scheme == "http"):
        raise _invalid("it does not begin with https://")
    if "@" in parts.netloc:
        raise _invalid(
            "it holds a user name or password. Leave them out: the signature tells who is calling"
        )
    if "%" in parts.netloc:
        raise _invalid("its host is percent-encoded, or names a network interface")
    host, is_address = _host(parts.netloc, parts.hostname or "")
    rest = url[len(parts.scheme) + len("://") + len(parts.netloc) :]
    return Target(
        scheme=parts.scheme,
        host=host,
        port=port if port is not None else (443 if parts.scheme == "https" else 80),
        is_address=is_address,
        path=rest if rest.startswith("/") else f"/{rest}",
    )


def check_addresses(
    target: Target, addresses: Sequence[str], *, allow_loopback: bool = False
) -> None:
    """Make sure that a target is outside: every one of its addresses, not just the first.

    Loopback, where allowed, may have any port and need not encrypt.

    Raises:
        Rejected: `webhook-not-public`. The message holds no address: what a name means inside the
            network is nobody's business.
    """
    if allow_loopback and addresses and all(map(is_loopback, addresses)):
        return
    if target.scheme != "https":
        raise _not_public(
            f"{target.host} is not this machine, and only that may be told by http://"
        )
    if not addresses or not all(map(is_public, addresses)):
        raise _not_public(f"{target.host} is not on the public internet")
    if target.port != 443 and target.port < 1024:
        raise _not_public(
            f"port {target.port} belongs to another service. Use 443, or one above 1023"
        )


def _host(netloc: str, host: str) -> tuple[str, bool]:
    """The host, and whether it is an IP address; `host` comes in lower case."""
    if netloc.startswith("["):
        try:
            return str(IPv6Address(host)), True
        except ValueError:
            raise _invalid(f"[{host}] is not an IPv6 address") from None
    name = host.removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(name)), True
        except ValueError:
            raise _invalid(
                f"{host} is not an IPv4 address. Write four decimal numbers, such as 192.0.2.1"
            ) from None
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise _invalid(f"{host!r} is not a host name")
    return name, False


def _invalid(why: str) -> Rejected:
    message = f"The URL cannot be a webhook: {why}."
    return Rejected(message, problem="invalid-webhook-url")


def _not_public(why: str) -> Rejected:
    message = f"The URL cannot be a webhook: {why}."
    return Rejected(message, problem="webhook-not-public")
