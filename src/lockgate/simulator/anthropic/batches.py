"""Message batches: what becomes of each of their requests, and how far a batch has come."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.times import write_time
from lockgate.simulator.dice import Dice
from lockgate.simulator.provider import Usage, World

ID_PATTERN = "^msgbatch_[a-zA-Z0-9_-]+$"
OUTCOMES = ("succeeded", "errored", "canceled", "expired")
_LIFE_S = 24 * 60 * 60
_CANCEL_S = 30
_WORK_S = 60
_MOST_BATCHES = 1000


class Item(Struct, frozen=True, kw_only=True):
    """One request of a batch; it was answered when it came, and the answer waits for the batch to end."""

    custom_id: str
    version: str
    """The API version that the batch was created with: it holds for the request, whoever asks for the result."""
    outcome: str
    result: bytes
    """The result as JSON."""
    usage: Usage = Usage()
    is_final: bool = False
    """Whether the outcome stands although the batch is cancelled."""


class Patience(Struct, frozen=True, kw_only=True):
    """When a batch ends."""

    polls: int
    """It was retrieved so often."""
    until_s: float
    """And the clock says this."""


class Batch:
    """One batch."""

    def __init__(self, *, id: str, sequence: int, items: Sequence[Item], patience: Patience) -> None:
        self.id = id
        self.items = items
        self.status = "in_progress"
        self.is_canceled = False
        self._sequence = sequence
        self._patience = patience
        self._polls = 0

    def look(self, now_s: float, *, is_poll: bool = False) -> None:
        """Let time go on; a poll is one step of it."""
        self._polls += is_poll
        is_over = self._polls >= self._patience.polls and now_s >= self._patience.until_s
        if is_over or (self.is_canceled and is_poll):
            self.status = "ended"

    def cancel(self) -> None:
        """Begin to cancel; the next poll finds the batch ended. Raises :class:`ApiError` when it has ended."""
        if self.status == "ended":
            raise ApiError(f"Message batch {self.id} cannot be canceled because its processing has ended.")
        self.status = "canceling"
        self.is_canceled = True

    def outcome_of(self, item: Item) -> str:
        """Return what has become of a request, once the batch has ended."""
        return "canceled" if self.is_canceled and not item.is_final else item.outcome

    def count(self) -> dict[str, int]:
        """Return how many requests are in which state; all are processing until the batch has ended."""
        counts = dict.fromkeys(("processing", *OUTCOMES), 0)
        if self.status != "ended":
            counts["processing"] = len(self.items)
            return counts
        for item in self.items:
            counts[self.outcome_of(item)] += 1
        return counts

    def usage(self) -> Usage:
        """Return what the succeeded requests count for together."""
        used = [item.usage for item in self.items if self.outcome_of(item) == "succeeded"]
        return Usage(sum(one.input_tokens for one in used), sum(one.output_tokens for one in used))

    def write(self, base_url: str) -> dict[str, Any]:
        """Return the batch as the API shows it to a caller who reached it under this address."""
        is_ended = self.status == "ended"
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": self.count(),
            "created_at": write_time(self._sequence),
            "expires_at": write_time(self._sequence + _LIFE_S),
            "ended_at": write_time(self._sequence + _WORK_S) if is_ended else None,
            "cancel_initiated_at": write_time(self._sequence + _CANCEL_S) if self.is_canceled else None,
            "archived_at": None,
            "results_url": f"{base_url}/v1/messages/batches/{self.id}/results" if is_ended else None,
        }

    def write_results(self, seed: int) -> Iterator[bytes]:
        """Return one line per request, not in the order of the requests."""
        for item in sorted(self.items, key=lambda item: Dice(seed, self.id, item.custom_id).bytes(8)):
            is_own = self.outcome_of(item) == item.outcome
            result = item.result if is_own else b'{"type":"canceled"}'
            yield msgspec.json.encode({"custom_id": item.custom_id, "result": msgspec.Raw(result)}) + b"\n"


class Batches:
    """All batches of one world."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sequence = 0
        self._batches: dict[str, Batch] = {}
        self._open: set[str] = set()
        """The batches whose usage was not yet counted."""

    def add(self, items: Sequence[Item], patience: Patience) -> Batch:
        """Begin a batch; the oldest one is forgotten when there are too many."""
        self._sequence += 1
        id = f"msgbatch_01{Dice(self._seed, 'batch', self._sequence, items[0].custom_id).letters(22)}"
        batch = Batch(id=id, sequence=self._sequence, items=items, patience=patience)
        self._batches[id] = batch
        self._open.add(id)
        if len(self._batches) > _MOST_BATCHES:
            self._forget(next(iter(self._batches)))
        return batch

    def find(self, id: str) -> Batch:
        """Return a batch. Raises :class:`ApiError` when there is none with this id."""
        if not re.fullmatch(ID_PATTERN, id):
            raise ApiError(f"message_batch_id: String should match pattern '{ID_PATTERN}'")
        batch = self._batches.get(id)
        if batch is None:
            raise ApiError(f"Message batch not found: {id}", status=404)
        return batch

    def delete(self, id: str) -> None:
        """Forget a batch. Raises :class:`ApiError` as long as it is processed."""
        if self.find(id).status != "ended":
            raise ApiError(f"Message batch {id} cannot be deleted while it is in progress. Cancel it first.")
        self._forget(id)

    def _forget(self, id: str) -> None:
        del self._batches[id]
        self._open.discard(id)

    def newest(self) -> list[Batch]:
        """Return all batches, the newest first."""
        return list(reversed(self._batches.values()))

    def take_usage(self) -> Usage:
        """Return what the batches count for that have ended since this was asked last."""
        ended = [id for id in self._open if self._batches[id].status == "ended"]
        self._open.difference_update(ended)
        used = [self._batches[id].usage() for id in ended]
        return Usage(sum(one.input_tokens for one in used), sum(one.output_tokens for one in used))


def batches_of(world: World) -> Batches:
    """Return the batches of a world."""
    batches: Batches = world.memory.setdefault("anthropic.batches", Batches(world.seed))
    return batches


def describe_batch(batch: Batch) -> dict[str, Any]:
    """Return a batch as the control API shows it."""
    items = [
        {"custom_id": item.custom_id, "version": item.version, "outcome": batch.outcome_of(item)}
        for item in batch.items
    ]
    return {"id": batch.id, "processing_status": batch.status, "requests": items}
