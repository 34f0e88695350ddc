"""``fallback``: one target after the other, until one answers well.

Source: gateway protocol specification, section 4.4.
"""

from __future__ import annotations

from msgspec import Struct

from lockgate.routing.outcome import Outcome
from lockgate.routing.scene import Scene
from lockgate.routing.tree import Order, Router, usable


class Fallback(Struct, frozen=True):
    """All targets in order. ``codes`` are the statuses that lead on; None: all but 2xx."""

    codes: frozenset[int] | None = None

    def order(self, router: Router, scene: Scene) -> Order:
        """Return the usable children as they stand in the config."""
        return Order(indexes=usable(router, scene), because="order of the fallback")

    def goes_on(self, outcome: Outcome) -> bool:
        """A spent credential leads on whatever the list says: asking it again cannot help."""
        if outcome.is_exhausted:
            return True
        return not outcome.is_success if self.codes is None else outcome.matches(self.codes)
