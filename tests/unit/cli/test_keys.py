import pytest


def test_the_life_of_a_key(run, ask):
    made = ask("keys", "create", "my app", "--budget", "40/month", "--rate", "60/min", "--metadata", "team=billing")
    assert made["key"].startswith("gk_")
    shown = ask("keys", "show", "my app")
    assert (shown["usage_limits"]["credit_limit"], shown["usage_limits"]["periodic_reset"]) == (40, "monthly")
    assert shown["rate_limits"] == [{"type": "requests", "unit": "rpm", "value": 60}]
    assert (shown["defaults"]["metadata"], shown["scopes"]) == (
        {"team": "billing"},
        ["completions.write", "models.list"],
    )
    table = run("keys", "list")
    assert "my app" in table
    assert "$40/month" in table
    assert made["key"] not in table + run("keys", "show", "my app")
    changed = ask(
        "keys", "update", "my app", "--budget", "none", "--name", "app", "--expires", "2099-01-01", "--disable"
    )
    assert (changed["usage_limits"], changed["name"], changed["status"]) == (None, "app", "disabled")
    assert changed["expires_at"] == "2099-01-01T00:00:00.000Z"
    changed = ask("keys", "update", made["id"], "--never-expires", "--enable", "--rate", "none")
    assert (changed["expires_at"], changed["status"], changed["rate_limits"]) == (None, "active", [])
    text = run("keys", "rotate", "app")
    assert "The old one opens until" in text
    assert "does not open any more" in run("keys", "rotate", "app", "--revoke")
    assert run("keys", "delete", "app", "--yes") == "Key 'app' is deleted.\n"
    assert ask("keys", "list") == []
    assert run("keys", "list") == "there are no keys\n"


def test_a_budget_keeps_what_is_not_said_of_it(run, ask):
    ask("keys", "create", "app", "--budget", "40/month", "--alert", "30", "--on-unpriced", "block")
    changed = ask("keys", "update", "app", "--budget", "60/month")
    limit = changed["usage_limits"]
    assert (limit["credit_limit"], limit["alert_threshold"], limit["on_unpriced"]) == (60, 30, "block")
    assert "warn at $30, refuse models without a price" in run("keys", "show", "app")
    changed = ask("keys", "update", "app", "--alert", "none", "--on-unpriced", "allow")["usage_limits"]
    assert (changed["credit_limit"], changed["alert_threshold"], "on_unpriced" in changed) == (60, None, False)
    assert changed["id"] == limit["id"], "the counter goes on"


def test_how_often_a_key_must_get_another_text(run, ask):
    ask("keys", "create", "app", "--rotate-every", "90d", "--alert-email", "ops@example.org")
    shown = ask("keys", "show", "app")
    assert (shown["rotation_policy"]["rotation_period_days"], shown["alert_emails"]) == (90, ["ops@example.org"])
    assert "every 90d, next 20" in run("keys", "show", "app")
    changed = ask("keys", "update", "app", "--rotate-every", "month", "--alert-email", "none")
    assert (changed["rotation_policy"]["rotation_period"], changed["alert_emails"]) == ("monthly", [])
    assert "every month" in run("keys", "show", "app")
    assert ask("keys", "update", "app", "--rotate-every", "none")["rotation_policy"] is None


def test_an_admin_key_may_all_of_the_organisation(ask):
    ask("keys", "create", "ops", "--admin")
    shown = ask("keys", "show", "ops")
    assert (shown["type"], shown["workspace_id"]) == ("organisation-service", None)
    assert "workspaces.create" in shown["scopes"]


def test_keys_of_the_file_are_listed_and_not_changed(run, ask, tmp_path):
    (tmp_path / "lockgate.toml").write_text(
        '[keys.bot]\nkey = "env:NOT_SET_HERE"\n[keys.other]\nkey = "env:NOR_HERE"\n'
    )
    assert {each["name"]: each["source"] for each in ask("keys", "list")} == {
        "bot": "lockgate.toml", "other": "lockgate.toml",
    }  # fmt: skip
    assert "declared in lockgate.toml" in run("keys", "delete", "bot", "--yes", status=1)


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (("show", "nobody"), 1, "lockgate: there is no key 'nobody'"),
        (("create", "x", "--budget", "much"), 2, "is no budget"),
        (("create", "x", "--scope", "organisation_users.create"), 1, "cannot have organisation_users.create"),
        (("create", "x", "--workspace", "nowhere"), 1, "there is no workspace 'nowhere'"),
        (("create", "x", "--metadata", "nothing"), 2, "expected NAME=VALUE"),
        (("create", "x", "--rotate-every", "often"), 2, "is week, month, a number of days"),
        (("create", "x", "--alert", "5"), 2, "belong to a budget"),
        (("create", "x", "--budget", "0.001"), 1, "must be at least 0.01 dollars"),
    ],
)
def test_refusals_are_one_sentence(run, arguments, status, words):
    said = run("keys", *arguments, status=status)
    assert words in said
    assert "Traceback" not in said


def test_two_of_one_name_are_told_apart_by_id(run, ask):
    first, second = ask("keys", "create", "same")["id"], ask("keys", "create", "same")["id"]
    said = run("keys", "delete", "same", "--yes", status=1)
    assert first in said
    assert second in said
    run("keys", "delete", first, "--yes")
    assert ask("keys", "show", "same")["id"] == second


def test_without_a_terminal_deletion_must_be_sure(run, ask):
    ask("keys", "create", "app")
    assert "add --yes" in run("keys", "delete", "app", status=1)
    assert len(ask("keys", "list")) == 1


def test_keys_of_one_name_are_told_apart_by_their_ids(run, ask):
    first = ask("keys", "create", "app", "--budget", "40/month")
    assert "note" not in run("keys", "create", "other", all=True)
    second = ask("keys", "create", "app", "--budget", "50/month")
    table = run("keys", "list")
    assert first["id"] in table
    assert second["id"] in table
    said = run("keys", "show", "app", status=1)
    assert "there are 2 keys named 'app'; say which one by its id" in said
    assert f"{first['id']} (gk_" in said
    assert ask("keys", "show", second["id"])["usage_limits"]["credit_limit"] == 50
    assert first["id"] in run("budgets", "list")
    assert ask("budgets", "update", f"key:{second['id']}", "60/month")


def test_a_second_key_of_a_name_is_told(run):
    run("keys", "create", "app")
    assert "2 keys are named 'app' now" in run("keys", "create", "app", all=True)


def test_a_workspace_may_be_given_by_its_name(run, ask):
    made = ask("workspaces", "create", "Billing team")
    key = ask("keys", "create", "app", "-w", "Billing team")
    assert ask("keys", "show", key["id"])["workspace_id"] == made["id"]
    assert [each["id"] for each in ask("keys", "list", "-w", "Billing team")] == [key["id"]]
    assert run("keys", "list", "-w", "nope", status=1) == "lockgate: there is no workspace 'nope'\n"


@pytest.mark.parametrize("option", [("--budget", "40/month"), ("--alert", "30"), ("--on-unpriced", "block")])
def test_an_admin_key_has_no_budget(run, ask, option):
    assert "an admin key calls no models" in run("keys", "create", "ops", "--admin", *option, status=1)
    assert ask("keys", "list") == []


def test_a_provider_that_is_not_there_is_told_with_those_that_may_be(run):
    said = run("keys", "create", "app", "--provider", "nope", status=1)
    assert "there is no provider 'nope'" in said
    assert "it may be one of: anthropic, openai" in said
    run("keys", "create", "app", "--provider", "anthropic")
