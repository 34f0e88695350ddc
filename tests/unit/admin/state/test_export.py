from datetime import UTC, date, datetime
from decimal import Decimal

from lockgate.admin.limits import AnchorBody
from lockgate.admin.state.document import StateRateLimit, StateUsageLimit
from lockgate.admin.state.export import export_state, rate_limits, usage_limits
from lockgate.entities import RateLimit, ResetAnchor, UsageLimit
from tests.unit.admin.catalog_plane import make_integration


def test_every_field_of_a_budget():
    limit = UsageLimit(
        id="x", unit="cost", cap=1_500_000_000, alert_at=10**9, alert_permille=(500,), reset="days", reset_days=10,
        reset_on=date(2026, 8, 1), anchor=ResetAnchor(weekday=0, timezone="Europe/Berlin"), mode="soft",
        admission="open", on_unpriced="block", on_outage="deny", note="n", effective_from=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    assert usage_limits([limit]) == [
        StateUsageLimit(
            type="cost", credit_limit=Decimal("1.5"), alert_threshold=1, alert_thresholds=[0.5],
            periodic_reset_days=10, next_usage_reset_at=datetime(2026, 8, 1, tzinfo=UTC),
            reset_anchor=AnchorBody(weekday="monday", timezone="Europe/Berlin"), mode="soft", admission="open",
            on_unpriced="block", on_outage="deny", note="n", effective_from=datetime(2026, 1, 1, tzinfo=UTC),
        )
    ]  # fmt: skip


def test_rates_of_each_kind():
    limits = [RateLimit(unit="tokens", cap=9, window_s=86400), RateLimit(unit="concurrency", cap=3)]
    assert rate_limits(limits) == [
        StateRateLimit(type="tokens", unit="rpd", value=9), StateRateLimit(type="concurrency", unit="max", value=3),
    ]  # fmt: skip


def test_secrets_and_custom_headers_are_left_out_and_references_are_not(plane):
    plane.environment["UP_KEY"] = "sk-canary-0123456789"
    settings = {"custom_headers": {"x": "canary-header"}, "aws_region": "eu", "aws_secret_access_key": "env:UP_KEY"}
    make_integration(plane, slug="main", key="env:UP_KEY", configurations=settings)
    with plane.directory.read() as view:
        (integration,) = export_state(view).integrations
    assert integration.key == "env:UP_KEY"
    assert integration.configurations == {"aws_region": "eu", "aws_secret_access_key": "env:UP_KEY"}
