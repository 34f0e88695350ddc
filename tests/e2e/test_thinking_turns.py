"""Claude thinks and calls tools in chat completions: clients that carry its thoughts along, and clients that cannot.

The simulator is as strict as Claude: a signature must be its own and unchanged, stand where it stood, and, on the
models that bind it, behind the very messages it was made for.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from portkey_ai import Portkey

from tests.e2e.gateway import GATEWAY_KEY, Server
from tests.e2e.simulated import Simulated, requests_with

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Return the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ENABLED = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
WAYS = [
    pytest.param("claude-haiku-4-5", ENABLED, id="haiku-4-5, budget"),
    pytest.param("claude-haiku-4-5", {"reasoning_effort": "high"}, id="haiku-4-5, effort"),
    pytest.param("claude-sonnet-4-6", ENABLED, id="sonnet-4-6, budget"),
    pytest.param("claude-sonnet-4-6", {"thinking": {"type": "adaptive"}}, id="sonnet-4-6, adaptive"),
    pytest.param("claude-sonnet-4-6", {"reasoning_effort": "high"}, id="sonnet-4-6, effort"),
    pytest.param("claude-opus-5", {"reasoning_effort": "high"}, id="opus-5, effort"),
    pytest.param("claude-opus-5-5", {}, id="opus-5-5"),
    pytest.param("claude-opus-5-5", {"reasoning_effort": "low"}, id="opus-5-5, effort"),
    pytest.param("claude-sonnet-5-5", {"reasoning_effort": "none"}, id="sonnet-5-5, none"),
]


class Talk:
    """A conversation by one client, and what Claude was sent for each of its turns."""

    def __init__(self, client: Any, model: str, fields: dict[str, Any], simulator: Server, *, is_stream: bool) -> None:
        self._client, self._model, self._simulator, self._is_stream = client, model, simulator, is_stream
        fields = dict(fields)
        extra = {"thinking": fields.pop("thinking")} if "thinking" in fields else {}
        self._fields = fields | ({"extra_body": extra} if extra and isinstance(client, openai.OpenAI) else extra)
        self.tag = f"tag-{uuid.uuid4().hex}"
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": f"Be brief. {self.tag}"}]

    def say(self, text: str) -> dict[str, Any]:
        self.messages.append({"role": "user", "content": text})
        return self.go_on()

    def answer_calls(self) -> dict[str, Any]:
        for call in self.messages[-1]["tool_calls"]:
            city = json.loads(call["function"]["arguments"])["city"]
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"12 degrees in {city} ☂"})
        return self.go_on()

    def go_on(self) -> dict[str, Any]:
        """Ask for the next turn, and keep it in the history as it came."""
        asked = {"model": f"@sim-anthropic/{self._model}", "max_tokens": 6000, "messages": self.messages}
        answer = self._client.chat.completions.create(**asked, tools=[WEATHER], stream=self._is_stream, **self._fields)
        message = put_together(answer) if self._is_stream else answer.choices[0].message.model_dump(exclude_none=True)
        self.messages.append(message)
        return message

    def sent(self) -> list[Simulated]:
        return requests_with(self._simulator, self.tag)


def put_together(stream: Any) -> dict[str, Any]:
    """Return a streamed message as plain clients assemble it: pieces of one block under its index, without a type."""
    text, blocks, calls = "", {}, {}
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for piece in getattr(choice.delta, "content_blocks", None) or ():
                block = blocks.setdefault(piece["index"], {"index": piece["index"]})
                for key, value in piece["delta"].items():
                    block[key] = block[key] + value if isinstance(block.get(key), str) else value
            for piece in choice.delta.tool_calls or ():
                function = {"name": piece.function.name, "arguments": ""}
                call = calls.setdefault(piece.index, {"id": piece.id, "type": "function", "function": function})
                call["function"]["arguments"] += piece.function.arguments or ""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    message |= {"content_blocks": list(blocks.values())} if blocks else {}
    return message | ({"tool_calls": list(calls.values())} if calls else {})


@pytest.fixture
def openai_client(gateway: Server) -> Iterator[openai.OpenAI]:
    http = openai.DefaultHttpxClient(trust_env=False)
    with openai.OpenAI(api_key=GATEWAY_KEY, base_url=f"{gateway.url}/v1", max_retries=0, http_client=http) as client:
        yield client


def hold_conversation(talk: Talk) -> None:
    """Two questions with a tool call each, then one without."""
    for question in ("What is the weather in Oslo?", "And the weather in Bern?"):
        first = talk.say(f"{question} [[sim: tool=get_weather]]")
        assert first["tool_calls"], first
        last = talk.answer_calls()
        assert "12 degrees" in last["content"]
    assert talk.say("Thank you.")["content"]
    assert [(one.status, one.outcome) for one in talk.sent()] == [(200, "completed")] * 5


def thoughts(blocks: Any) -> list[dict[str, Any]]:
    """Return the thinking blocks, in order."""
    return [block for block in blocks if isinstance(block, dict) and block.get("type") == "thinking"]


def history_thoughts(request: Simulated) -> list[dict[str, Any]]:
    turns = [message["content"] for message in request.body["messages"] if message["role"] == "assistant"]
    return [block for content in turns if isinstance(content, list) for block in thoughts(content)]


def made_thoughts(request: Simulated) -> list[str]:
    """Return the signatures that Claude gave in the answer to a request, whole or streamed."""
    if request.answer.startswith("{"):
        return [block["signature"] for block in thoughts(json.loads(request.answer)["content"])]
    lines = [json.loads(line[6:]) for line in request.answer.splitlines() if line.startswith("data: {")]
    deltas = [line["delta"] for line in lines if line["type"] == "content_block_delta"]
    return [delta["signature"] for delta in deltas if delta["type"] == "signature_delta"]


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model, fields", WAYS)
@pytest.mark.parametrize("sdk", ["openai", "portkey"])
def test_thoughts_come_back_to_claude_by_a_client_that_carries_them(
    sdk: str,
    model: str,
    fields: dict[str, Any],
    is_stream: bool,
    openai_client: openai.OpenAI,
    gateway: Server,
    simulator: Server,
) -> None:
    client: Any = Portkey(api_key=GATEWAY_KEY, base_url=f"{gateway.url}/v1", strict_open_ai_compliance=False)
    if sdk == "openai":
        client = openai_client.with_options(default_headers={"x-portkey-strict-open-ai-compliance": "false"})
    talk = Talk(client, model, fields, simulator, is_stream=is_stream)
    hold_conversation(talk)
    *turns, last = talk.sent()
    made = [signature for turn in turns for signature in made_thoughts(turn)]
    assert made, "Claude did not think"
    assert [block["signature"] for block in history_thoughts(last)] == made


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model, fields", [way for way in WAYS if way.values[1] != ENABLED])
def test_a_client_that_carries_no_thoughts_is_never_refused(
    model: str,
    fields: dict[str, Any],
    is_stream: bool,
    openai_client: openai.OpenAI,
    simulator: Server,
) -> None:
    talk = Talk(openai_client, model, fields, simulator, is_stream=is_stream)
    hold_conversation(talk)
    assert all("content_blocks" not in message for message in talk.messages)
    assert all(history_thoughts(turn) == [] for turn in talk.sent())


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-sonnet-4-6"])
def test_a_budget_that_the_client_set_itself_stays_and_claude_says_what_is_missing(
    model: str, openai_client: openai.OpenAI, simulator: Server
) -> None:
    """Only thinking that we derived from an effort is left out for a turn; this is the client's own word."""
    talk = Talk(openai_client, model, ENABLED, simulator, is_stream=False)
    talk.say("What is the weather in Oslo? [[sim: tool=get_weather]]")
    with pytest.raises(openai.BadRequestError, match="must start with a thinking block"):
        talk.answer_calls()
    assert talk.sent()[-1].body["thinking"] == ENABLED["thinking"]
