"""May we connect to a place that a client chose? Pure checks on URLs, names and addresses, no input or output.

``check_url`` reads what the client wrote; ``check_address`` judges what a name resolved to. Both raise
InvalidRequest and say nothing that the client did not know: no address that our resolver found is in a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import NoReturn

from lockgate.core.http import Origin
from lockgate.errors import InvalidRequest
from lockgate.transport.blocked_hosts import (
    NEVER_IPV4,
    NEVER_IPV6,
    NEVER_NAMES,
    NEVER_PORTS,
    NEVER_SUFFIXES,
    UNTRUSTED_IPV4,
    UNTRUSTED_IPV6,
    UNTRUSTED_TOP_LABELS,
)

URL_LIMIT = 2048
"""Longest URL that a client may give, in characters."""

DEFAULT_PATH = "x-portkey-custom-host"

_NOWHERE = "invalid"
"""The last label of names that lead nowhere by definition. Source: RFC 6761, section 6.4."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(?:[/?#].*)?", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


def check_url(url: str, trusted: frozenset[str], *, path: str = DEFAULT_PATH) -> Origin:
    """Return the guarded origin of a client-chosen URL, or refuse it. ``trusted`` comes from ``trusted_set``.

    Names still have to be resolved and each address checked; the pool does that for guarded origins.
    """
    if len(url) > URL_LIMIT:
        _refuse(f"the URL is longer than {URL_LIMIT} characters", path)
    if _UNSAFE.search(url):
        _refuse("the URL holds a space, a backslash or a control character", path)
    match = _URL.fullmatch(url)
    if match is None:
        _refuse("it is not an absolute URL", path)
    scheme = match[1].lower()
    if scheme not in _DEFAULT_PORTS:
        _refuse("only http and https are allowed", path)
    host, port = _read_authority(match[2], _DEFAULT_PORTS[scheme], path)
    check_host(host, port, trusted, path=path)
    return Origin(scheme=scheme, host=host, port=port, guarded=True)


def check_host(host: str, port: int, trusted: frozenset[str], *, path: str = DEFAULT_PATH) -> None:
    """Refuse a normalised host and port that may not be reached, whatever the name resolves to."""
    if not 0 < port < 65536 or port in NEVER_PORTS:
        _refuse("this port is not allowed", path)
    address = read_address(host)
    if address is not None:
        check_address(host, is_trusted=is_trusted(host, trusted), path=path)
        return
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse("the host name is not valid", path)
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        _refuse("IP addresses must be written in their plain form", path)
    if any(label.startswith("xn--") for label in labels):
        _refuse("internationalised host names are not allowed", path)
    if _is_never_name(host):
        _refuse("this host is never allowed", path)
    if labels[-1] == _NOWHERE and not is_trusted(host, trusted):
        _refuse(f"names that end in .{_NOWHERE} do not resolve", path)
    if labels[-1] in UNTRUSTED_TOP_LABELS and not is_trusted(host, trusted):
        _refuse(
            f"names that end in .{labels[-1]} belong to private networks; server.trusted_custom_hosts can allow it",
            path,
        )


def check_address(address: str, *, is_trusted: bool, path: str = DEFAULT_PATH) -> None:
    """Refuse an IP address that may not be connected to. A trusted host may be private, never a metadata service."""
    parsed = read_address(address.partition("%")[0])
    if parsed is None or _is_never_address(parsed):
        _refuse("it leads to an address that is never allowed", path)
    if not is_trusted and _is_untrusted_address(parsed):
        _refuse("it leads to an address that is not public (server.trusted_custom_hosts can allow it)", path)


def trusted_set(entries: Iterable[str]) -> frozenset[str]:
    """Return the trusted hosts in normal form, without those that overlap what is never allowed.

    An entry is a host, an IP address, or ``*.domain`` for a domain and everything below it.
    """
    normal = (_normal_entry(entry) for entry in entries)
    return frozenset(entry for entry in normal if entry and not _overlaps_never(entry))


def is_trusted(host: str, trusted: frozenset[str]) -> bool:
    """Tell whether the operator trusts this host: by itself, by ``*.domain``, or below a trusted ``localhost``."""
    if host in trusted or (host.endswith(".localhost") and "localhost" in trusted):
        return True
    if read_address(host) is not None:
        return False
    labels = host.split(".")
    return any("*." + ".".join(labels[start:]) in trusted for start in range(len(labels)))


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address when the text is one in its plain form, else None."""
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except ValueError:
        return None


def _read_authority(authority: str, default_port: int, path: str) -> tuple[str, int]:
    if "@" in authority:
        _refuse("user names and passwords in the URL are not allowed", path)
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        _refuse("the URL has no valid host and port", path)
    port = int(match[3]) if match[3] else default_port
    if match[1]:
        address = read_address(match[1])
        if not isinstance(address, IPv6Address):
            _refuse("the IPv6 address is not valid", path)
        return str(address), port
    return match[2].lower().removesuffix("."), port


def _refuse(reason: str, path: str) -> NoReturn:
    raise InvalidRequest(f"custom host refused: {reason}", path=path)


def _is_never_name(host: str) -> bool:
    if host in NEVER_NAMES:
        return True
    labels = host.split(".")
    return any(".".join(labels[start:]) in NEVER_SUFFIXES for start in range(len(labels)))


def _is_never_address(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in NEVER_IPV4)
    if any(address in network for network in NEVER_IPV6):
        return True
    return any(_is_never_address(inner) for inner in _embedded(address))


def _is_untrusted_address(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in UNTRUSTED_IPV4)
    if any(address in network for network in UNTRUSTED_IPV6):
        return True
    return any(_is_untrusted_address(inner) for inner in _embedded(address))


def _embedded(address: IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that translators and tunnels would read out of an IPv6 address."""
    bits = int(address)
    high, low = bits >> 32, bits & 0xFFFFFFFF
    found = []
    # compatible, mapped, translated (RFC 2765), NAT64 (RFC 6052, RFC 8215), ISATAP (RFC 5214)
    if high in (0x0, 0xFFFF, 0xFFFF0000, 0x64FF9B << 64) or bits >> 80 == 0x64FF9B0001 or high & 0xFDFFFFFF == 0x5EFE:
        found.append(IPv4Address(low))
    if bits >> 112 == 0x2002:  # 6to4
        found.append(IPv4Address((bits >> 80) & 0xFFFFFFFF))
    if bits >> 96 == 0x20010000:  # Teredo: the server, and the client with its bits turned over
        found += [IPv4Address((bits >> 64) & 0xFFFFFFFF), IPv4Address(low ^ 0xFFFFFFFF)]
    return found


def _normal_entry(entry: str) -> str:
    text = entry.strip().lower().removesuffix(".")
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    address = read_address(bare)
    return str(address) if address is not None else text


def _overlaps_never(entry: str) -> bool:
    address = read_address(entry)
    if address is not None:
        return _is_never_address(address)
    if not entry.startswith("*."):
        return entry == "*" or _is_never_name(entry)
    domain = entry[2:]
    below = "." + domain
    return _is_never_name(domain) or any(name.endswith(below) for name in NEVER_SUFFIXES)
