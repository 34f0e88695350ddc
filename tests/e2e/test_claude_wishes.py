"""What configs ask of the way in which chat calls are written for Claude, and what clients are told of the answers.

The tables are in ``tests/unit/dialects/anthropic_messages``; here a config goes the whole way.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.asking import CLAUDE, GPT, Asker, Outcome
from tests.e2e.gateway import Server
from tests.e2e.simulated import Simulated, requests_with

FAST = "claude-opus-4-8"
UNFORCED = "claude-opus-5-5"


@pytest.fixture(scope="module")
def chat(gateway: Server) -> Iterator[Asker]:
    asker = Asker("openai", gateway)
    yield asker
    asker.close()


class Claude:
    """Asks Claude by chat under a config and returns the one request that arrived."""

    def __init__(self, chat: Asker, simulator: Server) -> None:
        self._chat = chat
        self._simulator = simulator
        self.outcome = Outcome(tag="")

    def ask(self, model: str, wishes: dict[str, Any], **fields: Any) -> Simulated:
        tag = fields.pop("tag", None) or uuid.uuid4().hex
        config = {"provider": "@sim-anthropic", **wishes}
        self.outcome = self._chat.ask(config=config, model=model, tag=tag, **fields)
        (seen,) = requests_with(self._simulator, tag)
        return seen


@pytest.fixture
def claude(chat: Asker, simulator: Server) -> Claude:
    return Claude(chat, simulator)


@pytest.mark.parametrize(
    "mapping, sent",
    [
        (None, {"service_tier": "auto"}),
        ("auto", {"service_tier": "auto"}),
        ("native", {"service_tier": "auto"}),
        ("speed", {"speed": "fast"}),
    ],
)
def test_a_config_says_what_becomes_of_a_tier(mapping, sent, claude):
    wishes = {} if mapping is None else {"anthropic_service_tier_mapping": mapping}
    seen = claude.ask(FAST, wishes, service_tier="auto")
    assert {name: seen.body[name] for name in ("service_tier", "speed") if name in seen.body} == sent
    assert ("fast-mode" in seen.headers.get("anthropic-beta", "")) is (mapping == "speed")
    assert (seen.status, claude.outcome.status) == (200, 200)


@pytest.mark.parametrize("choice, sent, status", [(None, "auto", 200), ("emulate", "auto", 200), ("pass", "any", 400)])
def test_a_config_says_whether_a_forced_tool_is_sent_to_a_model_that_refuses_it(choice, sent, status, claude):
    wishes = {} if choice is None else {"forced_tool_choice": choice}
    seen = claude.ask(UNFORCED, wishes, has_tool=True, tool_choice="required")
    assert seen.body["tool_choice"] == {"type": sent}
    assert ("calling one of the tools" in json.dumps(seen.body.get("system", ""))) is (sent == "auto")
    assert (seen.status, claude.outcome.status) == (status, status)


@pytest.mark.parametrize("is_repaired", [False, True])
def test_a_config_may_have_the_history_of_tools_repaired(is_repaired, claude):
    tag = uuid.uuid4().hex
    function = {"name": "get_weather", "arguments": "{}"}
    messages = [
        {"role": "user", "content": f"Weather? {tag}"},
        {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "call_2", "content": "rain"},
        {"role": "user", "content": "And?"},
    ]
    seen = claude.ask(CLAUDE, {"repair_tool_history": is_repaired}, messages=messages, tag=tag, has_tool=True)
    put_in = {"type": "tool_result", "tool_use_id": "call_1", "content": "(no result)", "is_error": True}
    orphan = {"type": "tool_result", "tool_use_id": "call_2", "content": "rain"}
    assert seen.body["messages"][2]["content"][0] == (put_in if is_repaired else orphan)
    assert len(seen.body["messages"][2]["content"]) == 2
    status = 200 if is_repaired else 400
    assert (seen.status, claude.outcome.status) == (status, status)
    told = claude.outcome.headers.get("x-lockgate-adjusted", "")
    assert all((word in told) is is_repaired for word in ("call_1 had none", "call_2 left out"))


@pytest.mark.parametrize("model, is_kept", [(FAST, True), (CLAUDE, False)])
def test_a_config_may_leave_system_messages_among_the_turns(model, is_kept, claude):
    tag = uuid.uuid4().hex
    messages = [{"role": "user", "content": f"Hello {tag}"}, {"role": "system", "content": "Answer in French."}]
    seen = claude.ask(model, {"mid_conversation_system": True}, messages=messages, tag=tag)
    order = [{"type": "text", "text": "Answer in French."}]
    assert seen.body["messages"][1:] == ([{"role": "system", "content": order}] if is_kept else [])
    assert seen.body.get("system") == (None if is_kept else order)
    assert (seen.status, claude.outcome.status) == (200, 200)


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("order, status", [("", 200), ("[[sim: status=429]]", 429)])
def test_limits_of_claude_reach_chat_clients_in_openais_words(order, status, is_stream, chat):
    outcome = chat.ask(order, config={"provider": "@sim-anthropic"}, is_stream=is_stream)
    assert outcome.status == status
    for kind in ("requests", "tokens"):
        for value in ("limit", "remaining"):
            theirs = outcome.headers[f"anthropic-ratelimit-{kind}-{value}"]
            assert outcome.headers[f"x-ratelimit-{value}-{kind}"] == theirs
        assert outcome.headers[f"x-ratelimit-reset-{kind}"] == "0s"
    openai = chat.ask(config={"provider": "@sim-openai"}, model="gpt-4.1")
    assert openai.headers["x-ratelimit-reset-requests"] == "6ms"


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model, lost", [("gpt-4o-search-preview", ("choices.message.annotations",)), (GPT, ())])
def test_annotations_that_messages_cannot_carry_are_told(model, lost, is_stream, gateway):
    asker = Asker("anthropic", gateway)
    outcome = asker.ask(config={"provider": "@sim-openai"}, model=model, is_stream=is_stream)
    asker.close()
    assert (outcome.status, outcome.is_complete) == (200, True)
    assert outcome.record(gateway).dropped == lost
    # the head of a stream is sent before its annotations come, unless all of it comes at once
    told = outcome.headers.get("x-lockgate-dropped", "")
    assert told == ", ".join(lost) or (is_stream and not told)
