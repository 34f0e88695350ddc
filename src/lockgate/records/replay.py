"""What of a record can be sent again: the request byte for byte, or the reason why not.

Credentials are never kept, so whoever sends brings a key. What the kept headers do not say any more (a config, a
provider by its virtual key) follows from the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from lockgate.errors import Conflict, InvalidRequest
from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.row import Row

_PATHS = {
    "chat": "/v1/chat/completions", "messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens",
    "embeddings": "/v1/embeddings", "responses": "/v1/responses", "completions": "/v1/completions",
}  # fmt: skip
"""Of records that do not say their path."""
_KEEPS = frozenset({"files", "batches", "message_batches"})
"""Routes that leave something with a provider, or hold what no record has."""
_OWN = frozenset({"gateway", "replay"})
_TARGET = re.compile(r"^@([A-Za-z0-9_.-]+)(?:/(.+))?$", re.DOTALL)
_MARKS = (b"[SECRET:", b"[SECRET]", b"[PII:", b"[DROPPED")
_HASHED = "sha256:"
_NOT_SENT = frozenset(
    "host content-length connection keep-alive te trailer transfer-encoding upgrade expect accept-encoding via "
    "forwarded traceparent tracestate x-request-id idempotency-key x-portkey-trace-id x-portkey-span-id "
    "x-portkey-parent-span-id x-portkey-span-name x-portkey-config x-lockgate-replay-of".split()
)
"""Headers of a connection, and those that would make the second request the first one."""
_NAMES_TARGET = frozenset({"x-portkey-provider", "x-portkey-virtual-key", "x-portkey-mode", "x-portkey-custom-host"})
_INLINE = "inline-"
_encode = msgspec.json.Encoder().encode


class Wish(Struct, frozen=True, kw_only=True):
    """How it is to be sent again."""

    target: str | None = None
    """``@slug`` or ``@slug/model``: to another one."""
    config: str | None = None
    """Through another config: its slug, or JSON."""
    allows_redacted: bool = False
    """Also when the kept body is not what the client sent."""


class Again(Struct, frozen=True, kw_only=True):
    """A request to be sent."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    """Without credentials."""
    body: bytes
    is_exact: bool
    """Whether the body is the client's, byte for byte."""


def prepare(row: Row, bodies: Bodies | None, wish: Wish) -> Again:
    """Return the request. Raises Conflict when it cannot be sent again, InvalidRequest for a wish that is none."""
    if row.source not in _OWN:
        raise Conflict(f"{row.id} was handed in ({row.source}): this gateway never had the request")
    if row.endpoint in _KEEPS:
        raise Conflict(
            f"{row.id} is a request to {row.endpoint}, which is not sent again: it could leave something twice"
        )
    path = row.path or _PATHS.get(row.endpoint or "")
    if path is None or row.method is None:
        raise Conflict(f"{row.id} does not say which path it asked for ({row.endpoint or 'unknown'})")
    view = bodies.views.get("request") if bodies is not None else None
    if bodies is None or (view is None and row.request_bytes):
        raise Conflict(f"The body of {row.id} is not there: {why_no_bodies(row)}")
    body, is_exact = (b"", True) if view is None else _checked(row, view, bodies, wish)
    headers = [pair for pair in bodies.request_headers if _is_sent(*pair, wish)]
    return Again(
        method=row.method, path=path, headers=[*headers, *_choosing(row, bodies, wish)], body=body, is_exact=is_exact
    )


def why_no_bodies(row: Row) -> str:
    """Return why nothing of a record's bodies is kept, as far as it says."""
    if row.log_mode in ("metrics_only", "off"):
        who = f", chosen by the {row.log_mode_reason}" if row.log_mode_reason else ""
        return f"not kept, the mode of this record is {row.log_mode}{who}"
    return "not kept, it was shed for want of room, or is older than bodies stay"


def _checked(row: Row, view: View, bodies: Bodies, wish: Wish) -> tuple[bytes, bool]:
    """Return the kept body, and whether it is the client's."""
    if view.is_truncated:
        raise Conflict(
            f"The body of {row.id} was cut: of {view.size_bytes} bytes {len(view.data)} are kept (records.body_bytes)"
        )
    what = _what_is_missing(row, view, bodies)
    if what is None:
        return view.data, True
    if wish.allows_redacted:
        return view.data, False
    raise Conflict(f"The body of {row.id} is not what the client sent: {what}. Send it all the same: --allow-redacted")


def _what_is_missing(row: Row, view: View, bodies: Bodies) -> str | None:
    if bodies.redactions and any(mark in view.data for mark in _MARKS):
        found = ", ".join(f"{count} x {kind}" for kind, count in bodies.redactions.items())
        return f"taken out before it was written: {found}"
    if row.request_bytes is not None and row.request_bytes != len(view.data):
        return f"it had {row.request_bytes} bytes, {len(view.data)} are kept"
    return None


def _is_sent(name: str, value: str, wish: Wish) -> bool:
    if name in _NOT_SENT or value.startswith(_HASHED):
        return False
    return not (wish.target is not None and name in _NAMES_TARGET)


def _choosing(row: Row, bodies: Bodies, wish: Wish) -> Iterator[tuple[str, str]]:
    """Yield the headers that say who shall serve it."""
    if wish.target is not None and wish.config is not None:
        raise InvalidRequest("Either --target or --config", path="target")
    if wish.target is not None:
        yield "x-portkey-config", _target_config(wish.target)
    elif wish.config is not None:
        yield "x-portkey-config", wish.config
    elif row.config_id is not None:
        if row.config_id.startswith(_INLINE):
            raise Conflict(
                f"{row.id} brought its config along, which is not kept, for it may hold keys; give --config or --target"
            )
        yield "x-portkey-config", f"{row.config_id}@{row.config_version}" if row.config_version else row.config_id
    elif not _names_target(row, bodies):
        if row.provider_slug is None and row.provider is not None:
            raise Conflict(f"{row.id} brought its provider's key along, which is not kept; give --target or --config")
        if row.provider_slug is not None:
            yield "x-portkey-provider", f"@{row.provider_slug}"


def _names_target(row: Row, bodies: Bodies) -> bool:
    """Whether the request itself still says who serves it."""
    if (row.request_model or "").startswith("@"):
        return True
    return any(name == "x-portkey-provider" and value.startswith("@") for name, value in bodies.request_headers)


def _target_config(target: str) -> str:
    """Return the config that leads to a target; the body stays as it is, for the config says the model."""
    found = _TARGET.match(target)
    if found is None:
        raise InvalidRequest(f"{target!r} is no target; write @slug or @slug/model", path="target")
    config: dict[str, object] = {"provider": f"@{found[1]}"}
    if found[2]:
        config["override_params"] = {"model": found[2]}
    return _encode(config).decode()
