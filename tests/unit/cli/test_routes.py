import json

import pytest
from typer.testing import CliRunner

from lockgate.cli import cli
from tests.unit.cli.kept import record, write_records

FALLBACK = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@claude"}, {"provider": "openai"}]}
TOML = """
[providers.claude]
type = "anthropic"
api_key = "k"
[configs.main]
provider = "@claude"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "lockgate.toml").write_text(TOML)
    (tmp_path / "routes.json").write_text(json.dumps(FALLBACK))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LOCKGATE_CONFIG", raising=False)
    return tmp_path


def run(*arguments, **options):
    return CliRunner().invoke(cli, ["routes", "explain", *arguments], **options)


def told(*arguments, **options):
    done = run(*arguments, "--json", **options)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "config", ["main", "routes.json", "./routes.json", json.dumps(FALLBACK), " " + json.dumps(FALLBACK)]
)
def test_a_config_by_slug_file_or_text(config):
    assert told(config)["target"]["provider"] == "@claude"


def test_people_get_text():
    done = run("main", "--model", "claude-x", "-s", "429")
    assert done.exit_code == 0
    assert "served by   @claude (anthropic), model claude-x" in done.stdout
    assert "  status 429: 1 try" in done.stdout


def test_statuses_are_those_that_are_named():
    failures = [one["failure"] for one in told("routes.json", "-s", "0", "--status", "500")["what_if"]]
    assert failures == ["connection lost", "status 500"]
    assert len(told("routes.json")["what_if"]) == 6


def test_the_request_is_what_the_options_say(folder):
    conditions = [
        {"query": {"metadata.tier": "gold", "params.model": "m", "url.pathname": "/v1/messages"}, "then": "a"}
    ]
    config = {
        "strategy": {"mode": "conditional", "conditions": conditions, "default": "b"},
        "targets": [{"name": "a", "provider": "@claude"}, {"name": "b", "provider": "@claude"}],
    }
    text = json.dumps(config)
    assert told(text)["target"]["name"] == "b"
    (folder / "body.json").write_text('{"model": "m"}')
    for body in (["--model", "m"], ["--body", '{"model": "m"}'], ["--body", "body.json"]):
        for tier in (["-m", "tier=gold"], ["-H", 'x-portkey-metadata: {"tier": "gold"}']):
            assert told(text, *body, *tier, "--path", "/v1/messages")["target"]["name"] == "a"
    read = told(text, "--body", "-", "-m", "tier=gold", "--path", "/v1/messages", input='{"model": "m"}')
    assert read["target"]["name"] == "a"


def test_the_dice_can_be_turned():
    text = json.dumps({**FALLBACK, "strategy": {"mode": "loadbalance"}})
    assert [told(text, "--roll", roll)["target"]["path"] for roll in ("0.1", "0.9")] == [
        "config.targets[0]",
        "config.targets[1]",
    ]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nope"], "There is no config 'nope' in this workspace; saved here: main"),
        (["nope.json"], "CONFIG: cannot read nope.json: No such file or directory"),
        (['{"weight": -1, "provider": "x"}'], "weight: expected `float` >= 0.0"),
        (["main", "--body", "nope"], "--body: cannot read nope"),
        (["main", "--body", "{"], "The body is not valid JSON"),
        (["main", "-m", "x"], "--metadata: expected NAME=VALUE, got 'x'"),
        (["main", "-H", ":x"], "--header: expected NAME:VALUE, got ':x'"),
        (["main", "-s", "99"], "--status: must be 0 or a status from 100 to 599, got 99"),
        (["main", "--roll", "1"], "--roll: must be from 0 to below 1, got 1"),
        (["main", "--workspace", "x"], "There is no workspace 'x'"),
        (["main", "-c", "nope.toml"], "there is no configuration file nope.toml"),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments, message):
    done = run(*arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith("lockgate: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "config",
    [
        '{"provider": "@nope"}',
        '{"strategy": {"mode": "fallback"}, "targets": [{"provider": "@claude"}, {"provider": "@nope"}]}',
        '{"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@claude", "weight": 0}]}',
    ],
    ids=["the only provider", "the second provider", "all parked"],
)
def test_a_config_that_cannot_do_what_it_says_ends_with_a_fault(config):
    done = run(config)
    assert done.exit_code == 1
    assert ("@nope" if "@nope" in config else "the weights of all targets are 0") in done.stdout
    assert run(config, "--json").exit_code == 1


def test_all_faults_of_a_config_are_told():
    done = run('{"targets": [{"weight": -1}, {"retry": {}}]}')
    assert "targets.0.weight: expected" in done.stderr
    assert "targets.1.retry.attempts: this field is required" in done.stderr


def test_check_counts_configs_and_notes_what_the_file_does_not_say(folder):
    path = folder / "lockgate.toml"
    path.write_text(TOML + '[configs.other]\nprovider = "@x"\n')
    done = CliRunner().invoke(cli, ["check", "lockgate.toml"])
    assert (done.exit_code, done.stdout) == (0, "lockgate.toml is right; providers: 1, keys: 0, configs: 2.\n")
    assert done.stderr.startswith("note: lockgate.toml:8: configs.other.provider: @x is neither in the file")
    path.write_text(TOML + "weight = -1\n")
    done = CliRunner().invoke(cli, ["check", "lockgate.toml"])
    assert done.exit_code == 1
    assert done.stderr.startswith("lockgate: lockgate.toml:7: configs.main.weight: expected")


# ---- rehearse


def rehearsed(folder, config, *arguments):
    done = CliRunner().invoke(
        cli, ["routes", "rehearse", json.dumps(config), "--since", "2023-11-01T00:00", *arguments]
    )
    assert done.exit_code == 0, done.output
    return done


BY_TEAM = {
    "strategy": {
        "mode": "conditional",
        "conditions": [
            {"query": {"metadata.team": "search"}, "then": "openai"},
            {"query": {"params.model": "@anthropic/claude", "params.max_tokens": {"$gt": 5}}, "then": "openai"},
        ],
        "default": "claude",
    },
    "targets": [{"name": "claude", "provider": "@claude"}, {"name": "openai", "provider": "@openai"}],
}


@pytest.fixture
def kept(folder):
    records = [record(number, metadata={"team": "search" if number % 4 == 0 else "ads"}) for number in range(8)]
    (folder / "lockgate.toml").write_text(TOML + '[providers.openai]\ntype = "openai"\napi_key = "k"\n')
    write_records(folder / "home", [*records, record(9, route="files")])
    return folder


def test_recorded_requests_are_rehearsed(kept):
    found = json.loads(rehearsed(kept, BY_TEAM, "--json").stdout)
    assert found["requests"] == 8, "files are no model calls"
    assert [(s["path"], s["provider"], s["requests"], s["moved"]) for s in found["shares"]] == [
        ("config.targets[0]", "@claude", 6, 6),
        ("config.targets[1]", "@openai", 2, 2),
    ]
    assert [share["because"] for share in found["shares"]] == [{"default": 6}, {"conditions[0]": 2}]
    assert [share["cost_nano"] for share in found["shares"]] == [6 * 35_000, 2 * 35_000]
    assert [share["tokens"] for share in found["shares"]] == [90, 30]
    assert found["unknown"] == ["params.max_tokens"]


def test_people_get_a_table_and_are_told_what_records_do_not_hold(kept):
    done = rehearsed(kept, BY_TEAM)
    assert "75.0 %" in done.stdout
    assert "records do not hold params.max_tokens: it counted as missing" in done.stderr


def test_a_query_selects_what_is_rehearsed(kept):
    assert json.loads(rehearsed(kept, BY_TEAM, "meta.team=search", "--json").stdout)["requests"] == 2
    assert "there are no such records" in rehearsed(kept, BY_TEAM, "meta.team=nobody").stdout


@pytest.mark.parametrize("asked", [[], ["--json"]], ids=["table", "json"])
def test_a_provider_that_is_not_there_is_named_and_the_status_is_1(kept, asked):
    halves = {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@claude"}, {"provider": "@ghost"}]}
    done = CliRunner().invoke(cli, ["routes", "rehearse", json.dumps(halves), "--since", "2023-11-01T00:00", *asked])
    assert done.exit_code == 1
    if asked:
        assert json.loads(done.stdout)["missing_providers"] == ["config.targets[1]: @ghost"]
    else:
        assert "missing config.targets[1]: @ghost: there is no such provider" in done.stderr


def test_the_dice_of_a_rehearsal_are_seeded(kept):
    halves = {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@claude"}, {"provider": "@openai"}]}
    first, again, other = (rehearsed(kept, halves, "--json", "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert first == again
    assert sum(share["requests"] for share in json.loads(other)["shares"]) == 8


@pytest.mark.parametrize("config", ["{", '{"provider": "@a b"}', "nobody"])
def test_a_config_that_is_wrong_is_not_rehearsed(kept, config):
    done = CliRunner().invoke(cli, ["routes", "rehearse", config])
    assert (done.exit_code, done.stdout) == (1, "")
