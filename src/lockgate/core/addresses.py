"""How much of a client's address may be kept. What is no IP address is never kept."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_V4_BITS, _V6_BITS = 24, 48


@lru_cache(maxsize=4096)
def full_address(text: str) -> str | None:
    """Return an address as it is written shortest."""
    address = _read(text)
    return str(address) if address is not None else None


@lru_cache(maxsize=4096)
def truncated_address(text: str) -> str | None:
    """Return the network of an address: ``203.0.113.0/24``, ``2001:db8:1::/48``."""
    address = _read(text)
    if address is None:
        return None
    bits = _V4_BITS if isinstance(address, IPv4Address) else _V6_BITS
    return str(ip_network((address, bits), strict=False))


@lru_cache(maxsize=4096)
def hashed_address(text: str, salt: bytes) -> str | None:
    """Return 16 hexadecimal digits that stand for an address as long as the salt stays the same."""
    address = _read(text)
    return blake2b(address.packed, key=salt, digest_size=8).hexdigest() if address is not None else None


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
