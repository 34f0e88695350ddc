"""A JSON request body seen from outside: what routing must know of it, and how to change one value in place.

The byte path forwards a client's bytes. So nothing here re-encodes: ``peek`` reads a few top-level fields,
``splice_model`` replaces the model's value and leaves every other byte as it was.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from lockgate.core.json_edit import read_members, skip_space
from lockgate.errors import InvalidRequest

MAX_DEPTH = 200
"""How deep arrays and objects may nest."""

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST = re.compile(rb"\{\}|\[\]")
_PATH = re.compile(r" - at `\$?(?P<path>[^`]*)`$")
_NOTHING = Raw(b"")


class StreamOptions(Struct, frozen=True):
    """``stream_options`` of a chat call."""

    include_usage: bool | None = None


class Peek(Struct, frozen=True):
    """The top-level fields that routing, limits and records need, whatever the dialect.

    Those that are ``Raw`` are only cut out, not judged: what they hold is for whoever asks.
    """

    model: Raw = _NOTHING
    stream: bool | None = None
    max_tokens: int | float | None = None
    max_completion_tokens: int | float | None = None
    stream_options: StreamOptions | None = None
    betas: Raw = _NOTHING
    anthropic_beta: Raw = _NOTHING
    anthropic_version: Raw = _NOTHING
    thread: Raw = _NOTHING
    messages: Raw = _NOTHING
    tools: Raw = _NOTHING
    fallbacks: Raw = _NOTHING
    temperature: Raw = _NOTHING
    top_p: Raw = _NOTHING
    output_format: Raw = _NOTHING
    output_config: Raw = _NOTHING

    @property
    def is_stream(self) -> bool:
        """Whether the client asked for a stream."""
        return self.stream is True


_read_peek = msgspec.json.Decoder(Peek).decode
_read_text = msgspec.json.Decoder(str).decode
_write = msgspec.json.Encoder().encode


def peek(body: bytes) -> Peek:
    """Read the routing fields of a JSON object. Raises InvalidRequest with the byte or the path of the fault."""
    try:
        seen = _read_peek(body)
    except msgspec.MsgspecError as error:
        raise bad_body(error, len(body)) from None
    except RecursionError:
        raise too_deep() from None
    check_depth(body)
    return seen


class _ErrorObject(Struct, frozen=True):
    error: dict[str, Raw]


_read_error_object = msgspec.json.Decoder(_ErrorObject).decode


def is_error_object(body: bytes) -> bool:
    """Tell whether a body is a JSON object with an ``error`` object in it, as SDKs want it."""
    try:
        _read_error_object(body)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def bad_body(error: msgspec.MsgspecError, size_bytes: int) -> InvalidRequest:
    """Turn a decoder's complaint into a client error: the path for a wrong type, the byte for malformed JSON."""
    text = str(error)
    found = _PATH.search(text)
    if isinstance(error, msgspec.ValidationError):
        path = found["path"].lstrip(".") if found else ""
        message = text[: found.start()] if found else text
        where = f"{path}: " if path else "the body: "
        return InvalidRequest(where + message[:1].lower() + message[1:], path=path or None)
    if size_bytes == 0:
        return InvalidRequest("The body is empty; a JSON object was expected")
    reason = text.removeprefix("JSON is malformed: ")
    if "(byte " not in reason:
        reason = f"{reason[:1].lower()}{reason[1:]} (byte {size_bytes})"
    return InvalidRequest(f"The body is not valid JSON: {reason}")


def model_name(seen: Peek) -> str | None:
    """Return the model as text, None when there is none. Raises InvalidRequest when it is not text."""
    raw = bytes(seen.model)
    if not raw or raw == b"null":
        return None
    try:
        return _read_text(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidRequest("model: expected a string in UTF-8", path="model") from None


def splice_model(body: bytes, seen: Peek, model: str) -> bytes:
    """Replace the model's value by ``model`` and leave every other byte as it is."""
    old = bytes(seen.model)
    at = body.find(old)
    if body.find(old, at + 1) >= 0:
        at = _model_offset(body)
    return b"".join((body[:at], _json_text(model), body[at + len(old) :]))


@lru_cache(maxsize=4096)
def _json_text(text: str) -> bytes:
    return _write(text)


def remove_members(body: bytes, names: frozenset[str]) -> bytes:
    """Cut top-level members out of a JSON object; the others keep their bytes, the space between them goes."""
    kept = (body[m.start : skip_space(body, m.end)] for m in read_members(body) if m.key not in names)
    return b"{" + b",".join(kept) + b"}"


def _model_offset(body: bytes) -> int:
    """Find where the value of the last top-level ``model`` key begins."""
    offsets = [member.value for member in read_members(body) if member.key == "model"]
    if not offsets:
        raise InvalidRequest("model: expected a string", path="model")
    return offsets[-1]


def check_depth(body: bytes) -> None:
    """Raise InvalidRequest when arrays and objects nest deeper than MAX_DEPTH. ``body`` must be valid JSON.

    Few bodies hold more brackets than the limit, so counting them (with a cap) settles almost every case.
    """
    objects = _count(body, b"{", MAX_DEPTH)
    if objects + _count(body, b"[", MAX_DEPTH - objects) < MAX_DEPTH:
        return
    outside = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = _INNERMOST.sub(b"", brackets)
        if not brackets:
            return
    raise too_deep()


def _count(body: bytes, byte: bytes, cap: int) -> int:
    """Count a byte, but no further than the cap. ``find`` jumps from one to the next; ``count`` looks at each byte."""
    at = -1
    for found in range(cap):
        at = body.find(byte, at + 1)
        if at < 0:
            return found
    return cap


def too_deep() -> InvalidRequest:
    return InvalidRequest(f"The body nests deeper than {MAX_DEPTH} levels")
