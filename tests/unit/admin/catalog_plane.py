"""What the tests of the model catalogue share."""

from __future__ import annotations

from typing import Any

from lockgate.core.limits import Claim, Demand, Spent
from lockgate.plan.snapshot import Target
from tests.unit.admin.plane import Plane

SECRET = "sk-canary-0123456789-9Qx"


def make_integration(plane: Plane, who: str = "admin", **body: Any) -> dict[str, Any]:
    """Make an integration for Anthropic."""
    return plane.ok("POST", "/integrations", who, json={"ai_provider_id": "anthropic", "key": SECRET} | body)


def target(plane: Plane, slug: str, workspace: Any = None) -> Target:
    """Return what serves under a slug."""
    return plane.snapshot.workspaces[(workspace or plane.home).id].targets[slug]


def spend(plane: Plane, claim: Claim, *, nanos: int = 0, tokens: int = 0, reserved: int = 0) -> None:
    """Charge one limit, and leave something reserved."""

    async def work() -> None:
        grant = await plane.counters.reserve(Demand(claims=(claim,), nanos=nanos, tokens=tokens))
        plane.counters.settle(grant, Spent(nanos=nanos, tokens=tokens))
        if reserved:
            await plane.counters.reserve(Demand(claims=(claim,), nanos=reserved))

    plane.run(work())
