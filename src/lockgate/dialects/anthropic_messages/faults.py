"""Faults as this dialect tells them: each message begins with the whole path, as Anthropic's own errors do."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Raw

from lockgate.core import json_text
from lockgate.core.body import bad_body, too_deep
from lockgate.core.json_text import bad_utf8, decode, join, wrong_type
from lockgate.errors import InvalidRequest

T = TypeVar("T")


def decode_input(decoder: msgspec.json.Decoder[T], data: bytes | Raw, path: str = "") -> T:
    """Decode what a client wrote below ``path``. Raises InvalidRequest with the path, or the byte, of the fault."""
    try:
        return decode(decoder, data)
    except msgspec.ValidationError as error:
        raise place(wrong_type(error), path) from None
    except msgspec.DecodeError as error:
        raise bad_body(error, len(bytes(data))) from None
    except UnicodeDecodeError:
        raise bad_utf8(bytes(data), path or None) from None
    except RecursionError:
        raise too_deep() from None


def decode_upstream(decoder: msgspec.json.Decoder[T], data: bytes | Raw, what: str) -> T:
    """Decode what a provider wrote. Raises Malformed, which never quotes it."""
    complaint = f"Invalid response received from the provider: {what} is not what Messages promises"
    return json_text.decode_upstream(decoder, data, complaint)


def place(fault: InvalidRequest, path: str) -> InvalidRequest:
    """Return a fault that was found below ``path``, with its whole path."""
    return refuse(join(path, fault.path or ""), fault.message)


def refuse(path: str, reason: str) -> InvalidRequest:
    """Return the error for a fault in the client's body."""
    return InvalidRequest(f"{path}: {reason}" if path else f"The body: {reason}", path=path or None)
