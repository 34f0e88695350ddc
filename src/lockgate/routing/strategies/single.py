"""``single``: the first target that is not left out."""

from __future__ import annotations

from msgspec import Struct

from lockgate.routing.outcome import Outcome
from lockgate.routing.scene import Scene
from lockgate.routing.tree import Order, Router, usable


class Single(Struct, frozen=True):
    """One target."""

    def order(self, router: Router, scene: Scene) -> Order:
        """Return the first usable child."""
        return Order(indexes=usable(router, scene)[:1], because="first target")

    def goes_on(self, outcome: Outcome) -> bool:
        """Never."""
        return False
