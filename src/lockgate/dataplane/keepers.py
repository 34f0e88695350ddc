"""Which provider keeps what a caller created: batches and files, by their ids.

An SDK asks for a batch with its default headers only, so the provider that a single call named would be lost.
Source: Anthropic integration specification, section 6.4.
"""

from __future__ import annotations

from collections import OrderedDict

from lockgate.ports import Clock

KEPT_S = 30 * 24 * 3600.0
"""How long the provider of an id is remembered."""

MAX_KEPT = 100_000
"""How many ids are remembered; the oldest is forgotten first."""


class Keepers:
    """The slug of the provider that keeps a thing, by workspace, kind and id. In memory: a restart forgets.

    Batches that were created here are found again in the batch book.
    """

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._slugs: OrderedDict[tuple[str, str, str], tuple[float, str]] = OrderedDict()

    def remember(self, workspace: str, kind: str, id: str, slug: str) -> None:
        """A provider was seen to keep this."""
        self._slugs[workspace, kind, id] = (self._now() + KEPT_S, slug)
        self._slugs.move_to_end((workspace, kind, id))
        while len(self._slugs) > MAX_KEPT:
            self._slugs.popitem(last=False)

    def forget(self, workspace: str, kind: str, id: str) -> None:
        """It was deleted."""
        self._slugs.pop((workspace, kind, id), None)

    def find(self, workspace: str, kind: str, id: str) -> str | None:
        """Return the slug, None when it is not known or was not seen for too long."""
        until, slug = self._slugs.get((workspace, kind, id), (0.0, ""))
        return slug if until > self._now() else None
