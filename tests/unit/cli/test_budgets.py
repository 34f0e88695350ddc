import pytest


@pytest.fixture
def owners(ask):
    ask("keys", "create", "app")
    ask("providers", "create", "claude", "--type", "anthropic", "--key", "-", input="sk-canary\n")
    return ("key:app", "provider:claude", "workspace:ws-shared")


def test_the_life_of_budgets(run, ask, owners):
    assert "there are no budgets" in run("budgets", "list")
    for owner in owners:
        assert "has no budget" in run("budgets", "show", owner)
        assert "$40/month, $0 used, $40 left" in run("budgets", "create", owner, "40/month")
        assert "has a budget of $40/month" in run("budgets", "create", owner, "50/month", status=1)
        (row,) = ask("budgets", "update", owner, "50/month")
        assert (row["budget"]["credit_limit"], row["usage"]["remaining"]) == (50, 50)
        assert "$50/month" in run("budgets", "show", owner)
        run("budgets", "reset", owner)
    listed = {row["owner"]: row["budget"]["credit_limit"] for row in ask("budgets", "list")}
    assert listed == {"key:app": 50, "provider:ws-shared/claude": 50, "workspace:ws-shared": 50}
    assert "provider:ws-shared/claude" in run("budgets", "list")
    assert "$50/month" in run("budgets", "show", "provider:ws-shared/claude")
    for owner in owners:
        run("budgets", "delete", owner, "--yes")
    assert ask("budgets", "list") == []


def test_what_is_not_said_of_a_budget_stays(run, ask, owners):
    for owner in owners:
        run("budgets", "create", owner, "40/month", "--alert", "30", "--on-unpriced", "block")
        (row,) = ask("budgets", "update", owner, "60/month")
        assert (row["budget"]["alert_threshold"], row["budget"]["on_unpriced"]) == (30, "block")
        (row,) = ask("budgets", "update", owner, "--alert", "50")
        assert (row["budget"]["credit_limit"], row["budget"]["alert_threshold"]) == (60, 50)
        assert "warn at $50, refuse models without a price" in run("budgets", "show", owner)


def test_a_workspace_may_have_one_of_each_kind(run, ask):
    run("budgets", "create", "workspace:ws-shared", "40/month")
    rows = ask("budgets", "update", "workspace:ws-shared", "1000tokens/week")
    assert {row["budget"]["type"]: row["budget"]["credit_limit"] for row in rows} == {"cost": 40, "tokens": 1000}


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (("create", "key:nobody", "5"), 1, "there is no key 'nobody'"),
        (("create", "somebody", "5"), 1, "is nobody"),
        (("create", "workspace:ws-shared", "much"), 2, "is no budget"),
        (("create", "workspace:ws-shared", "none"), 1, "lockgate budgets delete"),
        (("update", "workspace:ws-shared"), 1, "what is to change?"),
        (("delete", "workspace:ws-shared"), 1, "add --yes"),
    ],
)
def test_refusals_are_one_sentence(run, arguments, status, words):
    assert words in run("budgets", *arguments, status=status)


def test_counters_are_compared_with_the_ledger(run, ask):
    assert "there are no budgets" in run("budgets", "check")
    run("keys", "create", "app", "--budget", "40/month")
    (row,) = ask("budgets", "list")
    (checked,) = ask("budgets", "check")
    assert checked == {
        "budget": "key:app", "budget_id": row["budget"]["id"], "group": None, "unit": "usd", "counted": 0,
        "ledger": None, "difference": 0, "verdict": "not in the ledger yet",
    }  # fmt: skip
    assert "not in the ledger yet" in run("budgets", "check", "--repair")


def test_one_of_several_is_meant(run, ask):
    run("budgets", "create", "workspace:ws-shared", "40/month")
    run("workspaces", "update", "ws-shared", "--add-budget", "10/week")
    rows = ask("budgets", "update", "workspace:ws-shared", "50/month")
    assert sorted(row["budget"]["credit_limit"] for row in rows) == [10, 50]
    run("budgets", "update", "workspace:ws-shared", "--which", "10/week", "--alert", "9")
    assert rows[0]["budget"]["id"] in run("budgets", "show", "workspace:ws-shared")
    assert "any more" in run("budgets", "delete", "workspace:ws-shared", "--which", "10/week", "--yes")
    assert [row["budget"]["credit_limit"] for row in ask("budgets", "list")] == [50]
