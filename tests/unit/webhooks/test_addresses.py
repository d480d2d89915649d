from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.webhooks.addresses import is_loopback, is_public

INSIDE = {
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0"],
    "metadata": ["169.254.169.254", "fd00:ec2::254"],
    "Azure's platform": ["168.63.129.16"],
    "carrier-grade NAT": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "5f00::1", "4000::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "unique-local": ["fc00::1", "fdff::1"],
    "site-local": ["fec0::1"],
    "IPv4-mapped": ["::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8"],
    "IPv4-compatible": ["::10.0.0.1", "::7f00:1"],
    "IPv4-translated": ["::ffff:0:10.0.0.1"],
    "6to4": ["2002:a00:1::1", "2002:7f00:1::1"],
    "Teredo": ["2001::1", "2001:0:a00:1::f5ff:fffe"],
    "NAT64 of the inside": ["64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::168.63.129.16"],
    "local NAT64": ["64:ff9b:1::8.8.8.8"],
    "no address": ["", "localhost", "010.0.0.1", "0x7f.1", "2130706433", "127.1", "1.2.3.4/8"],
}


@pytest.mark.parametrize(
    "address", [pytest.param(a, id=f"{kind}: {a}") for kind, some in INSIDE.items() for a in some]
)
def test_what_is_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "20.50.2.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "172.15.255.255",
        "172.32.0.0",
        "223.255.255.255",
        "2603:1030::1",
        "2a00:1450:4001:81b::200e",
        "64:ff9b::8.8.8.8",
    ],
)
def test_what_is_outside_is_public(address: str) -> None:
    assert is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_nothing_is_public_that_the_standard_library_knows_to_be_special(number: int) -> None:
    address = IPv4Address(number)
    assert not is_public(str(address)) or (address.is_global and not address.is_multicast)


@given(st.one_of(st.integers(0, 2**128 - 1), st.integers(2**125, 2**126 - 1)))
def test_nor_is_any_such_ipv6_address(number: int) -> None:
    address = IPv6Address(number)
    assert not is_public(str(address)) or (address.is_global and not address.is_multicast)


@given(st.ip_addresses(v=4))
def test_nat64_is_as_public_as_what_it_carries(inner: IPv4Address) -> None:
    assert is_public(f"64:ff9b::{inner}") == is_public(str(inner))


@given(st.ip_addresses(v=4))
def test_no_other_wrapping_makes_an_address_public(inner: IPv4Address) -> None:
    number = int(inner)
    wrapped = [
        f"::{inner}",
        f"::ffff:{inner}",
        f"::ffff:0:{inner}",
        str(IPv6Address((0x2002 << 112) | (number << 80) | 1)),
        str(IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF))),
        f"64:ff9b:1::{inner}",
    ]
    assert [address for address in wrapped if is_public(address)] == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("::1%lo", False),
        ("localhost", False),
    ],
)
def test_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
    assert not (expected and is_public(address))


def test_every_spelling_of_an_address_is_judged_alike() -> None:
    spellings = ["0:0:0:0:0:FFFF:0A00:0001", "::FFFF:a00:1", "::ffff:10.0.0.1"]
    assert {ip_address(spelling) for spelling in spellings} == {ip_address(spellings[0])}
    assert [is_public(spelling) for spelling in spellings] == [False, False, False]
