from lockgate.app.explain_text import write_explanation
from lockgate.app.offline import explain_offline, offline_snapshot
from lockgate.plan.explain import described_of

TOML = """
[providers.claude]
type = "anthropic"
api_key = "env:NOWHERE"

[configs.main]
retry = {attempts = 1, on_status_codes = [429], use_retry_after_headers = true}
request_timeout = 1500
cache = {mode = "simple"}

[configs.main.strategy]
mode = "fallback"
on_status_codes = [429]
cb_config = {failure_threshold = 3, cooldown_interval = 30000}

[[configs.main.targets]]
name = "first"
provider = "@claude"
override_params = {model = "claude-x"}
default_params = {max_tokens = 5}
drop_params = ["user", "metadata"]

[[configs.main.targets]]
strategy = {mode = "loadbalance"}
targets = [{provider = "@other", weight = 3}]
"""
EXPECTED = """\
config main

target      config.targets[0] (first), provider @claude
retries     1 upon 429; waits as long as the provider asks
timeout     1.5 s for each try
cache       simple
body        sets model, adds max_tokens where it is missing, cuts out 2 paths
circuit     left out for a while when it keeps failing
because     config: order of the fallback
served by   @claude (anthropic), model claude-x
missing     config.targets[1].targets[0]: @other

if every try ends with
  status 429: 2 tries, 1 s of waiting
    after 1 s config.targets[0]: retry 1 after status 429
    config.targets[1].targets[0]: weight
    end at config.targets[1].targets[0]: nothing left to try
  connection lost: 2 tries, 1 s of waiting
    after 1 s config.targets[0]: retry 1 after connection lost
    end at config.targets[0]: nothing left to try"""


def told(tmp_path, config, *statuses, toml=TOML, **request):
    path = tmp_path / "lockgate.toml"
    path.write_text(toml)
    snapshot = offline_snapshot(path, {}, tmp_path)
    return write_explanation(explain_offline(config, described_of(**request), statuses, snapshot=snapshot))


def test_everything_that_a_person_wants_to_know(tmp_path):
    assert told(tmp_path, "main", 429, 0) == EXPECTED


def test_a_config_that_offers_nothing(tmp_path):
    config = '{"strategy":{"mode":"loadbalance"},"targets":[{"provider":"@claude","weight":0}],"x":1}'
    lines = told(tmp_path, config, 429).splitlines()
    assert lines[0].startswith("config inline-")
    assert lines[2:] == [
        "refused     config: the weights of all targets are 0",
        "warning     path: x, message: " + lines[3].partition("message: ")[2],
        "warning     path: targets, message: the weights of all targets are 0: a request that comes here is refused",
    ]


def test_a_target_that_nobody_serves(tmp_path):
    text = told(tmp_path, '{"provider":"openai","custom_host":"https://x.example.org/v1"}', model="m")
    assert "host        https://x.example.org/v1" in text
    assert "served by   openai, model m" in told(tmp_path, '{"provider":"openai","api_key":"k"}', model="m")
    assert "not served  There is no provider @x" in told(tmp_path, '{"provider":"@x"}')
