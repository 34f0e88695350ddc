"""The Anthropic SDK's tool runner, which threads unasked: it finishes whether or not the target can hold a thread."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import pytest

from tests.e2e.clients import Client
from tests.e2e.gateway import GATEWAY_KEY, SECOND_KEY, Server
from tests.e2e.simulated import entries_with, newest_id

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
        self._simulator = simulator
        self._last = newest_id(simulator)

    def requests(self) -> list[dict[str, Any]]:
        return entries_with(self._simulator, after=self._last)

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


# ---- the JavaScript SDK: its newest line threads, the one before it sends everything each time


def run_in_javascript(client: Client, gateway: Server, model: str, **orders: object) -> dict[str, Any]:
    """Run the same conversation by ``toolRunner``; return what the SDK sent, was answered and made of it."""
    # Equal questions get equal ids from the simulator, so that a second thread would be the first one.
    question = f"{QUESTION} {uuid.uuid4().hex}"
    call = {"origin": gateway.url, "key": GATEWAY_KEY, "model": model, "question": question, "stream": False} | orders
    done = client.run([str(client.driver.with_name("tool_runner.mjs")), json.dumps(call)])
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    assert outcome["stop_reason"] == "end_turn"
    assert len(outcome["asked"]) == 1, "the tool ran once"
    assert "12 degrees ☀" in outcome["text"]
    assert bool(outcome["deltas"]) == call["stream"]
    return outcome


@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "name, model, answers, turns, upstream_turns",
    [
        ("javascript-newest", f"@sim-anthropic/{CLAUDE}", [[200, None]] * 2, ["create", "continue"], [1, 1]),
        (
            "javascript-newest",
            f"@sim-openai/{GPT}",
            [[400, "thread_unsupported_request"], [200, None], [200, None]],
            ["create", None, None],
            [1, 3],
        ),
        ("javascript-previous", f"@sim-anthropic/{CLAUDE}", [[200, None]] * 2, [None, None], [1, 3]),
        ("javascript-previous", f"@sim-openai/{GPT}", [[200, None]] * 2, [None, None], [1, 3]),
    ],
    ids=["newest, native", "newest, adapter", "previous, native", "previous, adapter"],
)
def test_the_tool_runner_of_javascript_finishes(
    name: str,
    model: str,
    answers: list[list[Any]],
    turns: list[str | None],
    upstream_turns: list[int],
    is_stream: bool,
    client_named: Callable[[str], Client],
    gateway: Server,
    upstream_log: Upstream,
) -> None:
    outcome = run_in_javascript(client_named(name), gateway, model, stream=is_stream)
    assert outcome["answers"] == answers
    assert kinds(outcome["sent"]) == turns
    bodies = upstream_log.bodies()
    assert [len(body["messages"]) for body in bodies] == upstream_turns
    assert kinds(bodies) == (turns if model.startswith("@sim-anthropic") else [None, None])
    assert {body.get("stream", False) for body in bodies} == {is_stream}


@pytest.mark.timeout(600)
def test_a_lost_owner_makes_the_javascript_sdk_send_everything_again(
    client_named: Callable[[str], Client], gateway: Server, upstream_log: Upstream
) -> None:
    client = client_named("javascript-newest")
    outcome = run_in_javascript(client, gateway, f"@sim-anthropic/{CLAUDE}", key_of_later_turns=SECOND_KEY)
    assert outcome["answers"] == [[200, None], [404, "thread_not_found"], [200, None]]
    assert kinds(outcome["sent"]) == ["create", "continue", "create"]
    assert kinds(upstream_log.bodies()) == ["create", "create"]


# ---- behind a config: only a single target that holds threads gets one

CONFIGS: dict[str, dict[str, Any]] = {
    "fallback": {
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "@sim-anthropic", "override_params": {"model": CLAUDE}},
            {"provider": "@sim-openai", "override_params": {"model": GPT}},
        ],
    },
    "balance": {
        "strategy": {"mode": "loadbalance"},
        "targets": [{"provider": "@sim-anthropic"}, {"provider": "@anthropic"}],
    },
    "cache": {"provider": "@sim-anthropic", "cache": {"mode": "simple"}},
    "single": {"provider": "@sim-anthropic", "retry": {"attempts": 2}},
}
THREADING = ("python-newest", "javascript-newest")
"""Lines of the SDK whose tool runners thread; the ones before send everything each time."""


def run_behind(client: Client, gateway: Server, config: str, fault: str, *, is_stream: bool) -> dict[str, Any]:
    """Run the conversation through a config, by the driver of the client's language."""
    call = {
        "origin": gateway.url,
        "key": GATEWAY_KEY,
        "model": CLAUDE,
        "question": f"What is the weather in Oslo? [[sim: tool=get_weather{fault}]] {uuid.uuid4().hex}",
        "stream": is_stream,
        "headers": {"x-portkey-config": json.dumps(CONFIGS[config])},
    }
    done = client.run_among_others(
        [str(client.driver.with_name(client.driver.name.replace("drive.", "tool_runner."))), json.dumps(call)]
    )
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    assert outcome["stop_reason"] == "end_turn"
    assert len(outcome["asked"]) == 1, "the tool ran once"
    assert "12 degrees" in outcome["text"]
    return outcome


@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("name", ["python-newest", "python-previous", "javascript-newest", "javascript-previous"])
def test_the_tool_runner_finishes_behind_a_config(
    name: str,
    config: str,
    is_stream: bool,
    client_named: Callable[[str], Client],
    gateway: Server,
    upstream_log: Upstream,
) -> None:
    outcome = run_behind(client_named(name), gateway, config, "", is_stream=is_stream)
    threads = name in THREADING
    if not threads:
        assert kinds(outcome["sent"]) == [None, None]
    elif config == "single":
        assert kinds(outcome["sent"]) == ["create", "continue"]
        assert kinds(upstream_log.bodies()) == ["create", "continue"]
        return
    else:
        assert outcome["answers"] == [[400, "thread_unsupported_request"], [200, None], [200, None]]
        assert kinds(outcome["sent"]) == ["create", None, None]
    assert all("thread" not in body for body in upstream_log.bodies())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", ["python-newest", "python-previous", "javascript-newest", "javascript-previous"])
def test_the_tool_runner_finishes_on_the_fallback_which_never_sees_a_thread(
    name: str, is_stream: bool, client_named: Callable[[str], Client], gateway: Server, upstream_log: Upstream
) -> None:
    fault = ", on=openai]] [[sim: status=529, on=anthropic"
    run_behind(client_named(name), gateway, "fallback", fault, is_stream=is_stream)
    paths = [entry["path"] for entry in upstream_log.requests()]
    assert any("chat/completions" in path for path in paths)
    assert all("thread" not in body for body in upstream_log.bodies())


# ---- what cannot be seen through a tool runner


def thread_code(answer: httpx.Response) -> tuple[int, str | None]:
    error = answer.json().get("error") or {}
    return answer.status_code, (error.get("details") or {}).get("error_code")


def test_a_thread_is_continued_once_by_each_answer(gateway: Server, upstream_log: Upstream) -> None:
    """The provider's own refusals come through: a second branch of a thread is not made into something else by us."""
    headers = {"x-portkey-api-key": GATEWAY_KEY, "anthropic-beta": BETA}
    body: dict[str, Any] = {"model": f"@sim-anthropic/{CLAUDE}", "max_tokens": 50}
    body["messages"] = [{"role": "user", "content": f"Hello {uuid.uuid4().hex}"}]
    with httpx.Client(base_url=gateway.url, headers=headers, trust_env=False, timeout=30) as http:
        first = http.post("/v1/messages", json=body | {"thread": {"type": "create"}})
        again = body | {"thread": {"type": "continue", "previous_message_id": first.json()["id"]}}
        assert thread_code(http.post("/v1/messages", json=again)) == (200, None)
        assert thread_code(http.post("/v1/messages", json=again)) == (400, "thread_already_continued")
        unknown = body | {"thread": {"type": "continue", "previous_message_id": "msg_nobody"}}
        assert thread_code(http.post("/v1/messages", json=unknown)) == (404, "thread_not_found")
        chat = http.post("/v1/messages", json=again | {"model": f"@sim-openai/{GPT}"})
        assert thread_code(chat) == (400, "thread_unsupported_request")
    assert kinds(upstream_log.bodies()) == ["create", "continue", "continue"], "nobody else was asked"
