"""Batches of calls that a provider works through by itself: their requests, and a batch as anybody sees it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

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


class BatchPage(Struct, frozen=True, kw_only=True):
    """A page of batches, newest first."""

    data: tuple[Batch, ...]
    has_more: bool = False
