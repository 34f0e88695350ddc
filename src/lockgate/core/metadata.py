"""Metadata of a request: names and values that callers and operators attach to it, merged from several places.

Bad metadata never refuses a request: what cannot be kept is cut or left out, and that it was is told.
Source: gateway protocol specification, sections 6.1 and 6.2; observability specification, section 2.2 (baggage).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import unquote

import msgspec
from msgspec import Struct

Metadata: TypeAlias = Mapping[str, str]
NO_METADATA: Metadata = {}

MAX_KEYS = 256
MAX_KEY_CHARS = 64
MAX_VALUE_CHARS = 128
MAX_BAGGAGE_MEMBERS = 64
MAX_BAGGAGE_CHARS = 8192
_MAX_HEADER_CHARS = 64 * 1024
_TRACING = {
    "traceId": b"x-portkey-trace-id", "trace_id": b"x-portkey-trace-id",
    "spanId": b"x-portkey-span-id", "span_id": b"x-portkey-span-id",
    "parentSpanId": b"x-portkey-parent-span-id", "parent_span_id": b"x-portkey-parent-span-id",
    "spanName": b"x-portkey-span-name", "span_name": b"x-portkey-span-name",
}  # fmt: skip
_OF_TRACEPARENT = frozenset({b"x-portkey-trace-id", b"x-portkey-parent-span-id"})
TRACING_KEYS = frozenset(_TRACING)
"""Names that framework callbacks put into the metadata though they say where in a trace the request belongs."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class ReadMetadata(Struct, frozen=True):
    """What one place said. ``is_cut``: something was too long, too much or no text and did not survive whole."""

    values: Metadata = NO_METADATA
    is_cut: bool = False


def read_metadata(text: str | None) -> ReadMetadata:
    """Read ``x-portkey-metadata``: a JSON object, or a Python dict as some clients print it; else nothing."""
    if not text:
        return ReadMetadata()
    found = _parse(text)
    return clean(found) if isinstance(found, dict) else ReadMetadata()


def clean(found: Mapping[object, object]) -> ReadMetadata:
    """Keep what fits: values become text, long ones are cut, surplus names are left out."""
    values: dict[str, str] = {}
    is_cut = False
    for key, value in found.items():
        if value is None:
            continue
        name = str(key)
        shown = _shown(value)
        if len(values) >= MAX_KEYS or len(name) > MAX_KEY_CHARS:
            is_cut = True
            continue
        is_cut = is_cut or len(shown) > MAX_VALUE_CHARS
        values[name] = shown[:MAX_VALUE_CHARS]
    return ReadMetadata(values, is_cut)


def read_baggage(text: str | None) -> Metadata:
    """Read the W3C ``baggage`` header: percent-decoded pairs, properties ignored."""
    if not text:
        return NO_METADATA
    pairs: dict[str, str] = {}
    for member in text[:MAX_BAGGAGE_CHARS].split(",")[:MAX_BAGGAGE_MEMBERS]:
        name, equals, value = member.partition(";")[0].partition("=")
        name = name.strip()
        if equals and name and len(name) <= MAX_KEY_CHARS:
            pairs[name] = unquote(value.strip())[:MAX_VALUE_CHARS]
    return pairs


def with_user(metadata: Metadata, *candidates: str | None) -> Metadata:
    """Return metadata that says for whom the request is: ``_user``, else the first candidate that there is."""
    if "_user" in metadata:
        return metadata
    user = next((candidate for candidate in candidates if candidate), None)
    return metadata if user is None else {**metadata, "_user": user[:MAX_VALUE_CHARS]}


def tracing_headers(metadata: Metadata, headers: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Return the tracing headers that metadata stands in for: those that the client did not send."""
    if TRACING_KEYS.isdisjoint(metadata):
        return {}
    found: dict[bytes, bytes] = {}
    for key, name in _TRACING.items():
        is_said = name in headers or (name in _OF_TRACEPARENT and b"traceparent" in headers)
        if metadata.get(key) and not is_said:
            found.setdefault(name, metadata[key].encode("utf-8", "replace"))
    return found


def merge(*strongest_first: Metadata) -> Metadata:
    """Merge what several places say; the first to name a key decides its value."""
    given = [place for place in strongest_first if place]
    if len(given) <= 1:
        return given[0] if given else NO_METADATA
    merged: dict[str, str] = {}
    for place in reversed(given):
        merged.update(place)
    return merged


def _parse(text: str) -> object:
    try:
        return _decode(text.encode("utf-8", "surrogateescape"))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        pass
    if len(text) > _MAX_HEADER_CHARS or not text.lstrip().startswith("{"):
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "true" if value else "false"
    try:
        return _encode(value).decode()
    except (TypeError, msgspec.MsgspecError, RecursionError):
        return str(value)
