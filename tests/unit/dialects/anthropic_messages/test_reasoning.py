"""Effort and thinking by the model's row, and the token limit that goes with them."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.core.chat import ToolChoice
from lockgate.dialects.anthropic_messages.reasoning import has_lost_thinking
from tests.unit.dialects.anthropic_messages.calls import call, raw, result, say, sent, think, tool, use, write

HAIKU35 = "claude-3-5-haiku-20241022"
SONNET37 = "claude-3-7-sonnet-20250219"
SONNET45 = "claude-sonnet-4-5"
OPUS45 = "claude-opus-4-5"
SONNET46 = "claude-sonnet-4-6"
OPUS48 = "claude-opus-4-8"
OPUS5 = "claude-opus-5"
OPUS55 = "claude-opus-5-5"
SONNET55 = "claude-sonnet-5-5"
HAIKU55 = "claude-haiku-5-5"


def seen(model, *, strict=True, messages=(), **fields):
    body = sent(call(*messages, **fields), model, strict=strict)
    return body["max_tokens"], body.get("thinking"), body.get("output_config", {}).get("effort")


def enabled(budget):
    return {"type": "enabled", "budget_tokens": budget}


ADAPTIVE = {"type": "adaptive"}
SHOWN = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    "model, effort, limit, expected",
    [
        (HAIKU35, None, None, (8192, None, None)),
        (HAIKU35, "high", None, (8192, None, None)),
        ("some-imitator", None, None, (4096, None, None)),
        (SONNET37, "none", None, (16384, None, None)),
        (SONNET45, None, None, (16384, None, None)),
        (SONNET45, "minimal", None, (5120, enabled(1024), None)),
        (SONNET45, "low", None, (5120, enabled(1024), None)),
        (SONNET45, "medium", None, (12288, enabled(8192), None)),
        (SONNET45, "high", None, (20480, enabled(16384), None)),
        (SONNET45, "xhigh", None, (36864, enabled(32768), None)),
        (SONNET45, "max", None, (36864, enabled(32768), None)),
        ("claude-opus-4-0", "max", None, (32000, enabled(31999), None)),
        (SONNET45, "high", 4000, (4000, enabled(3999), None)),
        (SONNET45, "high", 1025, (1025, enabled(1024), None)),
        (SONNET45, "high", 1024, (1024, None, None)),
        (SONNET45, "high", 0, (0, None, None)),
        (OPUS45, "high", None, (20480, enabled(16384), "high")),
        (OPUS45, "max", None, (36864, enabled(32768), "high")),
        (OPUS45, "minimal", None, (5120, enabled(1024), "low")),
        (SONNET46, "none", None, (16384, {"type": "disabled"}, None)),
        (SONNET46, "low", None, (32000, ADAPTIVE, "low")),
        (SONNET46, "xhigh", None, (32000, ADAPTIVE, "max")),
        (SONNET46, "max", 100, (100, ADAPTIVE, "max")),
        (OPUS48, "minimal", None, (32000, ADAPTIVE, "low")),
        (OPUS48, "xhigh", None, (32000, ADAPTIVE, "xhigh")),
        (OPUS5, "none", None, (16384, {"type": "disabled"}, None)),
        (HAIKU55, "none", None, (16384, {"type": "disabled"}, None)),
        (SONNET55, "none", None, (16384, {"type": "between_tools"}, None)),
        (OPUS55, "none", None, (16384, None, "low")),
        (OPUS55, "max", None, (32000, ADAPTIVE, "max")),
        ("claude-of-tomorrow", "high", None, (32000, ADAPTIVE, "high")),
    ],
)
def test_effort_becomes_what_the_model_takes(model, effort, limit, expected):
    assert seen(model, effort=effort, max_tokens=limit) == expected


@pytest.mark.parametrize("model, expected", [(SONNET46, ADAPTIVE), (OPUS48, SHOWN), (OPUS55, SHOWN)])
def test_hidden_reasoning_is_asked_for_where_the_client_may_see_it(model, expected):
    assert seen(model, strict=False, effort="high")[1] == expected


@pytest.mark.parametrize(
    "model, thinking, limit, expected",
    [
        (SONNET45, enabled(2000), None, (32000, enabled(2000), None)),
        (SONNET45, enabled(40000), None, (44096, enabled(40000), None)),
        (SONNET45, enabled(63000), None, (64000, enabled(63000), None)),
        (SONNET45, enabled(9000), 100, (100, enabled(9000), None)),
        (OPUS48, enabled(2000), None, (32000, enabled(2000), None)),
        (SONNET46, {"type": "disabled"}, None, (16384, {"type": "disabled"}, None)),
        (HAIKU35, {"type": "disabled"}, None, (8192, None, None)),
        (
            OPUS48,
            {"type": "adaptive", "display": "updates"},
            None,
            (32000, {"type": "adaptive", "display": "updates"}, None),
        ),
    ],
)
def test_a_clients_own_thinking_is_passed_on(model, thinking, limit, expected):
    assert seen(model, thinking=raw(thinking), max_tokens=limit) == expected


def test_a_clients_own_thinking_wins_over_an_effort_without_a_place():
    assert seen(SONNET45, thinking=raw(enabled(2000)), effort="high") == (32000, enabled(2000), None)
    assert seen(OPUS48, thinking=raw(ADAPTIVE), effort="high") == (32000, ADAPTIVE, "high")


def test_a_clients_own_effort_derives_no_thinking():
    config = raw({"effort": "high", "task_budget": {"total": 1}})
    body = sent(call(effort="high", native={"output_config": config}), OPUS48)
    assert body["output_config"] == {"effort": "high", "task_budget": {"total": 1}}
    assert "thinking" not in body


def test_a_partial_output_config_is_filled():
    body = sent(call(effort="low", native={"output_config": raw({"task_budget": {}})}), OPUS48)
    assert body["output_config"] == {"effort": "low", "task_budget": {}}


@pytest.mark.parametrize("mode, name", [("any", None), ("tool", "look")])
@pytest.mark.parametrize(
    "model, expected",
    [(SONNET45, (16384, None, None)), (OPUS45, (16384, None, "high")), (OPUS48, (16384, None, "high"))],
)
def test_a_forced_tool_leaves_derived_thinking_out(mode, name, model, expected):
    fields = {"tools": (tool(),), "tool_choice": ToolChoice(mode=mode, name=name), "effort": "high"}
    assert seen(model, **fields) == expected
    assert any("a tool is forced" in note for note in write(call(**fields), model).adjusted)


def test_a_forced_tool_does_not_touch_a_clients_own_thinking():
    choice = ToolChoice(mode="any")
    assert seen(SONNET45, tools=(tool(),), tool_choice=choice, thinking=raw(enabled(2000)))[1] == enabled(2000)


def test_an_emulated_choice_lets_the_model_think():
    assert seen(OPUS55, tools=(tool(),), tool_choice=ToolChoice(mode="any"), effort="high")[1] == ADAPTIVE


LOST = (say("user", "q"), say("assistant", use()), say("user", result()))
KEPT = (say("user", "q"), say("assistant", think(), use()), say("user", result()))


@pytest.mark.parametrize(
    "messages, is_lost",
    [
        (LOST, True),
        (KEPT, False),
        ((*LOST, say("user", "go on")), True),
        ((say("user", "q"), say("assistant", "t"), say("assistant", use()), say("user", result())), True),
        ((say("user", "q"), say("assistant", think("x", None), use()), say("user", result())), True),
        ((*LOST, say("assistant", "done"), say("user", "next")), False),
        ((say("user", "q"), say("assistant", use())), False),
        ((say("user", "q"),), False),
        ((), False),
    ],
)
def test_history_tells_whether_reasoning_was_lost(messages, is_lost):
    assert has_lost_thinking(messages) is is_lost


def test_a_budget_is_left_out_on_a_history_without_its_thinking():
    assert seen(SONNET45, messages=LOST, effort="high") == (16384, None, None)
    assert seen(SONNET45, messages=KEPT, effort="high")[1] == enabled(16384)
    assert seen(SONNET46, messages=LOST, effort="high")[1] == ADAPTIVE


@pytest.mark.parametrize(
    "model, effort, limit, adjusted, dropped",
    [
        (HAIKU35, "high", None, (), ("reasoning_effort",)),
        (HAIKU35, "none", None, (), ()),
        (SONNET45, "high", 10, ("reasoning_effort: no thinking, max_tokens leaves no room for it",), ()),
        (SONNET46, "minimal", None, ("reasoning_effort: minimal sent as low",), ()),
        (OPUS45, "max", None, ("reasoning_effort: max sent as high",), ()),
        (OPUS55, "none", None, ("reasoning_effort: none sent as low, the model always thinks",), ()),
        (SONNET46, "high", None, (), ()),
    ],
)
def test_each_loss_and_change_is_named(model, effort, limit, adjusted, dropped):
    written = write(call(effort=effort, max_tokens=limit), model)
    assert (written.adjusted, written.dropped) == (adjusted, dropped)


def test_thinking_of_the_wrong_shape_is_refused_with_its_path():
    from lockgate.errors import InvalidRequest

    with pytest.raises(InvalidRequest) as caught:
        write(call(thinking=raw({"type": 5})))
    assert caught.value.path == "thinking.type"


@pytest.mark.parametrize("limit", [1, 1000, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("effort", ["minimal", "low", "medium", "high", "xhigh", "max"])
def test_a_budget_always_fits_below_the_limit_and_above_the_minimum(limit, effort):
    body = msgspec.json.decode(write(call(effort=effort, max_tokens=limit), SONNET45).body)
    if "thinking" in body:
        assert 1024 <= body["thinking"]["budget_tokens"] < body["max_tokens"]
