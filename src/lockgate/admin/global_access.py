"""What workspaces that are made later get of an integration, as the API shows it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from lockgate.admin.call import Call
from lockgate.admin.limits import RateLimitView, UsageLimitView, write_rate_limit, write_usage_limit
from lockgate.entities import GlobalAccess, Integration


class GlobalAccessView(Struct, frozen=True, kw_only=True):
    """What workspaces that are made later get."""

    enabled: bool
    usage_limits: list[UsageLimitView] | None
    rate_limits: list[RateLimitView] | None


def write_global(call: Call[Any, Any], integration: Integration) -> GlobalAccessView:
    """Return what later workspaces get, for the wire."""
    access: GlobalAccess = integration.global_access
    limits = [
        write_usage_limit(limit, scope="integration", created_at=integration.created_at, now=call.now)
        for limit in access.usage_limits
    ]
    return GlobalAccessView(
        enabled=access.is_enabled,
        usage_limits=limits or None,
        rate_limits=[write_rate_limit(limit) for limit in access.rate_limits] or None,
    )
