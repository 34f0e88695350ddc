"""Header hygiene both ways: what we read from a client, what goes upstream, what comes back.

Source: gateway protocol specification, sections 2.4 (values), 2.5 (upstream) and 5.1 (responses).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from lockgate.core.http import Headers
from lockgate.errors import InvalidRequest

_DROPPED_FROM_UPSTREAM = frozenset(
    name.encode()
    for name in (
        "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
        "upgrade content-length content-encoding set-cookie set-cookie2 server date via alt-svc "
        "strict-transport-security content-security-policy nel report-to expect-ct x-frame-options "
        "access-control-allow-origin access-control-allow-credentials access-control-allow-headers "
        "access-control-allow-methods access-control-expose-headers access-control-max-age "
        "location refresh cf-ray cf-cache-status cf-mitigated server-timing content-type retry-after retry-after-ms "
        "cache-control x-accel-buffering"
    ).split()
)
_DROPPED_PREFIXES = (b"x-portkey-", b"x-lockgate-", b"cf-")
_NEVER_FORWARDED = frozenset(
    "metadata-flavor x-aws-ec2-metadata-token x-google-metadata-request host content-length connection keep-alive te "
    "trailer transfer-encoding upgrade expect accept-encoding proxy-authorization proxy-connection cookie".split()
)
_NOT_ALNUM = re.compile(r"[^a-z0-9]")
_NEVER_FORWARDED_LETTERS = frozenset(_NOT_ALNUM.sub("", name) for name in _NEVER_FORWARDED)
_NO_NAMES: frozenset[bytes] = frozenset()
_MAX_RETRY_AFTER_S = 60.0
_HEADER_NAME = re.compile(r"^[a-z0-9_-]+$", re.ASCII)
_LIST_ITEM = re.compile(r"""["']([^"']*)["']|([^,\[\]"']+)""")


def read_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by name; repeated ones are joined with a comma, empty ones are left out."""
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name in found:
            found[name] += b", " + value
        elif value:
            found[name] = value
    return found


def text_of(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    """Return a header's value as text without surrounding space, None when absent or empty."""
    value = headers.get(name)
    if value is None:
        return None
    return decode(value).strip() or None


def decode(value: bytes) -> str:
    """Read a header value: UTF-8 if it is that, else Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def flag_of(headers: Mapping[bytes, bytes], *names: bytes) -> bool | None:
    """Return a boolean header, None when it is absent or neither ``true`` nor ``false``."""
    for name in names:
        value = (text_of(headers, name) or "").lower()
        if value in ("true", "false"):
            return value == "true"
    return None


def list_of(value: str | None) -> tuple[str, ...]:
    """Read a list header: commas, a JSON array or a Python repr of a list."""
    if not value:
        return ()
    if value.startswith("["):
        try:
            return tuple(item.strip() for item in msgspec.json.decode(value, type=list[str]) if item.strip())
        except msgspec.MsgspecError:
            pass
    items = (quoted or plain for quoted, plain in _LIST_ITEM.findall(value))
    return tuple(item.strip() for item in items if item.strip())


def provider_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Return what ``x-portkey-provider`` names, or the old ``x-portkey-mode: proxy <raw provider>``."""
    provider = text_of(headers, b"x-portkey-provider")
    if provider is None:
        mode, _, name = (text_of(headers, b"x-portkey-mode") or "").partition(" ")
        provider = name.strip() or None if mode == "proxy" else None
    return provider


def is_strict(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether strict OpenAI compliance is on: unless the client says false."""
    name, alias = b"x-portkey-strict-open-ai-compliance", b"x-portkey-strict-openai-compliance"
    return flag_of(headers, name, alias) is not False


def forwarded_headers(headers: Mapping[bytes, bytes], is_key: Callable[[bytes], bool]) -> Headers:
    """Return the client headers that ``x-portkey-forward-headers`` names, under the names it uses.

    ``is_key`` tells whether a value is or holds a gateway key: such a header is never forwarded, whatever its name.
    Raises InvalidRequest when the list names itself.
    """
    names = list_of(text_of(headers, b"x-portkey-forward-headers"))
    if not names:
        return []
    by_letters = {_letters(decode(name)): (name, value) for name, value in headers.items()}
    found: Headers = []
    for name in names:
        letters = _letters(name)
        if letters == "xportkeyforwardheaders":
            raise InvalidRequest("x-portkey-forward-headers may not name itself", path="x-portkey-forward-headers")
        pair = by_letters.get(letters)
        if pair is None or letters in _NEVER_FORWARDED_LETTERS or is_key(pair[1]):
            continue
        sent = _sent_name(name.lower(), decode(pair[0]).lstrip("-"))
        if not letters.startswith("xportkey") and _HEADER_NAME.match(sent):
            found.append((sent.encode("ascii"), pair[1]))
    return found


def _sent_name(listed: str, received: str) -> str:
    """The name in the list, unless it has no separator and the received one does."""
    return listed if "-" in listed or "_" in listed or "-" not in received else received


def relayed_headers(upstream: Headers) -> Headers:
    """Return the provider's headers that the client gets: ids and limits, nothing that belongs to a connection."""
    named = header_in(upstream, b"connection")
    hop_by_hop = {name.strip().lower() for name in named.split(b",")} if named else _NO_NAMES
    kept = [
        pair
        for pair in upstream
        if pair[0] not in _DROPPED_FROM_UPSTREAM
        and pair[0] not in hop_by_hop
        and not pair[0].startswith(_DROPPED_PREFIXES)
    ]
    names = {name for name, _ in kept}
    if b"request-id" in names and b"x-request-id" not in names:
        kept.append((b"x-request-id", next(v for n, v in kept if n == b"request-id")))
    return kept


def retry_headers(upstream: Headers) -> Headers:
    """Return ``retry-after`` and ``retry-after-ms`` with waits of at most 60 s.

    Newer SDKs obey any value, so a longer one would hang the caller. Source: SDK addendum, section 1.4.
    """
    kept: dict[bytes, bytes] = {}
    for name, value in upstream:
        if name not in (b"retry-after", b"retry-after-ms"):
            continue
        try:
            seconds = float(value) / (1000 if name == b"retry-after-ms" else 1)
        except ValueError:
            continue
        if 0 <= seconds <= _MAX_RETRY_AFTER_S:
            kept[name] = value
        else:
            kept[b"retry-after"] = b"%d" % _MAX_RETRY_AFTER_S
    return list(kept.items())


def header_in(headers: Headers, name: bytes) -> bytes | None:
    """Return the first header of a name, None when there is none."""
    for found, value in headers:
        if found == name:
            return value
    return None


def _letters(name: str) -> str:
    return _NOT_ALNUM.sub("", name.lower())
