"""What today's models and API version refuse is not sent to them, however a chat client says it; the simulator would refuse it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.gateway import GATEWAY_KEY, Server
from tests.e2e.simulated import Simulated, requests_with

OLDEST, NEWEST = "2023-06-01", "2026-10-21"
VERSIONS = pytest.mark.parametrize("version", [None, NEWEST])
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object"}}}
    for name in ("look_up", "write_down")
]
ALWAYS_THINKING = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-1"]


class Chat:
    """The OpenAI SDK, and what the simulator saw of its last call."""

    def __init__(self, gateway: Server, simulator: Server) -> None:
        self._simulator = simulator
        http = openai.DefaultHttpxClient(trust_env=False)
        self._client = openai.OpenAI(api_key=GATEWAY_KEY, base_url=f"{gateway.url}/v1", max_retries=0, http_client=http)

    def ask(self, model: str, messages: list[Any], version: str | None, **fields: Any) -> tuple[Any, Simulated]:
        """Ask, with a word in the last message by which the request is found again."""
        tag = f"tag-{uuid.uuid4().hex}"
        *before, last = messages
        headers = {"x-portkey-strict-open-ai-compliance": "false"}
        if version:
            headers["x-portkey-anthropic-version"] = version
        answer = self._client.chat.completions.create(
            model=f"@sim-anthropic/{model}",
            messages=[*before, last | {"content": [*last["content"], {"type": "text", "text": tag}]}],
            max_tokens=2000,
            extra_headers=headers,
            **fields,
        )
        (seen,) = requests_with(self._simulator, tag)
        return answer.choices[0], seen

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def chat(gateway: Server, simulator: Server) -> Iterator[Chat]:
    chat = Chat(gateway, simulator)
    yield chat
    chat.close()


def say(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


@VERSIONS
@pytest.mark.parametrize("model", ALWAYS_THINKING)
@pytest.mark.parametrize(
    "choice, offered",
    [
        ("required", ["look_up", "write_down"]),
        ({"type": "function", "function": {"name": "write_down"}}, ["write_down"]),
    ],
    ids=["any", "named"],
)
def test_no_tool_is_forced_where_forcing_is_refused(
    choice: Any, offered: list[str], model: str, version: str | None, chat: Chat
) -> None:
    """The call is asked for in words, and comes."""
    answer, seen = chat.ask(model, [say("Use write_down.")], version, tools=TOOLS, tool_choice=choice)
    assert seen.headers["anthropic-version"] == (version or OLDEST)
    assert seen.body["tool_choice"]["type"] == "auto"
    assert [tool["name"] for tool in seen.body["tools"]] == offered
    assert [call.function.name for call in answer.message.tool_calls] == ["write_down"]


def test_a_tool_is_forced_where_that_is_allowed(chat: Chat) -> None:
    answer, seen = chat.ask("claude-opus-5", [say("Hello")], None, tools=TOOLS, tool_choice="required")
    assert seen.body["tool_choice"]["type"] == "any"
    assert answer.message.tool_calls


CITED = {"type": "char_location", "cited_text": "Grass is green.", "document_index": 0, "document_title": None}
CITED |= {"start_char_index": 0, "end_char_index": 15}


@VERSIONS
def test_citations_in_the_users_text_are_left_out(version: str | None, chat: Chat) -> None:
    question = {"role": "user", "content": [{"type": "text", "text": "What is green?", "citations": [CITED]}]}
    _, seen = chat.ask("claude-opus-5-5", [question], version)
    assert seen.body["messages"][0]["content"][0] == {"type": "text", "text": "What is green?"}


@VERSIONS
def test_a_document_of_the_assistants_stands_in_the_next_user_turn(version: str | None, chat: Chat) -> None:
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grass is green."}}
    said = [{"type": "text", "text": "Here it is."}, document]
    messages = [say("Show me."), {"role": "assistant", "content": "Here it is.", "content_blocks": said}, say("And?")]
    _, seen = chat.ask("claude-opus-5-5", messages, version)
    assert seen.body["messages"][1]["content"] == [{"type": "text", "text": "Here it is."}]
    assert document in seen.body["messages"][2]["content"]


@pytest.mark.parametrize(
    "model, version, sent, is_kept",
    [
        ("claude-haiku-4-5", None, OLDEST, True),
        # what the client asked for matters more than the version in which it is said
        ("claude-haiku-4-5", NEWEST, OLDEST, True),
        ("claude-opus-5", None, OLDEST, False),
        ("claude-opus-5-5", NEWEST, NEWEST, False),
    ],
)
def test_temperature_goes_only_where_it_is_taken(
    model: str, version: str | None, sent: str, is_kept: bool, chat: Chat
) -> None:
    _, seen = chat.ask(model, [say("Hello")], version, temperature=0.3)
    assert ("temperature" in seen.body) == is_kept
    assert seen.headers["anthropic-version"] == sent


@VERSIONS
@pytest.mark.parametrize(
    "model, thinking",
    [
        ("claude-opus-5-5", None),
        ("claude-sonnet-5-5", "between_tools"),
        ("claude-haiku-5-5", "disabled"),
        ("claude-opus-5", "disabled"),
    ],
)
def test_reasoning_is_switched_off_as_the_model_allows(
    model: str, thinking: str | None, version: str | None, chat: Chat
) -> None:
    _, seen = chat.ask(model, [say("Hello")], version, reasoning_effort="none")
    assert seen.body.get("thinking", {}).get("type") == thinking
    if thinking is None:
        assert seen.body["output_config"]["effort"] == "low"
