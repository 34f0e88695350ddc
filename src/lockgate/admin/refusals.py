"""What the typed reading complains about as a refusal: the field's path, what is wrong, what would be right."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.core.plain_words import complaint_of
from lockgate.errors import InvalidRequest

_MAX_STRANGERS = 5


def refusal_of(error: msgspec.ValidationError, kind: type, strangers: Sequence[str] = ()) -> InvalidRequest:
    """Return the error for the client. ``strangers`` are fields that were ignored: one may be the missing one's."""
    path, what, is_missing = complaint_of(error, kind)
    if is_missing and strangers:
        what += f" (ignored as unknown: {', '.join(strangers[:_MAX_STRANGERS])})"
    return InvalidRequest(f"{path or 'the body'}: {what}", path=path or None)
