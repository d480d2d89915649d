from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import Rejected
from mesh.webhooks.targets import LONGEST_URL, Target, check_addresses, parse_target


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://example.com", "example.com", 443, "/", "example.com"),
        ("https://example.com/", "example.com", 443, "/", "example.com"),
        ("https://example.com:443/a/b", "example.com", 443, "/a/b", "example.com"),
        ("https://example.com:/a", "example.com", 443, "/a", "example.com"),
        ("https://example.com:8443/a?b=c%20d&e", "example.com", 8443, "/a?b=c%20d&e", None),
        ("https://example.com?x=1", "example.com", 443, "/?x=1", "example.com"),
        ("https://example.com/a?", "example.com", 443, "/a?", "example.com"),
        ("https://example.com/a/../b//c", "example.com", 443, "/a/../b//c", "example.com"),
        ("HTTPS://EXAMPLE.Com/Hook", "example.com", 443, "/Hook", "example.com"),
        ("https://example.com./a", "example.com", 443, "/a", "example.com"),
        ("https://xn--bcher-kva.example/a", "xn--bcher-kva.example", 443, "/a", None),
        ("https://8.8.8.8/a", "8.8.8.8", 443, "/a", "8.8.8.8"),
        ("https://[2A00:1450::1]/a", "2a00:1450::1", 443, "/a", "[2a00:1450::1]"),
        ("https://[2a00:1450:0::1]:9000", "2a00:1450::1", 9000, "/", "[2a00:1450::1]:9000"),
    ],
)
def test_an_https_url_comes_apart(
    url: str, host: str, port: int, path: str, authority: str | None
) -> None:
    target = parse_target(url)
    assert (target.scheme, target.host, target.port, target.path) == ("https", host, port, path)
    assert authority is None or target.authority == authority


REFUSED = {
    "http://example.com/": "does not begin with https://",
    "ftp://example.com/": "does not begin with https://",
    "example.com/hook": "does not begin with https://",
    "//example.com/hook": "does not begin with https://",
    "": "holds characters that no URL has",
    "https:///hook": "'' is not a host name",
    "https:example.com": "'' is not a host name",
    "https://me:pw@example.com/": "holds a user name or password",
    "https://@example.com/": "holds a user name or password",
    "https://example.com@10.0.0.1/": "holds a user name or password",
    "https://example.com/#part": "has a fragment",
    "https://example.com/#": "has a fragment",
    "https://example.com\\@10.0.0.1/": "holds characters that no URL has",
    "https://exam ple.com/": "holds characters that no URL has",
    "https://example.com/\r\nx: y": "holds characters that no URL has",
    "https://example.com/\t": "holds characters that no URL has",
    "https://example.com/\n": "holds characters that no URL has",
    "https://bücher.example/": "in its ASCII form (xn--…)",
    "https://\uff11\uff12\uff17.0.0.1/": "in its ASCII form (xn--…)",
    "https://①②⑦.⓪.⓪.①/": "in its ASCII form (xn--…)",
    "https://example。com/": "in its ASCII form (xn--…)",
    "https://example.com:0x1bb/": "host or port cannot be read",
    "https://example.com:99999/": "host or port cannot be read",
    "https://example.com:-1/": "host or port cannot be read",
    "https://[::1/": "host or port cannot be read",
    "https://[fe80::1%25eth0]/": "percent-encoded, or names a network interface",
    "https://[127.0.0.1]/": "",  # newer releases of Python refuse to read it
    "https://[v1.fe80]/": "is not an IPv6 address",
    "https://2130706433/": "is not an IPv4 address",
    "https://0x7f000001/": "is not an IPv4 address",
    "https://0X7F.0.0.1/": "is not an IPv4 address",
    "https://127.0.0.0x1/": "is not an IPv4 address",
    "https://017700000001/": "is not an IPv4 address",
    "https://0177.0.0.1/": "is not an IPv4 address",
    "https://127.1/": "is not an IPv4 address",
    "https://127.0.0.1../": "is not a host name",
    "https://1.2.3.4.5/": "is not an IPv4 address",
    "https://example.0x/": "is not an IPv4 address",
    "https://127%2e0%2e0%2e1/": "percent-encoded",
    "https://%31%32%37.0.0.1/": "percent-encoded",
    "https://example..com/": "is not a host name",
    "https://.example.com/": "is not a host name",
    "https://-example.com/": "is not a host name",
    "https://exa_mple.com/": "is not a host name",
    "https://exa$mple.com/": "is not a host name",
    f"https://{'a' * 64}.com/": "is not a host name",
    f"https://{'a.' * 130}com/": "is not a host name",
    f"https://example.com/{'a' * LONGEST_URL}": "has 2068 characters; at most 2048",
}


@pytest.mark.parametrize("url", REFUSED, ids=[repr(url[:40]) for url in REFUSED])
def test_any_other_url_is_refused_with_its_reason(url: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_target(url)
    assert refused.value.problem == "invalid-webhook-url"
    assert str(refused.value).startswith("The URL cannot be a webhook: ")
    assert REFUSED[url] in str(refused.value)


@given(st.text(max_size=60).map(lambda text: f"https://{text}"))
def test_whatever_is_asked_is_a_target_or_rejected(url: str) -> None:
    try:
        target = parse_target(url)
    except Rejected:
        return
    assert target.path.startswith("/")
    assert target.host == target.host.lower()
    assert not set(target.host) & set("/?#@%\\[] ")


def test_http_needs_the_setting() -> None:
    target = parse_target("http://localhost:7071/hook", allow_loopback=True)
    assert (target.scheme, target.authority) == ("http", "localhost:7071")
    assert parse_target("http://localhost/", allow_loopback=True).authority == "localhost"


def _https(port: int = 443) -> Target:
    return parse_target(f"https://example.com:{port}/")


PUBLIC = ["8.8.8.8", "2a00:1450::1"]


def test_public_addresses_are_fine() -> None:
    check_addresses(_https(), PUBLIC)


@pytest.mark.parametrize("inside", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00::1", "what"])
def test_one_address_inside_is_enough_to_refuse_and_is_not_told(inside: str) -> None:
    with pytest.raises(Rejected, match=r"example\.com is not on the public") as refused:
        check_addresses(_https(), [*PUBLIC, inside])
    assert refused.value.problem == "webhook-not-public"
    assert inside not in str(refused.value)


def test_a_host_without_address_is_refused() -> None:
    with pytest.raises(Rejected, match="is not on the public internet"):
        check_addresses(_https(), [], allow_loopback=True)


@pytest.mark.parametrize("port", [443, 1024, 8443, 65535])
def test_ports_for_https(port: int) -> None:
    check_addresses(_https(port), PUBLIC)


@pytest.mark.parametrize("port", [0, 22, 25, 80, 1023])
def test_ports_of_other_services(port: int) -> None:
    with pytest.raises(Rejected, match=f"port {port} belongs to another service"):
        check_addresses(_https(port), PUBLIC)


def test_loopback_needs_the_setting() -> None:
    with pytest.raises(Rejected, match="is not on the public internet"):
        check_addresses(_https(80), ["127.0.0.1", "::1"])
    check_addresses(_https(80), ["127.0.0.1", "::1"], allow_loopback=True)


def test_the_setting_opens_loopback_only() -> None:
    for addresses in (["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["127.0.0.1", "8.8.8.8"]):
        with pytest.raises(Rejected):
            check_addresses(_https(), addresses, allow_loopback=True)


def test_http_leads_to_loopback_only() -> None:
    target = parse_target("http://example.com/", allow_loopback=True)
    check_addresses(target, ["127.0.0.1"], allow_loopback=True)
    with pytest.raises(Rejected, match="only that may be told by http://"):
        check_addresses(target, PUBLIC, allow_loopback=True)
