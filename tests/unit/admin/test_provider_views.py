from lockgate.errors import CountersUnreachable
from tests.unit.admin.catalog_plane import make_integration, spend, target


def test_both_views_say_the_same(plane):
    make_integration(plane, "service", slug="p")
    provider, key = plane.ok("GET", "/providers/p"), plane.ok("GET", "/virtual-keys/p")
    assert {name: key[name] for name in provider if name != "object"} == {
        name: value for name, value in provider.items() if name != "object"
    }


def test_while_counters_are_away_nobody_knows_what_is_used(plane, monkeypatch):
    make_integration(plane, "service", slug="p")
    plane.ok("PUT", "/providers/p", json={"usage_limits": {"credit_limit": 1}})
    spend(plane, target(plane, "p").claims[0], nanos=10**9)

    async def away(claims):
        raise CountersUnreachable("away")

    monkeypatch.setattr(plane.counters, "usage", away)
    shown = plane.ok("GET", "/providers/p")
    assert (shown["usage"], shown["status"]) == (None, "active")
