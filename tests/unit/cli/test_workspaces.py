from unittest.mock import ANY

import pytest

from lockgate.cli.amounts import shown_budget


def test_the_life_of_a_workspace(run, ask):
    made = ask("workspaces", "create", "Research", "--slug", "ws-research", "--budget", "500/month")
    assert (made["slug"], made["usage_limits"][0]["credit_limit"]) == ("ws-research", 500)
    assert "ws-research" in run("workspaces", "list")
    changed = ask("workspaces", "update", "Research", "--name", "Labs", "--rate", "9/s", "--reset-usage")
    assert (changed["name"], changed["rate_limits"]) == ("Labs", [{"type": "requests", "unit": "rps", "value": 9}])
    assert "Labs" in run("workspaces", "show", "ws-research")
    ask("keys", "create", "k", "--workspace", "ws-research")
    assert "still contains 1 API key" in run("workspaces", "delete", "Labs", "--yes", status=1)
    assert run("workspaces", "delete", "Labs", "--yes", "--force") == "Workspace ws-research is deleted.\n"
    assert [each["is_default"] for each in ask("workspaces", "list")] == [1]
    assert "default one" in run("workspaces", "delete", "Shared Team Workspace", "--yes", status=1)


@pytest.fixture
def budgets(ask):
    """Change the budgets of a workspace that has three; return them as they are then."""
    ask("workspaces", "create", "Research", "--slug", "ws-research", "--budget", "500/month", "--alert", "400")
    ask("workspaces", "update", "Research", "--add-budget", "100/week", "--add-budget", "1000tokens/month")

    def change(*options):
        found = ask("workspaces", "update", "Research", *options) if options else ask("workspaces", "show", "Research")
        return {shown_budget(each): each["id"] for each in found["usage_limits"]}

    return change


def test_one_budget_of_several_is_changed_and_the_others_stay(budgets):
    before = budgets()
    assert list(before) == ["$500/month", "$100/week", "1000 tokens/month"]
    after = budgets("--budget", "600/month")
    assert after == {
        "$600/month": before["$500/month"],
        "$100/week": before["$100/week"],
        "1000 tokens/month": before["1000 tokens/month"],
    }
    assert budgets("--budget", "2000tokens/month")["2000 tokens/month"] == before["1000 tokens/month"]
    assert budgets("--which", before["$100/week"], "--budget", "90/week")["$90/week"] == before["$100/week"]
    assert len(budgets("--which", "90/week", "--budget", "10/30d")) == 3
    assert list(budgets("--budget", "5/2d")) == ["$600/month", "$10/30d", "2000 tokens/month", "$5/2d"]


def test_a_budget_is_taken_away(budgets):
    before = budgets()
    assert budgets("--remove-budget", "500/month") == {
        name: before[name] for name in ("$100/week", "1000 tokens/month")
    }
    assert budgets("--remove-budget", before["$100/week"], "--add-budget", "7") == {
        "1000 tokens/month": before["1000 tokens/month"],
        "$7": ANY,
    }
    assert budgets("--budget", "none") == {}


@pytest.mark.parametrize(
    "options, words",
    [
        (("--alert", "5"), "which budget is meant?"),
        (("--which", "500/month"), "say how with --budget"),
        (("--which", "1/month", "--budget", "2/month"), "no budget is '1/month'"),
        (("--which", "500/month", "--budget", "5tokens/month"), "keeps its unit"),
        (("--remove-budget", "501/month"), "500/month (id"),
        (("--add-budget", "none"), "wants a budget"),
    ],
)
def test_what_is_not_clear_is_refused_with_what_there_is(run, budgets, options, words):
    said = run("workspaces", "update", "Research", *options, status=2)
    assert words in " ".join(said.replace("│", " ").split())
    assert len(budgets()) == 3


def test_alerts_of_the_others_stay(ask, budgets):
    found = ask("workspaces", "update", "Research", "--which", "100/week", "--alert", "80")["usage_limits"]
    assert [each["alert_threshold"] for each in found] == [400, 80, None]
