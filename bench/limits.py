"""A key that falls under three budgets and two rates, for what they cost a request."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from lockgate.core.limits import MAX_AMOUNT, MAX_RATE, Claim
from lockgate.entities import ApiKey, RateLimit, UsageLimit
from lockgate.plan.limits import claims_of
from lockgate.store.api_keys import issue_key
from lockgate.store.bootstrap import FirstStart, begin
from lockgate.store.directory import open_directory

SCOPES = ("completions.write",)
USAGE_LIMITS = (
    UsageLimit(unit="cost", cap=MAX_AMOUNT, reset="monthly"),
    UsageLimit(unit="tokens", cap=MAX_AMOUNT, reset="weekly"),
    UsageLimit(unit="requests", cap=MAX_AMOUNT),
)
RATE_LIMITS = (
    RateLimit(unit="requests", cap=MAX_RATE, window_s=60),
    RateLimit(unit="tokens", cap=MAX_RATE, window_s=60),
)


def limited_claims() -> tuple[Claim, ...]:
    """Return the same limits as a snapshot holds them."""
    usage = [replace(limit, id=f"u{number}") for number, limit in enumerate(USAGE_LIMITS)]
    rates = [replace(limit, id=f"r{number}") for number, limit in enumerate(RATE_LIMITS)]
    now = datetime.now(UTC)
    return claims_of(usage, rates, scope="key", name="limited", created_at=now, now=now)


def make_limited_key(home: Path) -> str:
    """Make a database in a state folder, and return the text of the key in it."""
    home.mkdir(parents=True, exist_ok=True)
    directory = open_directory(url=None, home=home, environment={})
    try:
        begun = begin(
            directory,
            FirstStart(service_scopes=SCOPES, admin_scopes=(), makes_service_key=False, makes_admin_key=False),
        )
        with directory.change() as tx:
            key = ApiKey(
                organisation_id=begun.organisation_id,
                workspace_id=begun.workspace_id,
                name="limited",
                kind="workspace-service",
                scopes=SCOPES,
                usage_limits=USAGE_LIMITS,
                rate_limits=RATE_LIMITS,
            )
            return issue_key(tx, key).text.reveal()
    finally:
        directory.close()
