"""Errors in OpenAI's shape: written for clients, read from providers whatever shape they chose.

Kinds are decided by status and structured codes, never by message text. The one thing that text decides is whether a
message is about a full context: clients look for Anthropic's phrase there.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import UNSET, Raw

from lockgate.core.chunk import StreamError
from lockgate.core.error_text import CONTEXT_OVERFLOW, KINDS, OVERFLOW_WORDS, kind_of_status, visible_text
from lockgate.core.json_text import decode, list_items, object_keys, text_of, write_json
from lockgate.dialects.openai_chat.wire import ErrorOut, OurErrorBody, ProviderErrorBody
from lockgate.errors import GatewayError, InvalidConfig, LimitReached, Rejected

_KIND_BY_CODE = {
    "context_length_exceeded": "invalid_request_error",
    "insufficient_quota": "rate_limit_error",
    "invalid_api_key": "authentication_error",
    "invalid_request_error": "invalid_request_error",
    "model_not_found": "not_found_error",
    "overloaded": "overloaded_error",
    "rate_limit_exceeded": "rate_limit_error",
    "rate_limit_exceeded_error": "rate_limit_error",
    "requests": "rate_limit_error",
    "server_error": "api_error",
    "timeout": "timeout_error",
    "tokens": "rate_limit_error",
}
_OVERFLOW_PHRASES = re.compile(
    r"maximum context length|context (length|window)[^.]{0,40}exceed|exceeds?[^.]{0,40}context"
)
_STATUS = re.compile(r"[45][0-9]{2}")
_TEXT_KEYS = ("message", "Message", "detail", "error_description", "title", "msg", "errors")

_read_any = msgspec.json.Decoder(Raw)


# ---- for clients


def write_error(error: GatewayError, *, request_id: str, provider: str | None) -> bytes:
    """Write an error body: ours so that every SDK finds what it looks for, a provider's under its name."""
    if isinstance(error, Rejected):
        return write_json(ProviderErrorBody(error=_error_out(error, provider), provider=provider or UNSET))
    wire = _error_out(error, None)
    if isinstance(error, InvalidConfig):
        faults = tuple(str(fault) for fault in error.faults)
        return write_json(OurErrorBody(message="Invalid config passed", error=wire, errors=faults))
    return write_json(OurErrorBody(message=wire.message, error=wire))


def write_stream_error(error: GatewayError | StreamError, provider: str) -> bytes:
    """Write the object that tells a client, in the middle of a stream, that the answer is not complete."""
    if isinstance(error, StreamError):
        message = _attributed(error.message or error.kind, provider)
        wire = ErrorOut(message=message, type=error.kind, code=error.code)
    else:
        wire = _error_out(error, provider if isinstance(error, Rejected) else None)
    return write_json(ProviderErrorBody(error=wire, provider=provider))


def _error_out(error: GatewayError, provider: str | None) -> ErrorOut:
    param = error.param if isinstance(error, Rejected) else None
    message = error.message or error.kind
    return ErrorOut(
        message=message if provider is None else _attributed(message, provider),
        type=error.kind,
        param=param or error.path,
        code=error.wire_code,
        limit=error.limit if isinstance(error, LimitReached) and error.limit else UNSET,
    )


def _attributed(message: str, provider: str) -> str:
    return f"{provider} error: {message}"


# ---- from providers


def read_error(status: int, body: bytes) -> Rejected:
    """Read an error reply of any shape. Never raises."""
    found = _Found(_parse(body))
    message = found.message or visible_text(body) if not found.is_json else found.message
    kind = "rate_limit_error" if found.code == "insufficient_quota" else kind_of_status(status)
    return Rejected(
        _worded(message or f"status {status}", found.code),
        status=status,
        kind=kind,
        wire_code=found.code,
        param=found.param,
        body=body,
    )


def read_stream_error(raw: Raw) -> StreamError:
    """Read the error object of a stream whose status was 200."""
    found = _Found(raw)
    kind = _kind_of_word(found.code) or _kind_of_word(found.type) or "api_error"
    return StreamError(kind, _worded(found.message or "the provider reported an error", found.code), found.code)


class _Found:
    """What an error body says, wherever it says it."""

    def __init__(self, raw: Raw | None) -> None:
        self.is_json = raw is not None
        keys = _members(raw)
        inner = _members(keys.get("error")) if "error" in keys else {}
        details = _members(inner.get("details"))
        self.message = _text(keys.get("error")) or _message(inner) or _message(keys) or _text(raw)
        self.type = _text(inner.get("type")) or _text(inner.get("status")) or _text(keys.get("type"))
        self.param = _text(inner.get("param")) or _text(keys.get("param"))
        self.code = _code(inner.get("code")) or _text(details.get("error_code")) or _code(keys.get("code"))


def _parse(body: bytes) -> Raw | None:
    try:
        raw = decode(_read_any, body)
        body.decode()
    except (ValueError, RecursionError):
        return None
    return raw if body.strip()[:1] in (b"{", b"[", b'"') else None


def _members(raw: Raw | None) -> dict[str, Raw]:
    """Return an object's members; a list stands for its first entry."""
    if raw is None:
        return {}
    if bytes(raw)[:1] != b"[":
        return object_keys(raw)
    entries = list_items(raw)
    return object_keys(entries[0]) if entries else {}


def _message(keys: dict[str, Raw], depth: int = 3) -> str | None:
    """Return the first text under a key that usually holds one, some levels deep."""
    if not keys or not depth:
        return None
    for key in _TEXT_KEYS:
        if key in keys and (found := _text(keys[key]) or _message(_members(keys[key]), depth - 1)):
            return found
    return None


def _text(raw: Raw | None) -> str | None:
    text = text_of(raw)
    return text.strip() or None if text is not None else None


def _code(raw: Raw | None) -> str | None:
    """Return a code as text; providers write numbers, too."""
    if raw is None:
        return None
    plain = bytes(raw)
    return plain.decode() if plain.lstrip(b"-").isdigit() else _text(raw)


def _kind_of_word(word: str | None) -> str | None:
    if word is None:
        return None
    if _STATUS.fullmatch(word):
        return kind_of_status(int(word))
    return word if word in KINDS else _KIND_BY_CODE.get(word)


def _worded(message: str, code: str | None) -> str:
    """Begin a message about a full context with the phrase that clients look for."""
    if message.lower().startswith(OVERFLOW_WORDS):
        return message
    is_overflow = code == CONTEXT_OVERFLOW or _OVERFLOW_PHRASES.search(message.lower()) is not None
    return f"{OVERFLOW_WORDS}: {message}" if is_overflow else message
