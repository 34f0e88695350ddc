"""Batches of calls that a provider works through by itself: their requests, and a batch as anybody sees it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from lockgate.core.limits import Budget, Grant, Hold

BatchStatus: TypeAlias = Literal["in_progress", "canceling", "ended"]


class BatchRequest(Struct, frozen=True):
    """One request of a batch, before it is sent. ``params`` is its body as the client wrote it."""

    start: int
    """Where the body stands in the body that creates the batch."""
    params: bytes
    model: str | None


class Batch(Struct, frozen=True, kw_only=True):
    """A batch at its provider. Times are in seconds since 1970, None where the moment has not come."""

    id: str
    status: BatchStatus
    created_at: int
    expires_at: int | None = None
    ended_at: int | None = None
    canceled_at: int | None = None
    """When somebody asked for it to be cancelled."""
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0
    results_url: str | None = None


class BatchOwner(Struct, frozen=True, kw_only=True):
    """Who pays for a batch, and how much of it is paid."""

    workspace_id: str
    id: str
    """The provider's id of the batch."""
    slug: str
    """Of the provider record that keeps it; empty where nobody but its creator can reach it."""
    key_id: str | None = None
    """The key that created it; None: nobody knows."""
    file_id: str | None = None
    """The file that holds its results, where there is one."""
    charged_lines: int = 0
    """How many of its results are charged, from the first one on."""
    hold: str | None = None
    """What budgets reserve for it until all its results are charged, as ``write_hold`` wrote it; None: nothing."""


class _KeptHold(Struct, frozen=True):
    limit: Budget
    group: str
    start: int
    end: int | None
    amount: int


class _KeptGrant(Struct, frozen=True):
    id: str
    holds: tuple[_KeptHold, ...]
    lease_s: float


_read_grant = msgspec.json.Decoder(_KeptGrant).decode


def write_hold(grant: Grant) -> str | None:
    """Return a reservation under budgets as text, None for one that holds nothing."""
    holds = [
        _KeptHold(hold.limit, hold.group, hold.start, hold.end, hold.amount)
        for hold in grant.holds
        if isinstance(hold.limit, Budget)
    ]
    if not holds:
        return None
    return msgspec.json.encode(_KeptGrant(grant.id, tuple(holds), grant.lease_s)).decode()


def read_hold(text: str) -> Grant:
    """Return the reservation that ``write_hold`` wrote. Raises msgspec.MsgspecError."""
    kept = _read_grant(text)
    holds = [
        Hold(limit=one.limit, group=one.group, start=one.start, end=one.end, amount=one.amount) for one in kept.holds
    ]
    return Grant(kept.id, tuple(holds), kept.lease_s)


class BatchPage(Struct, frozen=True, kw_only=True):
    """A page of batches, newest first."""

    data: tuple[Batch, ...]
    has_more: bool = False
