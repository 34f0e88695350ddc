"""A record as an export wrote it, read back: the row, its previews, and what is kept of its bodies.

What comes from a file may have been changed since, or come from somewhere else: it is checked, and redacted once more.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct, structs

from lockgate.core.capture import VIEWS
from lockgate.errors import InvalidRequest
from lockgate.records.bodies.kept import Kept, View, attempt_view
from lockgate.records.exports.items import BODIES, DETAILS, NOT_TEXT, PREVIEWS, Details
from lockgate.records.from_record import user_hash
from lockgate.records.plain import DERIVED, SHOWN
from lockgate.records.previews import preview_request, preview_response
from lockgate.records.query.fields import METADATA_PREFIXES
from lockgate.records.redaction import DEFAULT, Rules, redact, redact_headers, redact_metadata, redact_text
from lockgate.records.row import COLUMNS, Kind, Preview, Row
from lockgate.records.sketch import bucket_of

FIRST_US = 1_420_070_400_000_000
"""The start of 2015: no request was made before."""
SLACK_US = 86_400_000_000
"""How far the clock of another machine may be ahead."""
_MAX_ID = 256
_MAX_TEXT = 65_536
_BAD_REQUEST = 400
_MAX_COUNT = 10**10
_DAY_US = 86_400_000_000
_RANGES = {
    "status_code": (100, 599), "duration_us": (0, 7 * _DAY_US), "_us": (0, 400 * _DAY_US), "_nano": (0, 10**14),
    "_bytes": (0, 2**40),
}  # fmt: skip
"""Between what numbers lie, by what their column's name ends with: seven days, $100,000 for one request."""
_HASHED = re.compile(r"sha256:[0-9a-f]{8}\Z")
_TEXTS = ("user_agent", "request_model", "trace_id", "span_id", "parent_span_id", "span_name", "client_request_id",
          "path", "error_message", "end_user", "cache_namespace", "client_ip", "provider_error_code",
          "upstream_host")  # fmt: skip
"""Columns that hold what clients and providers wrote."""
_BUCKETS = {"duration_bucket": "duration_us", "ttft_bucket": "ttft_us", "overhead_bucket": "overhead_us"}
_NEEDED = ("id", "started_us")
_KNOWN = frozenset({*COLUMNS, *PREVIEWS, *BODIES})


def check_columns(names: Sequence[str]) -> None:
    """Check what columns a file names. Raises InvalidRequest for one that is none, is there twice, or is missing."""
    for name in names:
        if name not in _KNOWN and not any(name.startswith(each) and name != each for each in METADATA_PREFIXES):
            raise InvalidRequest(f"there is no column {name!r}")
        if names.count(name) > 1:
            raise InvalidRequest(f"the column {name!r} is there twice")
    for name in _NEEDED:
        if name not in names:
            raise InvalidRequest(f"there is no column {name}, which every record needs; a full export has it")


class Imported(Struct, frozen=True):
    """A record, and what there is beside its row."""

    row: Row
    preview: Preview | None = None
    kept: Kept | None = None


def read_item(values: Mapping[str, object], *, now_us: int, rules: Rules = DEFAULT) -> Imported:
    """Return a record by the values of its columns; JSON columns are texts. Raises ValueError, which names the column.

    None is absent. ``rules`` say what of it may be kept.
    """
    given = {name: value for name, value in values.items() if value is not None and name not in DERIVED}
    row = _clean(_row(given, now_us), rules)
    if not rules.keeps_content:
        return Imported(row)
    kept = _kept(row, given, rules)
    shown = {name: redact_text(_text(given, name), rules) for name in PREVIEWS if name in given}
    if kept is not None:
        if shown:
            kept = structs.replace(kept, **(dict.fromkeys(PREVIEWS, "") | shown))
        return Imported(row, kept.preview, kept)
    if not shown:
        return Imported(row)
    preview = Preview(
        id=row.id, started_us=row.started_us, workspace_id=row.workspace_id, text="\n".join(shown.values()), **shown
    )
    return Imported(row, preview)


def _row(given: Mapping[str, object], now_us: int) -> Row:
    metadata = _metadata(given)
    fields = {name: given[name] for name in SHOWN if name in given}
    if metadata is not None:
        fields["metadata"] = metadata
    for name in _NEEDED:
        if name not in fields:
            raise ValueError(f"{name} is missing")
    try:
        row = msgspec.convert(fields, Row)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise ValueError(f"{where.rstrip('`') or 'record'}: {what}") from None
    if not 0 < len(row.id) <= _MAX_ID:
        raise ValueError(f"id: between 1 and {_MAX_ID} characters")
    if not FIRST_US <= row.started_us <= now_us + SLACK_US:
        raise ValueError("started_us: microseconds since 1970, from 2015 to now")
    for name, kind in COLUMNS.items():
        value = getattr(row, name)
        if value is not None and (fault := _fault_of(name, kind, value)) is not None:
            raise ValueError(f"{name}: {fault}")
    derived = {name: None if (us := getattr(row, of)) is None else bucket_of(us) for name, of in _BUCKETS.items()}
    if "is_error" not in fields and row.status_code is not None:
        derived["is_error"] = row.status_code >= _BAD_REQUEST
    return structs.replace(row, **derived, end_user_hash=user_hash(row.end_user))


def _fault_of(name: str, kind: Kind, value: Any) -> str | None:
    """Return why a value cannot be one of a request, however it is written; None when it can."""
    match kind:
        case "int" if name not in ("started_us", "end_user_hash"):
            low, high = _range_of(name)
            return None if low <= value <= high else f"a number from {low} to {high}"
        case "float":
            return None if 0 <= value < math.inf else "a number from 0 on"
        case "text":
            return None if len(value) <= _MAX_TEXT else f"at most {_MAX_TEXT} characters"
        case "json":
            return None if _is_json(value) else "this is no JSON"
        case "list":
            return None if all(len(text) <= _MAX_TEXT for text in value) else f"at most {_MAX_TEXT} characters each"
        case _:
            return None


@lru_cache(maxsize=256)
def _range_of(name: str) -> tuple[int, int]:
    """Return between what a number lies; sums over millions of requests must still be numbers of 64 bits."""
    return next((limits for ending, limits in _RANGES.items() if name.endswith(ending)), (0, _MAX_COUNT))


def _metadata(given: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the metadata that stand in columns of their own; None when they do not."""
    found: dict[str, object] = {}
    for name, value in given.items():
        if name in _KNOWN:
            continue
        prefix = next((each for each in METADATA_PREFIXES if name.startswith(each)), None)
        if prefix is None:
            raise ValueError(f"there is no column {name!r}")
        found[name.removeprefix(prefix)] = value
    return found if found and "metadata" not in given else None


def _clean(row: Row, rules: Rules) -> Row:
    texts = {name: text for name in _TEXTS if (text := getattr(row, name))}
    together = "\x00".join((*texts.values(), *row.metadata, *row.metadata.values(), row.attempts or ""))
    if rules.mode != "off" and redact_text(together, rules) == together:
        return row
    changes: dict[str, object] = {name: redact_text(text, rules) for name, text in texts.items()}
    if row.attempts:
        changes["attempts"] = redact(row.attempts.encode(), rules).data.decode("utf-8", "replace")
    changes["metadata"] = {} if rules.mode == "off" else redact_metadata(row.metadata, rules)
    if "end_user" in changes:
        changes["end_user_hash"] = user_hash(str(changes["end_user"]))
    return structs.replace(row, **changes)


def _kept(row: Row, given: Mapping[str, object], rules: Rules) -> Kept | None:
    details = _details(given)
    found: dict[str, bytes] = {name: _data(_text(given, name), name) for name in VIEWS if name in given}
    if details is None:
        if not found:
            return None
        details = Details()
    for attempt in details.failed:
        for side, text in (("request", attempt.request), ("response", attempt.response)):
            if text is not None:
                name = attempt_view(attempt.number, "request" if side == "request" else "response")
                found[name] = _data(text, f"{DETAILS}.failed")
    counts = dict(details.redactions)
    views: list[View] = []
    for name, data in found.items():
        clean = redact(data, rules)
        for kind, count in clean.counts.items():
            counts[kind] = counts.get(kind, 0) + count
        cut = details.cut.get(name)
        size, is_truncated = (cut.size_bytes, cut.is_truncated) if cut is not None else (len(clean.data), False)
        views.append(View(name=name, data=clean.data, size_bytes=size, is_truncated=is_truncated))
    bodies = {view.name: view.data for view in views}
    asked, said = preview_request(bodies.get("request", b"")), preview_response(bodies.get("response", b""))
    return Kept(
        record_id=row.id, started_us=row.started_us, workspace_id=row.workspace_id, views=tuple(views),
        request_headers=_headers(details.request_headers, rules),
        response_headers=_headers(details.response_headers, rules),
        redactions=counts, timeline=details.timeline, request_preview=asked[0], response_preview=said[0],
        text="\n".join(text for text in (asked[1], said[1]) if text),
    )  # fmt: skip


def _details(given: Mapping[str, object]) -> Details | None:
    if DETAILS not in given:
        return None
    try:
        details = msgspec.json.decode(_text(given, DETAILS), type=Details)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{DETAILS}: {error}") from None
    numbers = [attempt.number for attempt in details.failed]
    if len(set(numbers)) != len(numbers) or any(not 0 <= number < 1000 for number in numbers):
        raise ValueError(f"{DETAILS}: the numbers of attempts that failed")
    return details


def _headers(headers: Sequence[tuple[str, str]], rules: Rules) -> list[tuple[str, str]]:
    """Return headers without credentials; a hash that stands for one already stays."""
    found: list[tuple[str, str]] = []
    for name, value in headers:
        found += [(name, value)] if _HASHED.match(value) else redact_headers([(name.encode(), value.encode())], rules)
    return found


def _text(given: Mapping[str, object], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise ValueError(f"{name}: Expected `str`, got `{type(value).__name__}`")
    return value


def _data(text: str, name: str) -> bytes:
    """Return a body by what an export says of it."""
    if not text.startswith(NOT_TEXT):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(NOT_TEXT), validate=True)
    except binascii.Error:
        raise ValueError(f"{name}: what follows {NOT_TEXT} is not base64") from None


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return False
    return True
