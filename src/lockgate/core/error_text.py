"""What an error reply says when nobody promises its shape: kinds by status, and the words of a page.

Belongs here: what every provider's errors have in common. Which keys of a JSON body hold what is for the dialects.
Source: Anthropic integration specification, section 4.
"""

from __future__ import annotations

import re
from html import unescape

from lockgate.core.plain_text import printable

MAX_TEXT_CHARS = 500
"""How much of a page that is not JSON is quoted."""

CONTEXT_OVERFLOW = "context_length_exceeded"
"""OpenAI's code for a conversation that is too long."""

OVERFLOW_WORDS = "prompt is too long"
"""How Anthropic's message about the same begins: agents look for it to compact."""

_MAX_PAGE_BYTES = 64 * MAX_TEXT_CHARS
_SERVER_ERRORS = 500
_CLIENT_ERRORS = range(400, _SERVER_ERRORS)
_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
KINDS = frozenset({*_KINDS.values(), "invalid_request_error", "api_error"})
"""Every kind that a status can stand for."""

_HIDDEN = re.compile(r"<(script|style|title|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def kind_of_status(status: int) -> str:
    """Return the kind of error, in Anthropic's words, that an HTTP status stands for."""
    return _KINDS.get(status) or ("invalid_request_error" if status in _CLIENT_ERRORS else "api_error")


def visible_text(body: bytes) -> str:
    """Return what a person would read in a page, on one line, as much of it as is worth quoting."""
    text = body[:_MAX_PAGE_BYTES].decode("utf-8", "replace")
    plain = unescape(_TAG.sub(" ", _HIDDEN.sub(" ", text)))
    shown = printable(plain)
    return " ".join(shown.split())[:MAX_TEXT_CHARS]
