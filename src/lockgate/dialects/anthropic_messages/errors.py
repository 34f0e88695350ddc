"""Errors: read from a provider in whatever shape, written in Anthropic's envelope with what other clients look for.

Source: Anthropic integration specification, section 4; gateway protocol, section 5.3; addendum of November 2026,
section 2.8.
"""

from __future__ import annotations

import re

from msgspec import Raw

from lockgate.core.chunk import StreamError
from lockgate.core.error_text import CONTEXT_OVERFLOW, OVERFLOW_WORDS, kind_of_status, visible_text
from lockgate.core.json_text import list_items, object_keys, text_of, write_json
from lockgate.errors import GatewayError, InvalidConfig, LimitReached, Rejected

_PHRASES = {
    400: "Bad request",
    401: "Unauthorized",
    402: "Payment required",
    403: "Forbidden",
    404: "Not found",
    408: "Request timeout",
    409: "Conflict",
    413: "Request too large",
    422: "Unprocessable request",
    429: "Too many requests",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
    529: "Overloaded",
}
_KINDS = {"stream_incomplete": "api_error", "budget_exceeded": "billing_error"}
_IS_WORD_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+").fullmatch
_STREAM_FAILURE = "The provider reported an error"


def anthropic_kind(kind: str) -> str:
    """Return a kind in the words that clients of Anthropic's API know: a cut stream is an api_error to them."""
    return _KINDS.get(kind, kind)


def read_error(status: int, body: bytes) -> Rejected:
    """Read an error reply of any shape (also HTML or nothing). Never raises."""
    keys = object_keys(_first(body))
    inner = keys.get("error", Raw(b"null"))
    fields = object_keys(inner)
    message = _first_text(fields.get("message"), inner, keys.get("message"), keys.get("Message"), keys.get("detail"))
    return Rejected(
        message or _page_text(body) or _PHRASES.get(status, f"Error {status}"),
        status=status,
        kind=text_of(fields.get("type")) or kind_of_status(status),
        wire_code=_code_of(fields),
        param=text_of(fields.get("param")),
        body=body,
    )


def read_stream_error(error: Raw) -> StreamError:
    """Read the ``error`` of an error event, whatever it holds."""
    fields = object_keys(error)
    return StreamError(
        text_of(fields.get("type")) or "api_error",
        _first_text(fields.get("message"), error) or _STREAM_FAILURE,
        _code_of(fields),
    )


def _first(body: bytes) -> bytes | Raw:
    """Return a body without the list that some platforms put around it."""
    return next(iter(list_items(body)), body) if body.lstrip()[:1] == b"[" else body


def _first_text(*candidates: Raw | None) -> str:
    return next((text for candidate in candidates if (text := text_of(candidate))), "")


def _code_of(fields: dict[str, Raw]) -> str | None:
    details = object_keys(fields.get("details", Raw(b"null")))
    return text_of(details.get("error_code")) or text_of(fields.get("code"))


def _page_text(body: bytes) -> str:
    """Return what a page says; JSON without a message says nothing to people."""
    return "" if body.lstrip()[:1] in (b"{", b"[") else visible_text(body)


def _details(code: str) -> dict[str, object]:
    details: dict[str, object] = {"error_code": code}
    if code == "thread_unsupported_request":
        # SDKs look here for what else to leave out: nothing
        details["unsupported"] = []
    return details


def error_message(error: GatewayError, provider: str | None) -> str:
    """Return what the client reads. An overflow begins as Anthropic's does: agents look for that to compact."""
    message = error.message or _PHRASES.get(error.status, _STREAM_FAILURE)
    if provider is not None:
        message = f"{provider} error: {message}"
    if error.wire_code == CONTEXT_OVERFLOW and not message.startswith(OVERFLOW_WORDS):
        message = f"{OVERFLOW_WORDS}: {message}"
    return message.encode("utf-8", "replace").decode()


def write_error(error: GatewayError, *, request_id: str, provider: str | None) -> bytes:
    """Write an error body. ``provider`` is set when the error came from there."""
    message = error_message(error, provider if isinstance(error, Rejected) else None)
    fields: dict[str, object] = {
        "type": anthropic_kind(error.kind),
        "message": message,
        "param": error.param if isinstance(error, Rejected) else error.path,
        "code": error.wire_code,
    }
    if error.wire_code and _IS_WORD_CODE(error.wire_code):
        fields["details"] = _details(error.wire_code)
    if isinstance(error, LimitReached) and error.limit:
        fields["limit"] = error.limit
    body: dict[str, object] = {
        "type": "error",
        "error": fields,
        "request_id": request_id,
        "status": "failure",
        "message": message,
    }
    if provider is not None:
        body["provider"] = provider
    if isinstance(error, InvalidConfig):
        body["message"] = "Invalid config passed"
        body["errors"] = [str(fault) for fault in error.faults]
    return write_json(body)
