"""Which IP addresses are on the public internet.

`ipaddress.is_global` is not asked: what it knows differs between patch releases of Python, and it
lets through IPv6 forms that carry an IPv4 address inside. Source: IANA's registries of
special-purpose addresses for IPv4 and IPv6, and what Azure reserves for its platform.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NOT_PUBLIC_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform: DNS, health probes, guest agent
        "169.254.0.0/16",  # link-local; 169.254.169.254 hands out credentials
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunnelling
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)

_PUBLIC_V6 = IPv6Network("2000::/3")
"""Global unicast. Whatever else there is, or will be, in IPv6 is not public: loopback, mapped and
compatible IPv4, unique-local, link-local, site-local, multicast, local NAT64, …"""

_NOT_PUBLIC_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo and ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

_NAT64 = IPv6Network("64:ff9b::/96")
"""How a network without IPv4 reaches IPv4: the last 32 bits are the address meant."""


def is_public(address: str) -> bool:
    """Whether `address`, an IP address as resolvers write it, is one on the public internet."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        if parsed in _NAT64:
            return _is_public_v4(IPv4Address(int(parsed) & 0xFFFF_FFFF))
        return parsed in _PUBLIC_V6 and not any(parsed in network for network in _NOT_PUBLIC_V6)
    return parsed is not None and _is_public_v4(parsed)


def is_loopback(address: str) -> bool:
    """Whether `address` is 127.0.0.0/8 or ::1; forms that only contain one of these are not."""
    parsed = _parsed(address)
    return (
        parsed is not None and parsed.is_loopback and getattr(parsed, "ipv4_mapped", None) is None
    )


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_V4)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """None for what is no address, or is one only together with a network interface (`%eth0`)."""
    if "%" in address:
        return None
    try:
        return ip_address(address)
    except ValueError:
        return None
