"""JSON as this dialect needs it: faults with their path, lone surrogates mended, one ASCII line for streams.

Belongs here: the text of JSON. Does not belong here: what any field means.
"""

from __future__ import annotations

import re
from json.encoder import encode_basestring_ascii
from typing import TypeVar

import msgspec
from msgspec import Raw

from lockgate.core.body import bad_body, too_deep
from lockgate.errors import InvalidRequest, Malformed

T = TypeVar("T")

ABSENT = Raw(b"")
"""The default of a Raw field: the key was not there."""

NULL = Raw(b"null")
_MISSING = re.compile(r"missing required field `([^`]+)`")
# A pair of surrogates, a lone one, or any other escape (so that a backslash before them is not misread).
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")

write_json = msgspec.json.Encoder().encode
_object_decoder = msgspec.json.Decoder(dict[str, Raw])
_text_decoder = msgspec.json.Decoder(str)
_list_decoder = msgspec.json.Decoder(list[Raw])


def given(raw: Raw) -> Raw | None:
    """Return None for a key that was absent or null, else its value."""
    return None if raw is ABSENT or raw == NULL else raw


def decode(decoder: msgspec.json.Decoder[T], data: bytes | Raw) -> T:
    """Decode; lone surrogates, which no text can hold, become U+FFFD."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = _ESCAPES.sub(lambda found: b"\\ufffd" if found["lone"] else found.group(), bytes(data))
        if mended == data:
            raise
        return decoder.decode(mended)


def decode_input(decoder: msgspec.json.Decoder[T], data: bytes | Raw, path: str = "") -> T:
    """Decode what a client wrote below ``path``. Raises InvalidRequest with the path, or the byte, of the fault."""
    try:
        return decode(decoder, data)
    except msgspec.MsgspecError as error:
        fault = bad_body(error, len(bytes(data)))
        if not isinstance(error, msgspec.ValidationError):
            raise fault from None
        raise _wrong_type(fault, path) from None
    except UnicodeDecodeError:
        at = _bad_byte(bytes(data))
        raise InvalidRequest(f"The body is not valid UTF-8 (byte {at})", path=path or None) from None
    except RecursionError:
        raise too_deep() from None


def _bad_byte(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _wrong_type(fault: InvalidRequest, path: str) -> InvalidRequest:
    inner = fault.path or ""
    reason = fault.message.removeprefix(f"{inner}: ").removeprefix("the body: ")
    missing = _MISSING.search(reason)
    if missing is not None:
        inner = f"{inner}.{missing[1]}".lstrip(".")
        reason = "this field is required"
    return refuse(join(path, inner), reason)


def join(path: str, inner: str) -> str:
    """Return a path and what lies below it as one path."""
    return f"{path}{inner}" if not path or not inner or inner.startswith("[") else f"{path}.{inner}"


def refuse(path: str, reason: str) -> InvalidRequest:
    """Return the error for a fault in the client's body."""
    return InvalidRequest(f"{path}: {reason}" if path else f"The body: {reason}", path=path or None)


def decode_upstream(decoder: msgspec.json.Decoder[T], data: bytes | Raw, what: str) -> T:
    """Decode what a provider wrote. Raises Malformed, which never quotes it."""
    try:
        return decode(decoder, data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed(f"Invalid response received from the provider: {what} is not what Messages promises") from None


def object_keys(raw: Raw | bytes) -> dict[str, Raw]:
    """Return the members of a JSON object, an empty dict for anything else."""
    try:
        return decode(_object_decoder, raw)
    except (ValueError, RecursionError):
        return {}


def list_items(raw: Raw | bytes) -> list[Raw]:
    """Return the items of a JSON list, an empty list for anything else."""
    try:
        return decode(_list_decoder, raw)
    except (ValueError, RecursionError):
        return []


def text_of(raw: Raw | bytes | None) -> str | None:
    """Return the text of a JSON string, None for anything else."""
    if raw is None:
        return None
    try:
        return decode(_text_decoder, raw)
    except (ValueError, RecursionError):
        return None


def ascii_string(text: str) -> bytes:
    """Write a JSON string in ASCII: U+2028 and its like end lines in some clients' readers."""
    return encode_basestring_ascii(text).encode("ascii")


def one_line(data: bytes) -> bytes:
    """Return the same JSON in ASCII and without line breaks, fit for a ``data:`` line."""
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.format(data, indent=-1)
    if data.isascii():
        return data
    return _NOT_ASCII.sub(_escape, data.decode("utf-8", "replace")).encode("ascii")


def _escape(found: re.Match[str]) -> str:
    return encode_basestring_ascii(found.group())[1:-1]
