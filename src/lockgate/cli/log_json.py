"""A record with its bodies for programs. Names are those of the API."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.plain import plain
from lockgate.records.store import Entry

_decode = msgspec.json.Decoder().decode


def record_json(entry: Entry, bodies: Bodies | None) -> Mapping[str, object]:
    """Return a record; ``bodies`` is null where none are kept."""
    found = dict(plain(entry.row))
    if entry.preview is not None:
        found |= {
            "request_preview": entry.preview.request_preview,
            "response_preview": entry.preview.response_preview,
        }
    found["bodies"] = bodies_json(bodies) if bodies is not None else None
    return found


def bodies_json(bodies: Bodies) -> Mapping[str, object]:
    """Return bodies by their names, JSON as JSON and other text as text."""
    return {
        **{name: _view_json(view) for name, view in bodies.views.items()},
        "failed_attempts": [
            {
                "n": one.number + 1,
                "request": _view_json(one.request) if one.request is not None else None,
                "response": _view_json(one.response) if one.response is not None else None,
            }
            for one in bodies.failed
        ],
        "request_headers": bodies.request_headers,
        "response_headers": bodies.response_headers,
        "redactions": bodies.redactions,
    }


def _view_json(view: View) -> Mapping[str, object]:
    return {"data": json_of(view.data), "size_bytes": view.size_bytes, "is_truncated": view.is_truncated}


def json_of(data: bytes) -> object:
    """Return bytes as JSON when they are that, else as text."""
    try:
        _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")
    return Raw(data)
