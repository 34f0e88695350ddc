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
from lockgate.core.surrogates import mend
from lockgate.errors import InvalidRequest

MAX_DEPTH = 200
"""How deep arrays and objects may nest."""

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST = re.compile(rb"\{\}|\[\]")
_PATH = re.compile(r" - at `\$?(?P<path>[^`]*)`$")
_NOTHING = NOTHING = Raw(b"")
"""What a field holds that the body does not have."""
_MARK_BYTES = 64
"""So much of the start of a part finds its place; all of it is compared there."""
_SHORT_BYTES = 1024
"""Up to here counting each byte is quicker than jumping from one bracket to the next."""


class StreamOptions(Struct, frozen=True, gc=False):
    """``stream_options`` of a chat call."""

    include_usage: bool | None = None


class Peek(Struct, frozen=True, gc=False):
    """The top-level fields that routing, limits and records need, whatever the dialect.

    Those that are ``Raw`` are only cut out, not judged: what they hold is for whoever asks.
    """

    model: Raw = _NOTHING
    stream: bool | None = None
    max_tokens: int | float | None = None
    max_completion_tokens: int | float | None = None
    max_output_tokens: Raw = _NOTHING
    max_new_tokens: Raw = _NOTHING
    n_predict: Raw = _NOTHING
    n: Raw = _NOTHING
    best_of: Raw = _NOTHING
    num_return_sequences: Raw = _NOTHING
    prediction: Raw = _NOTHING
    stream_options: StreamOptions | None = None
    betas: Raw = _NOTHING
    anthropic_beta: Raw = _NOTHING
    anthropic_version: Raw = _NOTHING
    thread: Raw = _NOTHING
    mcp_servers: Raw = _NOTHING
    container: Raw = _NOTHING
    context_management: Raw = _NOTHING
    previous_response_id: Raw = _NOTHING
    messages: Raw = _NOTHING
    tools: Raw = _NOTHING
    fallbacks: Raw = _NOTHING
    service_tier: Raw = _NOTHING
    speed: Raw = _NOTHING
    temperature: Raw = _NOTHING
    top_p: Raw = _NOTHING
    output_format: Raw = _NOTHING
    output_config: Raw = _NOTHING
    user: Raw = _NOTHING

    @property
    def is_stream(self) -> bool:
        """Whether the client asked for a stream."""
        return self.stream is True


NO_BODY = b"{}"
NOTHING_SEEN = Peek()
"""For calls whose body says nothing to routing."""

_read_peek = msgspec.json.Decoder(Peek).decode
_read_list = msgspec.json.Decoder(list[Raw]).decode
_read_text = msgspec.json.Decoder(str).decode
_read_name = lru_cache(maxsize=4096)(_read_text)
_MAX_NAME_BYTES = 256
_write = msgspec.json.Encoder().encode


def peek(body: bytes) -> Peek:
    """Read the routing fields of a JSON object. Raises InvalidRequest with the byte or the path of the fault.

    Fields of a body with lone surrogates are mended ones; their lengths and places are those of the body.
    """
    try:
        seen = _read_peek(body)
    except msgspec.ValidationError as error:
        raise bad_body(error, len(body)) from None
    except msgspec.DecodeError as error:
        seen = _peek_mended(body, error)
    except RecursionError:
        raise too_deep() from None
    check_depth(body, seen.messages, seen.tools)
    return seen


def peek_own(body: bytes) -> Peek:
    """Read the same fields of a body that this program wrote: it is valid JSON of a known depth."""
    return _read_peek(body)


def _peek_mended(body: bytes, error: msgspec.DecodeError) -> Peek:
    mended = mend(body)
    if mended is None:
        raise bad_body(error, len(body)) from None
    try:
        return _read_peek(mended)
    except msgspec.MsgspecError as further:
        raise bad_body(further, len(body)) from None


class _ErrorObject(Struct, frozen=True, gc=False):
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


def user_name(seen: Peek) -> str | None:
    """Return the end user whom a body names, None when that is no text."""
    raw = bytes(seen.user)
    if not raw:
        return None
    try:
        return _read_text(raw) or None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class _UserId(Struct, frozen=True, gc=False):
    user_id: object = None


class _Identified(Struct, frozen=True, gc=False):
    metadata: _UserId | None = None
    safety_identifier: object = None


_read_identified = msgspec.json.Decoder(_Identified).decode


def user_id(body: bytes) -> str | None:
    """Return the id by which a body names its end user, ``metadata.user_id`` or ``safety_identifier``; None without."""
    try:
        found = _read_identified(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    said = (found.metadata.user_id if found.metadata is not None else None, found.safety_identifier)
    return next((one for one in said if isinstance(one, str) and one), None)


def model_name(seen: Peek) -> str | None:
    """Return the model as text, None when there is none. Raises InvalidRequest when it is not text."""
    raw = bytes(seen.model)
    if not raw or raw == b"null":
        return None
    try:
        return _read_name(raw) if len(raw) <= _MAX_NAME_BYTES else _read_text(raw)
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


def check_depth(body: bytes, *lists: Raw) -> None:
    """Raise InvalidRequest when arrays and objects nest deeper than MAX_DEPTH. ``body`` must be valid JSON.

    Few bodies hold more brackets than the limit, so counting them (with a cap) settles most cases. Long conversations
    hold more: the ``lists`` are parts of the body whose items are judged one by one, which is cheaper than all at once.
    """
    if _count_brackets(body, MAX_DEPTH) < MAX_DEPTH:
        return
    if not _is_shallow(body, lists) and not _fits(body, MAX_DEPTH):
        raise too_deep()


def _is_shallow(body: bytes, lists: tuple[Raw, ...]) -> bool:
    """Tell whether the brackets around the lists and the depth of their items are within the limit together."""
    levels = MAX_DEPTH
    items: list[Raw] = []
    rest = [body]
    for raw in lists:
        data = bytes(raw)
        if data[:1] != b"[":
            continue
        cut = _cut_out(data, rest)
        if cut is None:
            return False
        rest, items = cut, items + _read_list(data)
        levels -= 1
    for piece in rest:
        levels -= _count_brackets(piece, levels)
    texts = map(bytes, items)
    return levels > 0 and all(_count_brackets(text, levels) < levels or _fits(text, levels) for text in texts)


def _cut_out(part: bytes, pieces: list[bytes]) -> list[bytes] | None:
    """Return the pieces without the part, None when it cannot be told where it stands."""
    for number, piece in enumerate(pieces):
        at = piece.find(part[:_MARK_BYTES])
        end = at + len(part)
        if at >= 0 and piece[at:end] == part:
            return [*pieces[:number], piece[:at], piece[end:], *pieces[number + 1 :]]
    return None


def _fits(data: bytes, levels: int) -> bool:
    """Tell exactly whether a text nests at most so deep."""
    outside = data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(None, _NOT_BRACKETS)
    for _ in range(levels):
        brackets = _INNERMOST.sub(b"", brackets)
        if not brackets:
            return True
    return not brackets


def _count_brackets(data: bytes, cap: int) -> int:
    """Count the brackets that open something, but no further than the cap."""
    if len(data) < _SHORT_BYTES:
        return min(cap, data.count(b"{") + data.count(b"["))
    objects = _count(data, b"{", cap)
    return objects + _count(data, b"[", cap - objects)


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
