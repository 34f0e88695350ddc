"""``loadbalance``: one target by chance, as its weight says; the same one again for who is sticky.

The pick is final: a target that fails is not replaced by its neighbour. Who is sticky draws lots that only the caller's
key decides, so that processes which share nothing agree. Source: gateway protocol specification, section 4.5.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from lockgate.routing.outcome import Outcome
from lockgate.routing.scene import Scene
from lockgate.routing.sticky import Sticky, draw
from lockgate.routing.tree import Assignment, Order, Refusal, Router, usable


class LoadBalance(Struct, frozen=True):
    """One of the children, in proportion to ``weights``; those with weight 0 are parked."""

    weights: tuple[float, ...]
    sticky: Sticky | None = None

    def order(self, router: Router, scene: Scene) -> Order | Refusal:
        """Return the child that a caller sticks to, else one by chance."""
        candidates = self._candidates(router, scene)
        if not candidates:
            return Refusal(path=router.path, message=f"{router.path}: the weights of all targets are 0")
        key = self.sticky.key(scene) if self.sticky is not None else None
        if self.sticky is None or key is None:
            return Order(indexes=(self._pick(candidates, scene.roll),), because="weight")
        kept = scene.assigned(key)
        if kept is not None and kept in candidates:
            return Order(indexes=(kept,), because="sticky")
        index = max(candidates, key=lambda at: draw(key, at, self.weights[at]))
        new = Assignment(key=key, index=index, ttl_s=self.sticky.ttl_s, is_replacing=kept is not None)
        return Order(indexes=(index,), because="weight, sticky from now on", assignment=new)

    def goes_on(self, outcome: Outcome) -> bool:
        """Never."""
        return False

    def _candidates(self, router: Router, scene: Scene) -> tuple[int, ...]:
        """Return who has a share: among the usable ones, or among all when no usable one has a share."""
        weighted = tuple(at for at, weight in enumerate(self.weights) if weight > 0)
        if not router.has_breakers:
            return weighted
        healthy = frozenset(usable(router, scene))
        return tuple(at for at in weighted if at in healthy) or weighted

    def _pick(self, candidates: tuple[int, ...], roll: Callable[[], float]) -> int:
        at = roll() * sum(self.weights[index] for index in candidates)
        for index in candidates:
            at -= self.weights[index]
            if at < 0:
                return index
        return candidates[-1]
