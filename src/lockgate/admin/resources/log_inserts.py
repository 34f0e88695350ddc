"""``POST /logs``: records of calls that went elsewhere, handed in to be kept with our own.

Each of several is taken or refused by itself. What is taken is priced where provider, model and usage are known, and
never charged: somebody else has paid. Source: control-plane specification, section 6.2.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.desk import RecordDesk
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.record_scope import desk_of
from lockgate.catalog.prices_cost import price
from lockgate.core.chat import Usage
from lockgate.core.metadata import NO_METADATA, merge, read_baggage, read_metadata
from lockgate.core.trace import write_uuid7
from lockgate.errors import InvalidRequest
from lockgate.plan.snapshot import Snapshot, Workspace
from lockgate.records.insert import MAX_BYTES, Inserted, Json, Origin, Price, items_of, read_items

_AT_ONCE = 50
"""Records written before requests of others get their turn."""
_METADATA_HEADERS = (b"x-portkey-metadata", b"baggage")


class LogBody(Struct, frozen=True, kw_only=True):
    """One call, a list of them, or an object of them with the keys "0", "1", ...; at most 1000 and 20 MB."""

    free_field: ClassVar[str] = "given"

    request: dict[str, Any] | None = None
    """``url``, ``provider``, ``method`` (post), ``headers``, ``body``."""
    response: dict[str, Any] | None = None
    """``status`` (200), ``headers``, ``body``, ``response_time`` or ``time`` in milliseconds, ``streamingMode``."""
    metadata: dict[str, Any] | None = None
    """``traceId``, ``spanId``, ``spanName``, ``parentSpanId``, ``user``; everything else is metadata of the record."""
    given: Any = None
    """The body as it came."""


class Refused(Struct, frozen=True, kw_only=True):
    """Why one of several was not taken."""

    index: int
    message: str


class Inserting(Struct, frozen=True, kw_only=True):
    """What became of them: the ids of those that were taken, in the order of what was given."""

    message: str
    ids: list[str]
    accepted: int
    rejected: int
    errors: list[Refused]
    status: Literal["success"] = "success"


def insert(call: Call[LogBody, Nothing]) -> Inserting:
    """Keep records."""
    desk = desk_of(call)
    snapshot, principal = call.services.snapshot(), call.principal
    workspace = snapshot.workspaces.get(principal.workspace.id)
    headers = {name: call.headers.get(name, b"").decode("utf-8", "replace") for name in _METADATA_HEADERS}
    said, baggage = (headers[name] for name in _METADATA_HEADERS)
    origin = Origin(
        now_s=call.now.timestamp(),
        workspace_id=principal.workspace.id,
        key_id=principal.key.id,
        key_name=principal.key.name,
        metadata=merge(read_metadata(said).values, read_baggage(baggage)),
        fixed_metadata=merge(workspace.metadata if workspace else NO_METADATA, principal.key.metadata),
    )
    try:
        items = items_of(call.body.given)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    rules = principal.key.recording.rules
    taken, faults = read_items(items, origin, _new_id, price=_price(snapshot, workspace, origin.now_s), rules=rules)
    if not taken:
        place = f"[{faults[0].index}]" if isinstance(call.body.given, list) else ""
        raise InvalidRequest(f"No log was stored{place and f'; {place}'}: {faults[0].message}", path=place or None)
    call.wait(_append(desk, taken, keeps_content=rules.keeps_content))
    return Inserting(
        message=f"{len(taken)} of {len(items)} logs stored",
        ids=[record.id for record in taken],
        accepted=len(taken),
        rejected=len(faults),
        errors=[Refused(index=fault.index, message=fault.message) for fault in faults],
    )


async def _append(desk: RecordDesk, records: Sequence[Inserted], *, keeps_content: bool) -> None:
    """Write records into the journal, on the loop: it is the one writer of it."""
    for number, record in enumerate(records, 1):
        desk.append(record.data, record.id)
        if keeps_content:
            desk.offer(record.capture)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)


def _new_id(at_s: float) -> str:
    return "rec_" + write_uuid7(at_s, os.urandom(10).hex()).replace("-", "")


def _price(snapshot: Snapshot, workspace: Workspace | None, now_s: float) -> Price:
    """Return what knows prices: of a provider by its name, or by a slug of the workspace."""

    def cost(provider: str, model: str, tokens: Json) -> Json | None:
        target = workspace.targets.get(provider.removeprefix("@")) if workspace is not None else None
        if target is not None:
            rates = snapshot.prices.find(target.provider.name, model, now_s, target.price_terms)
        else:
            rates = snapshot.prices.find(provider, model, now_s)
        if rates is None:
            return None
        found = price(msgspec.convert(tokens, Usage), rates)
        return {
            "nanos": found.nanos, "status": found.status, "parts": found.parts, "version": found.version,
            "source": found.source,
        }  # fmt: skip

    return cost


ENDPOINTS = (
    Endpoint(
        method="POST", path="/logs", access=needs("logs.write", keys=("service", "user")),
        summary="Keep records of calls that went elsewhere", body=LogBody, body_limit=MAX_BYTES,
        is_resent=True, reply=Inserting, handler=insert,
    ),
)  # fmt: skip
