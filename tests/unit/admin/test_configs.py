import pytest

from lockgate.admin.configs import judge, rules_of, write_text
from lockgate.errors import InvalidConfig, InvalidRequest


def test_text_stays_and_an_object_is_written():
    assert write_text(' {"a": 1}') == ' {"a": 1}'
    assert write_text({"b": 1, "a": "ü"}) == '{"b":1,"a":"ü"}'


def test_half_of_a_surrogate_pair_is_refused(plane):
    with pytest.raises(InvalidRequest):
        write_text({"a": "\ud800"})
    with pytest.raises(InvalidConfig):
        judge('{"name":"\ud800"}', plane.snapshot, plane.home.id)


def test_rules_are_those_of_the_snapshot(plane):
    rules = rules_of(plane.snapshot, is_saved=True)
    assert rules.providers == set(plane.snapshot.raw_targets)
    assert rules.is_saved
    assert rules.judge_host is not None
    with pytest.raises(InvalidRequest):
        rules.judge_host("http://10.0.0.1")
    rules.judge_host("https://api.example.org/v1")


def test_a_workspace_that_is_not_known_has_no_providers(plane):
    with pytest.raises(InvalidConfig, match="there is no provider @a"):
        judge('{"provider":"@a"}', plane.snapshot, "nowhere")


def test_what_is_judged_right(plane):
    judged = judge('{"provider":"openai","api_key":"k","future":1}', plane.snapshot, plane.home.id, is_lenient=True)
    assert [fault.path for fault in judged.warnings] == ["future"]
    assert (judged.providers, judged.routes.root.pin.provider) == ((), "openai")
