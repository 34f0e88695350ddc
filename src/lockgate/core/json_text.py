"""JSON as the dialects need it: faults with their path, lone surrogates mended, one ASCII line for streams.

Belongs here: the text of JSON. Does not belong here: what any field means.
"""

from __future__ import annotations

import re
from json.encoder import encode_basestring_ascii
from typing import TypeVar

import msgspec
from msgspec import Raw

from lockgate.core.body import bad_body
from lockgate.core.surrogates import mend
from lockgate.errors import InvalidRequest, Malformed

T = TypeVar("T")

ABSENT = Raw(b"")
"""The default of a Raw field: the key was not there."""

NULL = Raw(b"null")

EMPTY_OBJECT = Raw(b"{}")
"""The input of a tool call without arguments."""

REQUIRED = "this field is required"
"""What a fault says about a field that is missing."""

_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")

write_json = msgspec.json.Encoder().encode
object_decoder = msgspec.json.Decoder(dict[str, Raw])
text_decoder = msgspec.json.Decoder(str)
list_decoder = msgspec.json.Decoder(list[Raw])


# ---- reading


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
        mended = mend(bytes(data))
        if mended is None:
            raise
        return decoder.decode(mended)


def decode_input(decoder: msgspec.json.Decoder[T], data: bytes | Raw) -> T:
    """Decode what a client wrote. Raises InvalidRequest with the path within ``data``, or the byte, of the fault.

    Bad UTF-8 and too deep nesting leave it as UnicodeDecodeError and RecursionError: only the reader of the whole
    body knows the byte.
    """
    try:
        return decode(decoder, data)
    except msgspec.ValidationError as error:
        raise wrong_type(error) from None
    except msgspec.DecodeError as error:
        raise bad_body(error, len(bytes(data))) from None


def decode_upstream(decoder: msgspec.json.Decoder[T], data: bytes | Raw, complaint: str) -> T:
    """Decode what a provider wrote. Raises Malformed with the complaint, which never quotes it."""
    try:
        return decode(decoder, data)
    except (ValueError, RecursionError):
        raise Malformed(complaint) from None


def object_keys(raw: Raw | bytes) -> dict[str, Raw]:
    """Return the members of a JSON object, an empty dict for anything else."""
    try:
        return decode(object_decoder, raw)
    except (ValueError, RecursionError):
        return {}


def list_items(raw: Raw | bytes | None) -> list[Raw]:
    """Return the items of a JSON list, an empty list for anything else."""
    if raw is None or not _begins_with(b"[", raw):
        return []
    try:
        return decode(list_decoder, raw)
    except (ValueError, RecursionError):
        return []


def text_of(raw: Raw | bytes | None) -> str | None:
    """Return the text of a JSON string, None for anything else."""
    if raw is None or not _begins_with(b'"', raw):
        return None
    try:
        return decode(text_decoder, raw)
    except ValueError:
        return None


def _begins_with(mark: bytes, raw: Raw | bytes) -> bool:
    # Cheaper than letting a decoder fail, which is what most of those who ask would make it do.
    return bytes(raw).lstrip()[:1] == mark


def is_object_text(text: str) -> bool:
    """Tell whether a text is exactly one JSON object."""
    try:
        object_decoder.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


# ---- faults


def wrong_type(error: msgspec.ValidationError) -> InvalidRequest:
    """Return a decoder's complaint as a fault whose path is apart from its message."""
    fault = bad_body(error, 0)
    path = fault.path or ""
    reason = fault.message.removeprefix(f"{path}: ").removeprefix("the body: ")
    missing = _MISSING.search(reason)
    if missing is not None:
        return InvalidRequest(REQUIRED, path=join(path, missing["name"]))
    return InvalidRequest(reason, path=path or None)


def bad_utf8(data: bytes, path: str | None = None) -> InvalidRequest:
    """Return the fault of a body that is not UTF-8, with the first byte that is not."""
    at = 0
    try:
        data.decode()
    except UnicodeDecodeError as error:
        at = error.start
    return InvalidRequest(f"The body is not valid UTF-8 (byte {at})", path=path)


def below(error: InvalidRequest, prefix: str) -> InvalidRequest:
    """Return the same fault, its path seen from one level further out."""
    return InvalidRequest(error.message, path=join(prefix, error.path or ""))


def join(path: str, inner: str) -> str:
    """Return a path and what lies below it as one path."""
    return f"{path}{inner}" if not path or not inner or inner.startswith("[") else f"{path}.{inner}"


# ---- writing


def ascii_string(text: str) -> bytes:
    """Write a JSON string in ASCII: U+2028 and its like end lines in some clients' readers."""
    return encode_basestring_ascii(text).encode()


def one_line(data: bytes) -> bytes:
    """Return the same JSON in ASCII and without line breaks, fit for a ``data:`` line."""
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.format(data, indent=-1)
    if data.isascii():
        return data
    return _NOT_ASCII.sub(_escape, data.decode("utf-8", "replace")).encode()


def _escape(found: re.Match[str]) -> str:
    return encode_basestring_ascii(found.group())[1:-1]
