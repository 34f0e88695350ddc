import json

import pytest

from lockgate.core.batches import Batch, BatchPage
from lockgate.dialects.openai_chat.batches import status_of, write_batch, write_batches


def batch(**changes):
    return Batch(**{"id": "b", "status": "ended", "created_at": 5, "ended_at": 9, **changes})


@pytest.mark.parametrize(
    "given, status",
    [
        (batch(status="in_progress", processing=1), "in_progress"),
        (batch(status="canceling", processing=1), "cancelling"),
        (batch(canceled=2, canceled_at=7), "cancelled"),
        (batch(canceled=2, canceled_at=7, succeeded=1), "completed"),
        (batch(canceled=2), "completed"),
        (batch(expired=2), "expired"),
        (batch(errored=2), "failed"),
        (batch(errored=1, expired=1), "completed"),
        (batch(), "completed"),
    ],
)
def test_the_word_for_how_it_ended(given, status):
    assert status_of(given) == status
    written = json.loads(write_batch(given))
    assert written["finalizing_at"] == 9
    moments = [name for name in ("completed", "failed", "expired", "cancelled") if written[f"{name}_at"] is not None]
    assert moments == ([status] if given.status == "ended" else [])


def test_an_empty_page():
    written = json.loads(write_batches(BatchPage(data=())))
    assert written == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
