from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from lockgate.admin.conditions import ConditionBody
from lockgate.admin.credentials import MappingBody
from lockgate.admin.state.document import (
    StateIntegration,
    StateKey,
    StateProvider,
    StateRateLimit,
    StateUsageLimit,
    StateUsagePolicy,
)
from lockgate.admin.state.normal import Normaliser, shown_exactly
from lockgate.errors import InvalidRequest

NORMAL = Normaliser(date(2026, 8, 21), {"vault": "r-1"})


def provider(*limits, rates=()):
    return StateProvider(
        workspace="w", slug="s", integration="i", name="n", usage_limits=list(limits), rate_limits=list(rates)
    )


def test_a_limit_that_names_no_day_counts_from_the_stored_one():
    asked = provider(StateUsageLimit(credit_limit=5, periodic_reset_days=10))
    assert NORMAL(asked, None, "p").usage_limits[0].next_usage_reset_at == datetime(2026, 8, 21, tzinfo=UTC)
    stored = provider(
        StateUsageLimit(credit_limit=9, periodic_reset_days=10, next_usage_reset_at=datetime(2026, 8, 1, tzinfo=UTC))
    )
    assert NORMAL(asked, stored, "p").usage_limits[0].next_usage_reset_at == datetime(2026, 8, 1, tzinfo=UTC)


def test_synonyms_become_one():
    asked = provider(
        StateUsageLimit(credit_limit=Decimal("5.00")), rates=[StateRateLimit(type="tokens", unit="tpm", value=3)]
    )
    found = NORMAL(asked, None, "p")
    assert (found.usage_limits[0].credit_limit, found.rate_limits[0].unit) == (5, "rpm")
    key = StateKey(name="k", scopes=["logs.view", "Completions:Write", "logs.view"])
    assert NORMAL(key, None, "k").scopes == ["completions.write", "logs.view"]
    policy = StateUsagePolicy(
        workspace="w", name="p", credit_limit=3, conditions=[ConditionBody(key="model", value=["@a/*"])]
    )
    assert NORMAL(policy, None, "p").conditions == [ConditionBody(key="model", value="@a/*")]


def test_secret_references_are_known_by_slug_or_id():
    mappings = [MappingBody(target_field="key", secret_reference_id=name) for name in ("vault", "r-1")]
    asked = StateIntegration(slug="i", name="n", ai_provider_id="anthropic", secret_mappings=mappings)
    assert {each.secret_reference_id for each in NORMAL(asked, None, "i").secret_mappings} == {"r-1"}


def test_what_others_hold_has_the_path_of_the_fault():
    with pytest.raises(InvalidRequest) as caught:
        NORMAL(provider(StateUsageLimit(credit_limit=1, alert_threshold=2)), None, "providers[3]")
    assert caught.value.path == "providers[3].usage_limits[0].alert_threshold"


def test_equal_numbers_are_written_alike():
    assert shown_exactly({"a": [Decimal("5.0"), Decimal("0.5"), 5]}) == {"a": [5, Decimal("0.5"), 5]}
