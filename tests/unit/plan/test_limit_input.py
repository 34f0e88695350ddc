from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from msgspec import structs

from lockgate.config import RateLimitSettings, UsageLimitSettings
from lockgate.errors import InvalidRequest
from lockgate.plan.limit_input import below, read_rate_limit, read_usage_limit
from tools.files import ROOT

TODAY = date(2026, 8, 21)


@pytest.mark.parametrize(
    "amount, nanos", [(1, 10**9), (Decimal("0.000000001") + 1, 10**9 + 1), (0.1, 10**8), (1e-2, 10**7)]
)
def test_money_is_exact_however_it_is_written(amount, nanos):
    assert read_usage_limit(UsageLimitSettings(credit_limit=amount), None, "", TODAY).cap == nanos


@pytest.mark.parametrize(
    "type, least, below_it, text",
    [("cost", 0.01, 0.009, "0.01 dollars"), ("tokens", 100, 99, "100 tokens"), ("requests", 1, 0.5, "1 request")],
)
def test_the_smallest_budgets_are_those_of_the_documents(type, least, below_it, text):
    assert read_usage_limit(UsageLimitSettings(type=type, credit_limit=least), None, "", TODAY).cap > 0
    with pytest.raises(InvalidRequest, match="credit_limit"):
        read_usage_limit(UsageLimitSettings(type=type, credit_limit=below_it), None, "", TODAY)
    for page in ("how-to/keys-and-budgets.md", "reference/admin-api.md", "reference/configuration.md"):
        assert text in (ROOT / "docs" / page).read_text(), page


@pytest.mark.parametrize(
    "asked, old_day, day",
    [
        (None, None, TODAY),
        (None, date(2026, 8, 1), date(2026, 8, 1)),
        (datetime(2026, 8, 31, tzinfo=UTC), date(2026, 8, 1), date(2026, 8, 1)),
        (datetime(2026, 8, 30, tzinfo=UTC), date(2026, 8, 1), date(2026, 8, 30)),
    ],
)
def test_days_are_counted_from_where_they_were(asked, old_day, day):
    body = UsageLimitSettings(credit_limit=5, periodic_reset_days=10, next_usage_reset_at=asked)
    old = None
    if old_day is not None:
        old = structs.replace(read_usage_limit(body, None, "", TODAY), reset_on=old_day)
    assert read_usage_limit(body, old, "", TODAY).reset_on == day


@pytest.mark.parametrize("path, where", [("", "credit_limit"), ("usage_limits[1]", "usage_limits[1].credit_limit")])
def test_the_path_says_where(path, where):
    with pytest.raises(InvalidRequest) as caught:
        read_usage_limit(UsageLimitSettings(type="tokens", credit_limit=99), None, path, TODAY)
    assert caught.value.path == where


@pytest.mark.parametrize(
    "type, unit, window_s", [("requests", "rps", 1), ("tokens", "tph", 3600), ("tokens", "rpw", 604800)]
)
def test_windows_of_rates(type, unit, window_s):
    assert read_rate_limit(RateLimitSettings(type=type, unit=unit, value=1), "").window_s == window_s


def test_concurrency_has_a_unit_of_its_own():
    assert read_rate_limit(RateLimitSettings(type="concurrency", unit="max", value=3), "").unit == "concurrency"
    for type, unit in (("requests", "max"), ("concurrency", "rph"), ("requests", "tpm")):
        with pytest.raises(InvalidRequest):
            read_rate_limit(RateLimitSettings(type=type, unit=unit, value=3), "")


def test_where_a_field_is():
    assert below("", "unit") == "unit"
    assert below("a[0]", "unit") == "a[0].unit"
