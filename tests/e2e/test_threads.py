"""The Anthropic SDK's tool runner, which threads unasked: it finishes whether or not the target can hold a thread."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

from tests.e2e.gateway import GATEWAY_KEY, SECOND_KEY, Server

CLAUDE = "claude-haiku-4-5-20251001"
GPT = "gpt-4.1"
BETA = "message-threads-2026-08-12"
QUESTION = "What is the weather in Oslo? [[sim: tool=get_weather]]"


@anthropic.beta_tool
def get_weather(city: str) -> str:
    """Return the weather of a city.

    Args:
        city: The name of the city.
    """
    return "12 degrees"


@pytest.fixture
def claude(gateway: Server) -> Iterator[anthropic.Anthropic]:
    http = anthropic.DefaultHttpxClient(trust_env=False)
    with anthropic.Anthropic(api_key=GATEWAY_KEY, base_url=gateway.url, max_retries=0, http_client=http) as client:
        yield client


class Upstream:
    """What the simulator was sent since this was made."""

    def __init__(self, simulator: Server) -> None:
        self._url = f"{simulator.url}/_simulator/requests"
        self._last = max((entry["id"] for entry in self._entries()), default=0)

    def _entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(self._url, trust_env=False).json()["requests"]
        return found

    def requests(self) -> list[dict[str, Any]]:
        return [entry for entry in self._entries() if entry["id"] > self._last]

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(base64.b64decode(entry["body_base64"])) for entry in self.requests()]


@pytest.fixture
def upstream_log(simulator: Server, gateway: Server) -> Upstream:
    return Upstream(simulator)


class Turns:
    """What the SDK sent, and how the gateway answered."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.answers: list[tuple[int, str | None]] = []

    def keep(self, response: httpx.Response) -> None:
        self.sent.append(json.loads(response.request.content))
        code = None
        if response.status_code >= 400:
            response.read()
            code = response.json()["error"]["details"]["error_code"]
        self.answers.append((response.status_code, code))


@pytest.fixture
def turns(claude: anthropic.Anthropic) -> Turns:
    turns = Turns()
    claude._client.event_hooks["response"].append(turns.keep)
    return turns


def run(claude: anthropic.Anthropic, model: str, *, is_stream: bool) -> str:
    """Run a conversation with one tool call; return its last text."""
    question: Any = [{"role": "user", "content": f"{QUESTION} {uuid.uuid4().hex}"}]
    asked = {"model": model, "max_tokens": 500, "messages": question, "tools": [get_weather]}
    if is_stream:
        *_, message = (part.get_final_message() for part in claude.beta.messages.tool_runner(**asked, stream=True))
    else:
        message = claude.beta.messages.tool_runner(**asked).until_done()
    assert message.stop_reason == "end_turn"
    return "".join(block.text for block in message.content if block.type == "text")


def kinds(bodies: list[dict[str, Any]]) -> list[str | None]:
    return [(body.get("thread") or {}).get("type") for body in bodies]


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_a_target_that_can_hold_the_thread_gets_it(
    claude: anthropic.Anthropic, turns: Turns, upstream_log: Upstream, is_stream: bool
) -> None:
    assert "12 degrees" in run(claude, f"@sim-anthropic/{CLAUDE}", is_stream=is_stream)
    assert turns.answers == [(200, None), (200, None)]
    assert kinds(turns.sent) == ["create", "continue"]
    bodies = upstream_log.bodies()
    assert kinds(bodies) == ["create", "continue"]
    assert [len(body["messages"]) for body in bodies] == [1, 1], "a turn sends only what is new"
    headers = dict(tuple(pair) for pair in upstream_log.requests()[1]["headers"])
    assert BETA in headers["anthropic-beta"]


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_a_target_that_cannot_hold_the_thread_never_sees_it(
    claude: anthropic.Anthropic, turns: Turns, upstream_log: Upstream, is_stream: bool
) -> None:
    assert "12 degrees" in run(claude, f"@sim-openai/{GPT}", is_stream=is_stream)
    assert turns.answers == [(400, "thread_unsupported_request"), (200, None), (200, None)]
    assert kinds(turns.sent) == ["create", None, None]
    bodies = upstream_log.bodies()
    assert len(bodies) == 2
    assert all("thread" not in body for body in bodies)
    assert len(bodies[1]["messages"]) > len(bodies[0]["messages"]), "the whole conversation is sent"


@pytest.mark.parametrize("lost", ["another credential", "another caller"])
def test_a_lost_owner_makes_the_sdk_send_everything_again(
    claude: anthropic.Anthropic, turns: Turns, upstream_log: Upstream, lost: str
) -> None:
    """The turn goes on at somebody else: the thread is not there, the whole conversation begins a new one."""
    runner = claude.beta.messages.tool_runner(
        model=f"@sim-anthropic/{CLAUDE}",
        max_tokens=500,
        messages=[{"role": "user", "content": QUESTION}],
        tools=[get_weather],
    )
    next(iter(runner))
    if lost == "another caller":
        claude.api_key = SECOND_KEY
    else:
        runner.set_messages_params(lambda params: {**params, "model": f"@anthropic/{CLAUDE}"})
    message = runner.until_done()
    assert message.stop_reason == "end_turn"
    assert turns.answers == [(200, None), (404, "thread_not_found"), (200, None)]
    assert kinds(turns.sent) == ["create", "continue", "create"]
    assert "continue" not in kinds(upstream_log.bodies())
