"""``conditional``: the target of the first condition that holds, else the default one.

Circuits are not asked: what a condition decides stays decided. Source: gateway protocol specification, section 4.6.
"""

from __future__ import annotations

from msgspec import Struct

from lockgate.routing.conditions import Query, holds
from lockgate.routing.outcome import Outcome
from lockgate.routing.scene import Scene
from lockgate.routing.tree import Order, Router


class Rule(Struct, frozen=True):
    """A condition and the child that it leads to. A query that is malformed is None, and never holds."""

    query: Query | None
    index: int


class Conditional(Struct, frozen=True):
    """The rules in order, and the child when none holds."""

    rules: tuple[Rule, ...]
    default: int

    def order(self, router: Router, scene: Scene) -> Order:
        """Return the child of the first rule that holds."""
        for number, rule in enumerate(self.rules):
            if rule.query is not None and holds(rule.query, scene):
                return Order(indexes=(rule.index,), because=f"conditions[{number}]")
        return Order(indexes=(self.default,), because="default")

    def goes_on(self, outcome: Outcome) -> bool:
        """Never."""
        return False
