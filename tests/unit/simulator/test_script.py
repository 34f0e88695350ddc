import pytest

from lockgate.simulator.script import Match, RawBody, Rule, Script, ScriptError, ScriptRun, load_script, read_script

TOML = b"""
[[rules]]
match = { model = "haiku", nth = 2 }
fault = { status = 529 }

[[rules]]
match = { header = "x-team: red", text_contains = "please", path = "/v1/chat" }
times = 1
answer = { text = "no" }

[raw.page]
body = "<html>"
content_type = "text/html"
"""


def find(run, *, path="/v1/messages", headers=None, model="claude-haiku-4-5", text=""):
    return run.find(path=path, headers=headers or {}, model=model, text=text)


def test_a_script_is_read_from_toml_and_json(tmp_path):
    script = read_script(TOML, is_toml=True)
    assert script.rules[0].match == Match(model="haiku", nth=2)
    assert script.raw["page"].data() == b"<html>"
    (tmp_path / "script.toml").write_bytes(TOML)
    assert load_script(tmp_path / "script.toml") == script
    (tmp_path / "script.json").write_text('{"rules": [{"fault": {"status": 500}}]}')
    assert load_script(str(tmp_path / "script.json")).rules[0].fault == {"status": 500}


def test_a_raw_body_may_be_base64():
    assert RawBody(body_base64="AAE=").data() == b"\0\1"


@pytest.mark.parametrize(
    "data",
    [b"{", b'{"rulez": []}', b'{"rules": [{"fault": {"statuss": 1}}]}', b'{"rules": [{"match": {"nth": "x"}}]}'],
)
def test_a_script_that_means_nothing_is_refused(data):
    with pytest.raises(ScriptError):
        read_script(data)


def test_no_script_has_no_rules():
    assert load_script(None) == Script()


def test_the_nth_fitting_request_is_met_and_no_other():
    run = ScriptRun(read_script(TOML, is_toml=True))
    assert find(run, model="gpt-4o") == {}
    assert [find(run) for _ in range(3)] == [{}, {"status": 529}, {}]


def test_a_rule_is_used_up():
    run = ScriptRun(read_script(TOML, is_toml=True))
    fitting = {"path": "/v1/chat/completions", "headers": {"x-team": "dark red? x-team: red"}, "text": "yes please"}
    assert find(run, **fitting, model="gpt-4o") == {"text": "no"}
    assert find(run, **fitting, model="gpt-4o") == {}


@pytest.mark.parametrize(
    "match, fits",
    [
        (Match(), True),
        (Match(path="/v1/messages"), True),
        (Match(path="/v1/chat"), False),
        (Match(model="haiku"), True),
        (Match(model="opus"), False),
        (Match(header="X-Team"), True),
        (Match(header="x-team: re"), True),
        (Match(header="x-team: blue"), False),
        (Match(header="x-other"), False),
        (Match(text_contains="b c"), True),
        (Match(text_contains="d"), False),
    ],
)
def test_everything_that_is_given_must_hold(match, fits):
    run = ScriptRun(Script(rules=(Rule(match=match, fault={"status": 500}),)))
    assert bool(find(run, headers={"x-team": "red"}, text="a b c")) is fits
