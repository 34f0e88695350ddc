"""JSON as this dialect needs it: faults with a path, lone surrogates mended, ASCII on one line for streams.

Belongs here: everything about the text of JSON. Does not belong here: what any field means.
"""

from __future__ import annotations

import re
from json.encoder import encode_basestring_ascii
from typing import TypeVar

import msgspec
from msgspec import Raw

from lockgate.core.body import bad_body
from lockgate.errors import InvalidRequest

T = TypeVar("T")

ABSENT = Raw(b"")
"""The default of a Raw field: the key was not there."""

_NULL = Raw(b"null")
_PATH = re.compile(r" - at `\$?(?P<path>[^`]*)`$")
_REQUIRED = re.compile(r"missing required field `(?P<name>[^`]*)`")
_SURROGATES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")

write_json = msgspec.json.Encoder().encode
read_object = msgspec.json.Decoder(dict[str, Raw]).decode
_read_any_object = msgspec.json.Decoder(dict[str, Raw])


def given(raw: Raw) -> Raw | None:
    """Return None for a key that was absent or null, the value otherwise."""
    return None if raw is ABSENT or raw == _NULL else raw


def decode(decoder: msgspec.json.Decoder[T], data: bytes | Raw) -> T:
    """Decode, replacing lone surrogates by U+FFFD where strict JSON readers would give up."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = _mend_surrogates(bytes(data))
        if mended == data:
            raise
        return decoder.decode(mended)


def decode_input(decoder: msgspec.json.Decoder[T], data: bytes | Raw) -> T:
    """Decode what a client wrote. Raises InvalidRequest with the path within ``data``.

    Bad UTF-8 and too deep nesting leave it as UnicodeDecodeError and RecursionError: only the reader of the whole
    body knows the byte.
    """
    try:
        return decode(decoder, data)
    except msgspec.ValidationError as error:
        raise _wrong_type(error) from None
    except msgspec.DecodeError as error:
        raise bad_body(error, len(bytes(data))) from None


def below(error: InvalidRequest, prefix: str) -> InvalidRequest:
    """Return the same fault, its path seen from one level further out."""
    path = error.path or ""
    joint = "" if not path or path.startswith("[") else "."
    return InvalidRequest(error.message, path=f"{prefix}{joint}{path}")


def is_object_text(text: str) -> bool:
    """Tell whether a text is exactly one JSON object."""
    try:
        read_object(text)
    except (ValueError, RecursionError):
        return False
    return True


def object_keys(raw: Raw) -> dict[str, Raw]:
    """Return the members of a JSON object, an empty dict for anything else."""
    try:
        return decode(_read_any_object, raw)
    except (ValueError, RecursionError):
        return {}


def text_of(raw: Raw | None) -> str | None:
    """Return the text of a JSON string, None for anything else."""
    if raw is None or bytes(raw)[:1] != b'"':
        return None
    try:
        return decode(_read_text, raw)
    except ValueError:
        return None


_read_text = msgspec.json.Decoder(str)


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


def _escape(match: re.Match[str]) -> str:
    return encode_basestring_ascii(match.group())[1:-1]


def _mend_surrogates(data: bytes) -> bytes:
    if b"\\ud" not in data and b"\\uD" not in data:
        return data
    return _SURROGATES.sub(lambda match: b"\\ufffd" if match["lone"] else match.group(), data)


def _wrong_type(error: msgspec.ValidationError) -> InvalidRequest:
    text = str(error)
    found = _PATH.search(text)
    path = found["path"].lstrip(".") if found else ""
    message = text[: found.start()] if found else text
    missing = _REQUIRED.search(message)
    if missing:
        return InvalidRequest("this field is required", path=f"{path}.{missing['name']}".lstrip("."))
    return InvalidRequest(message[:1].lower() + message[1:], path=path or None)
