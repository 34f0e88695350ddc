"""Batches of other dialects as OpenAI's batch objects. Source: Anthropic integration specification, section 6.4."""

from __future__ import annotations

from lockgate.core.batches import Batch, BatchPage
from lockgate.core.json_text import write_json


def write_batch(batch: Batch) -> bytes:
    """Write one batch."""
    return write_json(_written(batch))


def write_batches(page: BatchPage) -> bytes:
    """Write a page of batches."""
    return write_json(
        {
            "object": "list",
            "data": [_written(batch) for batch in page.data],
            "first_id": page.data[0].id if page.data else None,
            "last_id": page.data[-1].id if page.data else None,
            "has_more": page.has_more,
        }
    )


def status_of(batch: Batch) -> str:
    """Return OpenAI's word for how far a batch has come and how it ended."""
    if batch.status != "ended":
        return "cancelling" if batch.status == "canceling" else "in_progress"
    total = _total(batch)
    if batch.canceled_at is not None and batch.canceled and not batch.succeeded:
        return "cancelled"
    if total and batch.expired == total:
        return "expired"
    if total and batch.errored == total:
        return "failed"
    return "completed"


def _total(batch: Batch) -> int:
    return batch.processing + batch.succeeded + batch.errored + batch.canceled + batch.expired


def _written(batch: Batch) -> dict[str, object]:
    status = status_of(batch)
    is_ended = batch.status == "ended"
    written: dict[str, object] = {
        "id": batch.id,
        "object": "batch",
        "endpoint": "/v1/batches",
        "errors": None,
        "input_file_id": None,
        "completion_window": "24h",
        "status": status,
        "output_file_id": None,
        "error_file_id": None,
        "created_at": batch.created_at,
        "in_progress_at": batch.created_at,
        "expires_at": batch.expires_at,
        "finalizing_at": batch.ended_at,
        "completed_at": None,
        "failed_at": None,
        "expired_at": None,
        "cancelling_at": batch.canceled_at,
        "cancelled_at": None,
        "request_counts": {
            "total": _total(batch),
            "completed": batch.succeeded,
            "failed": batch.errored,
            "processing": batch.processing,
            "canceled": batch.canceled,
            "expired": batch.expired,
        },
        "metadata": None,
    }
    if is_ended:
        written[f"{status}_at"] = batch.ended_at
        if batch.results_url is not None:
            written["results_url"] = batch.results_url
    return written


class Batches:
    """The functions above in one place."""

    write_batch = staticmethod(write_batch)
    write_batches = staticmethod(write_batches)
