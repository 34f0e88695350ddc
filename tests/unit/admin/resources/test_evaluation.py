import pytest

from lockgate.core.limits import Claim, Demand, Spent
from lockgate.core.secret import Secret
from lockgate.entities import ApiKey, Integration, ProviderRecord, RateLimit, UsageLimit
from lockgate.plan.limits import budget_of

PATH = "/policies/evaluate"


def evaluate(plane, key="service", **body):
    return plane.ok("POST", PATH, key, json=body)


def scopes(found):
    return [limit["scope"] for limit in found["limits"]]


@pytest.fixture
def limited(plane):
    """A key, its workspace and a provider, each with a limit."""
    made = plane.ok(
        "POST", "/api-keys/workspace/service",
        json={"name": "bot", "usage_limits": {"type": "tokens", "credit_limit": 100}, "defaults": {"metadata": {"team": "a"}}},
    )  # fmt: skip
    plane.ok("PUT", f"/admin/workspaces/{plane.home.slug}", json={"rate_limits": [{"unit": "rpm", "value": 10}]})
    with plane.directory.change() as tx:
        own = {"organisation_id": plane.organisation.id, "workspace_id": plane.home.id}
        integration = tx.insert(
            Integration(name="i", slug="i", provider="anthropic", rate_limits=(RateLimit(cap=9),), **own),
            secrets={"key": Secret("sk-ant-0123456789")},
        )
        tx.insert(
            ProviderRecord(
                integration_id=integration.id, slug="claude", name="c", usage_limits=(UsageLimit(cap=10**9),), **own
            )
        )
    return made["id"]


def test_a_request_without_limits_passes(plane):
    assert evaluate(plane) == {
        "verdict": "allow", "status": 200, "denied_by": None, "limits": [], "object": "policy_evaluation",
    }  # fmt: skip


def test_all_levels_show_what_is_left(plane, limited):
    found = evaluate(plane, key_id=limited, provider="@claude", model="claude-sonnet-4-5")
    assert scopes(found) == ["key", "workspace", "provider", "integration"]
    key, workspace, provider, _ = found["limits"]
    assert (key["kind"], key["type"], key["limit"], key["remaining"], key["verdict"]) == (
        "budget",
        "tokens",
        100,
        100,
        "allow",
    )
    assert (workspace["kind"], workspace["unit"], workspace["limit"], workspace["used"]) == ("rate", "rpm", 10, 0)
    assert (provider["type"], provider["limit"]) == ("cost", 1)


def test_policies_by_their_conditions(plane, limited):
    for name, conditions, groups in (
        ("team", [{"key": "metadata.team", "value": "a"}], ["metadata.team"]),
        ("person", [{"key": "metadata._user", "value": "*", "excludes": "bot"}], ["metadata._user"]),
        ("model", [{"key": "model", "value": "@claude/*"}], []),
        ("other", [{"key": "provider", "value": "openai"}], []),
    ):
        body = {"name": name, "credit_limit": 5, "conditions": conditions, "group_by": groups}
        plane.ok("POST", "/policies/usage-limits", json=body)

    def policies(**body):
        return {
            limit["name"]: limit["value_key"]
            for limit in evaluate(plane, **body)["limits"] if limit["scope"] == "policy"
        }  # fmt: skip

    assert policies() == {}
    assert policies(key_id=limited) == {"team": "metadata.team:a"}
    assert policies(metadata={"_user": "maria"}) == {"person": "metadata._user:maria"}
    assert policies(metadata={"_user": "bot"}) == {}
    assert policies(provider="claude", model="m") == {"model": None}
    assert policies(model="@claude/m") == {"model": None}


def test_what_is_used_up_denies(plane, limited):
    with plane.directory.read() as view:
        key = view.get(ApiKey, limited)
    budget = budget_of(key.usage_limits[0], scope="key", name="bot", created_at=key.created_at)

    async def charge():
        grant = await plane.counters.reserve(Demand(claims=(Claim(budget),), tokens=100))
        plane.counters.settle(grant, Spent(tokens=100))

    plane.run(charge())
    found = evaluate(plane, key_id=limited)
    assert (found["verdict"], found["status"], found["denied_by"]) == ("deny", 412, budget.id)
    plane.ok("PUT", f"/admin/workspaces/{plane.home.slug}", json={"rate_limits": [{"unit": "rpm", "value": 0}]})
    found = evaluate(plane, key_id=limited)
    assert (found["status"], found["denied_by"] != budget.id) == (429, True)


def test_nothing_is_counted(plane, limited):
    for _ in range(20):
        assert evaluate(plane, key_id=limited)["verdict"] == "allow"


def test_strangers(plane, limited):
    plane.refused(400, "POST", PATH, "other", json={"key_id": limited})
    plane.refused(403, "POST", PATH, "other", json={"workspace_id": plane.home.slug})
    assert scopes(evaluate(plane, "admin", key_id=limited)) == ["key", "workspace"]
    assert scopes(evaluate(plane, "user")) == ["workspace"]
