from __future__ import annotations

import itertools

from lockgate.entities import GlobalAccess, Integration, Organisation, RateLimit, RatePolicy, UsageLimit
from lockgate.store.limit_ids import identified


def maker():
    numbers = itertools.count(1)
    return lambda: f"id{next(numbers)}"


def test_each_limit_without_an_id_gets_one_wherever_it_stands():
    entity = Integration(
        name="x",
        slug="x",
        provider="x",
        global_access=GlobalAccess(usage_limits=(UsageLimit(cap=1),), rate_limits=(RateLimit(cap=1),)),
        usage_limits=(UsageLimit(id="kept", cap=1), UsageLimit(cap=2)),
    )
    done = identified(entity, maker())
    ids = [limit.id for limit in (*done.global_access.usage_limits, *done.global_access.rate_limits)]
    assert sorted([*ids, done.usage_limits[1].id]) == ["id1", "id2", "id3"]
    assert done.usage_limits[0].id == "kept"
    assert done.usage_limits[1].cap == 2


def test_a_policys_one_limit_gets_one():
    assert identified(RatePolicy(workspace_id="w", name="p", limit=RateLimit(cap=1)), maker()).limit.id == "id1"


def test_what_has_no_limits_stays_itself():
    entity = Organisation(name="x", slug="x")
    assert identified(entity, maker()) is entity
