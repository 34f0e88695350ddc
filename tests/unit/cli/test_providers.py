import pytest

SECRET = "sk-canary-0123456789-9Qx"


def create(ask, *arguments):
    return ask("providers", "create", "claude", "--type", "anthropic", "--key", "-", *arguments, input=SECRET + "\n")


def test_the_life_of_a_provider(run, ask):
    made = create(ask, "--budget", "20/week", "--rate", "9/min")
    assert (made["slug"], made["usage_limits"]["credit_limit"], made["rate_limits"][0]["value"]) == ("claude", 20, 9)
    table = run("providers", "list")
    assert "@claude" in table
    assert "$20/week" in table
    assert SECRET not in table + run("providers", "show", "@claude")
    changed = ask(
        "providers", "update", "claude", "--budget", "30/week", "--host", "https://llm.example.org", "--disable"
    )
    assert (changed["usage_limits"]["credit_limit"], changed["status"]) == (30, "disabled")
    run("providers", "update", "claude", "--key", "-", "--enable", input="sk-other-0123456789\n")
    assert run("providers", "delete", "claude", "--yes") == "Provider @claude is deleted.\n"
    assert "there are no providers" in run("providers", "list")
    # the credential went with it
    assert ask("export")["integrations"] == []
    create(ask)


def test_a_reference_is_kept_as_one(ask):
    ask("providers", "create", "claude", "--type", "anthropic", "--key", "env:NOT_SET_HERE")
    assert ask("export")["integrations"][0]["key"] == "env:NOT_SET_HERE"


@pytest.mark.parametrize(
    "key, words",
    [("env:NOT_SET_HERE", "NOT_SET_HERE is not set here"), ("file:/no/such", "there is no file /no/such here")],
)
def test_a_reference_that_leads_nowhere_is_told(run, key, words):
    assert words in run("providers", "create", "claude", "--type", "anthropic", "--key", key, all=True)


def test_a_reference_that_leads_somewhere_is_not(run, monkeypatch):
    monkeypatch.setenv("SET_HERE", "sk-0123456789")
    assert "SET_HERE" not in run("providers", "create", "c", "--type", "anthropic", "--key", "env:SET_HERE", all=True)


def test_a_provider_lives_in_a_workspace_by_its_name(run, ask):
    made = ask("workspaces", "create", "Billing team")
    assert create(ask, "-w", "Billing team")["workspace_id"] == made["id"]
    assert "@claude" in run("providers", "list", "-w", "Billing team")
    assert "serves @anthropic and @openai by its simulator" in run("providers", "list")


def test_a_second_provider_on_the_same_integration(run, ask):
    create(ask)
    ask("providers", "create", "two", "--integration", "claude")
    run("providers", "delete", "claude", "--yes")
    assert [each["slug"] for each in ask("export")["integrations"]] == ["claude"]
    run("providers", "delete", "two", "--yes")


def test_what_fails_half_way_leaves_nothing(run, ask):
    run(
        "providers", "create", "claude", "--type", "anthropic", "--key", "-", "--budget", "0.001", status=1, input="k\n"
    )
    assert (ask("export")["integrations"], ask("providers", "list")) == ([], [])


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("create", "x", "--type", "nope", "--key", "-"), "unknown provider 'nope'"),
        (("create", "x", "--type", "anthropic", "--key", "sk-plain"), "would be seen by others"),
        (("create", "x", "--type", "anthropic"), "--key is missing"),
        (("create", "x"), "give either --type"),
        (("create", "x", "--type", "anthropic", "--key", "-", "--host", "http://10.0.0.1"), "--host refused"),
        (("create", "x", "--type", "anthropic", "--key", "-", "--host", "http://x.invalid"), "do not resolve"),
        (("create", "x", "--type", "openai-compatible", "--key", "-"), "type openai-compatible needs --host"),
        (("show", "x"), "There is no provider 'x'"),
        (("test", "x"), "There is no provider 'x'"),
        (("delete", "x", "--yes"), "There is no provider 'x'"),
    ],
)
def test_refusals_are_one_sentence(run, arguments, words):
    said = run("providers", *arguments, status=1, input="k\n")
    assert words in said
    assert "sk-plain" not in said


def test_a_credential_is_tried_from_here(run, ask, tmp_path):
    (tmp_path / "lockgate.toml").write_text('[server]\ntrusted_custom_hosts = ["127.0.0.1"]\n')
    create(ask, "--host", "http://127.0.0.1:1")
    assert "Nothing listens at this address" in run("providers", "test", "claude", status=1)


def test_declared_ones_are_listed(run, ask, tmp_path):
    (tmp_path / "lockgate.toml").write_text('[providers.main]\ntype = "anthropic"\napi_key = "env:NOT_SET_HERE"\n')
    assert [(each["slug"], each["source"]) for each in ask("providers", "list")] == [("main", "lockgate.toml")]
    assert "declared in lockgate.toml" in run("providers", "delete", "main", "--yes", status=1)
    assert "comes from lockgate.toml" in run("providers", "test", "main", status=1)
