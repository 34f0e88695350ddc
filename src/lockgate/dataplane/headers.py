"""Header hygiene both ways: what we read from a client, what goes upstream, what comes back.

Source: gateway protocol specification, sections 2.4 (values), 2.5 (upstream) and 5.1 (responses).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from math import ceil

import msgspec

from lockgate.core.http import Headers
from lockgate.dialects import NO_WISHES, TierMapping, Wishes
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
_TIER_MAPPING = b"x-lockgate-anthropic-service-tier-mapping"
_FORCED_TOOL_CHOICE = b"x-lockgate-forced-tool-choice"
_REPAIR_TOOL_HISTORY = b"x-lockgate-repair-tool-history"
_SYSTEM_TURNS = b"x-lockgate-mid-conversation-system"
_WISH_HEADERS = frozenset({_TIER_MAPPING, _FORCED_TOOL_CHOICE, _REPAIR_TOOL_HISTORY, _SYSTEM_TURNS})
_TIERS: dict[str, TierMapping] = {"speed": "speed", "native": "native"}
_CHAT_LIMITS = {
    f"anthropic-ratelimit-{kind}-{value}".encode(): f"x-ratelimit-{value}-{kind}".encode()
    for kind in ("requests", "tokens")
    for value in ("limit", "remaining", "reset")
}
_NOT_ALNUM = re.compile(r"[^a-z0-9]")
_NEVER_FORWARDED_LETTERS = frozenset(_NOT_ALNUM.sub("", name) for name in _NEVER_FORWARDED)
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
        if name not in headers:
            continue
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


def normalizes_finish(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether chat clients are told in OpenAI's words why the model stopped, however strict they are."""
    return flag_of(headers, b"x-lockgate-normalize-finish-reason") is True


def maps_thinking(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether ``thinking`` becomes an effort where a provider knows no thinking."""
    return flag_of(headers, b"x-lockgate-map-thinking") is True


def wishes_of(headers: Mapping[bytes, bytes]) -> Wishes:
    """Return what is asked of the way in which calls are written for Claude; unknown words ask for nothing."""
    if _WISH_HEADERS.isdisjoint(headers):
        return NO_WISHES
    wishes = Wishes(
        tiers=_TIERS.get(_word(headers, _TIER_MAPPING), "auto"),
        passes_forced_tools=_word(headers, _FORCED_TOOL_CHOICE) == "pass",
        repairs_tool_history=flag_of(headers, _REPAIR_TOOL_HISTORY) is True,
        keeps_system_turns=flag_of(headers, _SYSTEM_TURNS) is True,
    )
    return NO_WISHES if wishes == NO_WISHES else wishes


def _word(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return (text_of(headers, name) or "").lower()


def forwarded_headers(headers: Mapping[bytes, bytes], is_key: Callable[[bytes], bool]) -> Headers:
    """Return the client headers that ``x-portkey-forward-headers`` names, under the names it uses.

    ``is_key`` tells whether a value is or holds a gateway key: such a header is never forwarded, whatever its name.
    Raises InvalidRequest when the list names itself.
    """
    if b"x-portkey-forward-headers" not in headers:
        return []
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
    kept = [pair for pair in upstream if _is_relayed(pair[0])]
    named = header_in(upstream, b"connection")
    if named and named != b"keep-alive":
        hop_by_hop = {name.strip().lower() for name in named.split(b",")}
        kept = [pair for pair in kept if pair[0] not in hop_by_hop]
    request_id = header_in(kept, b"request-id")
    if request_id is not None and header_in(kept, b"x-request-id") is None:
        kept.append((b"x-request-id", request_id))
    return kept


def limits_for_chat(upstream: Headers, now_s: float) -> Headers:
    """Return Claude's limits of requests and tokens under the names of OpenAI's API; what is there already is left out.

    OpenAI tells as ``6s`` how long it is until a limit is whole again, where Anthropic tells the moment.
    """
    told: Headers = []
    for name, value in upstream:
        chat_name = _CHAT_LIMITS.get(name)
        if chat_name is None or header_in(upstream, chat_name) is not None:
            continue
        if name.endswith(b"-reset"):
            try:
                reset_s = datetime.fromisoformat(value.decode("ascii")).timestamp()
            except ValueError:
                continue
            value = b"%ds" % max(0, ceil(reset_s - now_s))
        told.append((chat_name, value))
    return told


@lru_cache(maxsize=1024)
def _is_relayed(name: bytes) -> bool:
    return name not in _DROPPED_FROM_UPSTREAM and not name.startswith(_DROPPED_PREFIXES)


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


def spent_headers(upstream: Headers) -> Headers:
    """Return what keeps a client from asking a spent credential again; the provider's own word on it goes before ours.

    No wait of a minute helps against a limit of a month. Source: SDK addendum, sections 1.4 and 2.8.
    """
    return [] if header_in(upstream, b"x-should-retry") else [(b"x-should-retry", b"false")]


def header_in(headers: Headers, name: bytes) -> bytes | None:
    """Return the first header of a name, None when there is none."""
    for found, value in headers:
        if found == name:
            return value
    return None


def _letters(name: str) -> str:
    return _NOT_ALNUM.sub("", name.lower())
