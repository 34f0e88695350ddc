"""Claude Code, without a terminal, and its Agent SDK: whole conversations with a tool, natively and through the adapter."""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.clients import RUN_S
from tests.e2e.frameworks.environments import DRIVERS, python_or_skip
from tests.e2e.gateway import GATEWAY_KEY, Evidence, Server, clean_environment
from tests.e2e.installs import announcer
from tests.e2e.simulated import Simulated, requests_with

# The first test has to install it: 160 MB.
pytestmark = pytest.mark.timeout(600)

NOT_RELAYED = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "content-encoding"}
MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
CLAUDE, GPT = "@sim-anthropic/claude-opus-5-5", "@sim-openai/gpt-4.1"
SILENCE = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
}


@dataclass
class Outside:
    """A proxy that leads nowhere: what wants to leave the machine comes here, and is noted."""

    port: int
    wanted: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.port}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        proxies = {spelled: url for name in names for spelled in (name, name.lower())}
        return proxies | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@contextmanager
def watching_outside() -> Iterator[Outside]:
    class Refuse(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            outside.wanted.append(self.rfile.readline().decode(errors="replace").strip())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refuse) as server:
        server.daemon_threads = True
        outside = Outside(server.server_address[1])
        threading.Thread(target=server.serve_forever, name="outside", daemon=True).start()
        yield outside
        server.shutdown()


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An HTTP server at the path of a socket."""

    daemon_threads = True


@contextmanager
def watching_requests(gateway: Server, path: Path | None = None) -> Iterator[tuple[str, list[tuple[str, str, int]]]]:
    """Relay to the gateway; yield the address, and method, path and status of each request as they come.

    ``path`` is that of a socket to listen at, in place of a port.
    """
    seen: list[tuple[str, str, int]] = []

    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_RELAYED}
            answer = httpx.request(
                self.command, gateway.url + self.path, headers=headers, content=body, trust_env=False, timeout=60
            )
            seen.append((self.command, self.path, answer.status_code))
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in NOT_RELAYED:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_HEAD = relay

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    with UnixServer(str(path), Relay) if path else ThreadingHTTPServer(("127.0.0.1", 0), Relay) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="relay", daemon=True).start()
        yield str(path) if path else f"http://127.0.0.1:{server.server_address[1]}", seen
        server.shutdown()


@dataclass(kw_only=True)
class Agent:
    """Claude Code, with a fresh home folder, pointed at the gateway."""

    python: Path
    gateway: Server
    simulator: Server
    evidence: Evidence
    outside: Outside
    home: Path

    @property
    def program(self) -> Path:
        (found,) = self.python.parent.parent.glob("lib/python3*/site-packages/claude_agent_sdk/_bundled/claude")
        return found

    def environment(self, **variables: str) -> dict[str, str]:
        kept = clean_environment(HOME=str(self.home), ANTHROPIC_BASE_URL=self.gateway.url)
        return kept | SILENCE | self.outside.environment() | variables

    def run(self, command: list[str], entered: str = "", **variables: str) -> Any:
        """Run a program that prints JSON, and keep all it says for the leak check."""
        done = subprocess.run(
            command,
            cwd=self.home,
            env=self.environment(**variables),
            input=entered,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        self.evidence.add("what Claude Code says", done.stdout + done.stderr)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def ask(self, prompt: str, model: str, *options: str, **variables: str) -> Any:
        """Ask Claude Code; return its final word, with ``--verbose`` a list of all that happened."""
        variables = variables or {"ANTHROPIC_API_KEY": GATEWAY_KEY}
        command = [str(self.program), "-p", prompt, "--model", model, "--output-format", "json", "--max-turns", "4"]
        return self.run([*command, "--allowedTools", "Bash(echo:*)", *options], **variables)

    def seen(self, tag: str) -> list[Simulated]:
        return requests_with(self.simulator, tag)


@pytest.fixture(scope="session")
def agent_python(request: pytest.FixtureRequest) -> Path:
    return python_or_skip("claude-code", announcer(request.config))


@pytest.fixture
def agent(
    agent_python: Path, gateway: Server, simulator: Server, evidence: Evidence, tmp_path: Path
) -> Iterator[Agent]:
    """Claude Code; whatever it does, it may talk to the gateway only."""
    with watching_outside() as outside:
        yield Agent(
            python=agent_python, gateway=gateway, simulator=simulator, evidence=evidence, outside=outside, home=tmp_path
        )
        assert outside.wanted == []


def order(**pairs: object) -> str:
    """Write a directive to the simulator."""
    return f"[[sim: {', '.join(f'{key}={json.dumps(value, ensure_ascii=False)}' for key, value in pairs.items())}]]"


def echo(tag: str) -> str:
    """Return a prompt by which the simulator has the shell compute 42."""
    arguments = json.dumps({"command": "echo lockgate-$((40+2))", "description": "Say it"})
    return f"{tag} Do it. {order(tool='Bash', args=arguments)}"


def check_round_trip(seen: list[Simulated], path: str, model: str) -> None:
    """Two streamed requests and no third: no stream was given up and asked again whole. The second carries the result."""
    assert [(one.path, one.body["model"], one.body["stream"]) for one in seen] == [(path, model, True)] * 2
    assert [(one.status, one.outcome) for one in seen] == [(200, "completed")] * 2
    assert "lockgate-42" not in seen[0].text
    assert "lockgate-42" in last_result(seen[1])


def last_result(request: Simulated) -> str:
    """Return the content of the last message, which must be a tool's result."""
    last = request.body["messages"][-1]
    if request.path == CHAT:
        assert last["role"] == "tool"
        return json.dumps(last["content"])
    (result,) = [block for block in last["content"] if block["type"] == "tool_result"]
    assert not result.get("is_error")
    return json.dumps(result["content"])


def check_answer(answer: dict[str, Any]) -> None:
    assert answer["is_error"] is False, answer["result"]
    assert answer["terminal_reason"] == "completed"
    assert answer["num_turns"] == 2
    assert answer["permission_denials"] == []
    assert "lockgate-42" in answer["result"]
    assert answer["usage"]["output_tokens"] > 0


@pytest.mark.parametrize(
    "model",
    [
        CLAUDE,
        # thinks within a budget, and has no system messages among its turns
        "@sim-anthropic/claude-haiku-4-5",
        "@sim-anthropic/claude-sonnet-4-6",
    ],
)
def test_tool_call_completes_natively(model: str, agent: Agent) -> None:
    tag = f"tag-native-{model.rpartition('/')[2]}."
    check_answer(agent.ask(echo(tag), model))
    seen = agent.seen(tag)
    check_round_trip(seen, MESSAGES, model.rpartition("/")[2])
    assert seen[0].body["system"][0]["text"].startswith("x-anthropic-billing-header"), "part of the cached prefix"
    assert len(seen[0].body["metadata"]["user_id"]) > 64
    assert "claude-code-20250219" in seen[0].headers["anthropic-beta"]


@pytest.mark.parametrize("model", [GPT, "@sim-openai/gpt-5.2"])
def test_tool_call_completes_through_the_adapter(model: str, agent: Agent) -> None:
    tag = f"tag-adapter-{model.rpartition('/')[2]}."
    check_answer(agent.ask(echo(tag), model))
    seen = agent.seen(tag)
    check_round_trip(seen, CHAT, model.rpartition("/")[2])
    assert "x-anthropic-billing-header" not in seen[0].text
    assert len(seen[0].body["user"]) == 64
    assert "Bash" in [tool["function"]["name"] for tool in seen[0].body["tools"]]


def test_bare_model_names_reach_the_provider_of_a_custom_header(agent: Agent) -> None:
    variables = {"ANTHROPIC_API_KEY": GATEWAY_KEY, "ANTHROPIC_CUSTOM_HEADERS": "x-portkey-provider: @sim-openai"}
    check_answer(agent.ask(echo("tag-header."), "gpt-4.1", **variables))
    check_round_trip(agent.seen("tag-header."), CHAT, "gpt-4.1")


@pytest.mark.parametrize(
    "names", [["ANTHROPIC_AUTH_TOKEN"], ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]], ids=["token", "both"]
)
def test_gateway_key_is_known_in_every_place_where_it_can_come(names: list[str], agent: Agent) -> None:
    tag = f"tag-credential-{len(names)}."
    check_answer(agent.ask(echo(tag), CLAUDE, **dict.fromkeys(names, GATEWAY_KEY)))
    check_round_trip(agent.seen(tag), MESSAGES, "claude-opus-5-5")
    assert GATEWAY_KEY not in json.dumps([(one.headers, one.text) for one in agent.seen(tag)])


def test_wrong_key_is_reported_at_once(agent: Agent) -> None:
    variables = {"ANTHROPIC_API_KEY": "not-a-key-of-ours", "CLAUDE_CODE_MAX_RETRIES": "1"}
    events = agent.ask("Hello", CLAUDE, "--verbose", **variables)
    assert events[-1]["api_error_status"] == 401
    assert "Invalid API Key" in events[-1]["result"]
    assert [event["attempt"] for event in events if event.get("subtype") == "api_retry"] == []


@pytest.mark.parametrize("model, path", [(CLAUDE, MESSAGES), (GPT, CHAT)], ids=["claude", "gpt"])
def test_conversation_goes_on(model: str, path: str, agent: Agent) -> None:
    """Three prompts in one session: the whole history comes back each time, with its signed thoughts, and is taken."""
    tag = f"tag-session-{model.rpartition('/')[2]}."
    check_answer(agent.ask(echo(tag), model))
    second = agent.ask("And now without a tool, please.", model, "--continue")
    assert second["is_error"] is False, second["result"]
    check_answer(agent.ask(echo("Once more."), model, "--continue"))
    seen = agent.seen(tag)
    assert [(one.path, one.status, one.outcome) for one in seen] == [(path, 200, "completed")] * 5
    assert seen[-1].text.count("lockgate-42") >= 2
    assert "And now without a tool, please." in seen[-1].text


def test_few_betas_are_enough(agent: Agent) -> None:
    variables = {"ANTHROPIC_API_KEY": GATEWAY_KEY, "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1"}
    check_answer(agent.ask(echo("tag-few-betas."), CLAUDE, **variables))
    check_round_trip(agent.seen("tag-few-betas."), MESSAGES, "claude-opus-5-5")


def test_models_are_discovered_before_a_conversation(
    agent_python: Path, gateway: Server, simulator: Server, evidence: Evidence, tmp_path: Path
) -> None:
    """With its other traffic allowed, it asks for models first; the conversation itself may be with OpenAI's."""
    with watching_outside() as outside, watching_requests(gateway) as (url, seen):
        agent = Agent(
            python=agent_python, gateway=gateway, simulator=simulator, evidence=evidence, outside=outside, home=tmp_path
        )
        variables = dict.fromkeys(SILENCE, "") | {
            "ANTHROPIC_API_KEY": GATEWAY_KEY,
            "ANTHROPIC_BASE_URL": url,
            "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        }
        check_answer(agent.ask(echo("tag-greeting."), GPT, **variables))
        check_round_trip(agent.seen("tag-greeting."), CHAT, "gpt-4.1")
    assert seen[0] == ("GET", "/v1/models?limit=1000", 200)
    assert {status for _, _, status in seen} == {200}


def test_the_gateway_is_greeted_first(
    agent_python: Path, gateway: Server, simulator: Server, evidence: Evidence, tmp_path: Path
) -> None:
    """``HEAD /api/hello`` comes where no proxy is set: so it runs in a network in which there is nothing else."""
    box = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*box, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a network of its own")
    with watching_requests(gateway, tmp_path / "way") as (way, seen):
        outside = Outside(port=1)
        agent = Agent(
            python=agent_python, gateway=gateway, simulator=simulator, evidence=evidence, outside=outside, home=tmp_path
        )
        command = [*box, sys.executable, str(DRIVERS.parent / "drivers" / "alone.py"), way, str(agent.program)]
        options = ["-p", echo("tag-hello."), "--model", CLAUDE, "--output-format", "json", "--max-turns", "4"]
        variables = dict.fromkeys(SILENCE, "") | dict.fromkeys(outside.environment(), "")
        answer = agent.run(
            [*command, *options, "--allowedTools", "Bash(echo:*)"], **variables, ANTHROPIC_API_KEY=GATEWAY_KEY
        )
        check_answer(answer)
    assert seen[0] == ("HEAD", "/api/hello", 200)
    assert {status for _, _, status in seen} == {200}
    check_round_trip(agent.seen("tag-hello."), MESSAGES, "claude-opus-5-5")


@pytest.mark.parametrize("model, path", [(CLAUDE, MESSAGES), (GPT, CHAT)], ids=["claude", "gpt"])
def test_tools_are_found_by_a_search(model: str, path: str, agent: Agent) -> None:
    """The client runs the search; its result names tools that it did not describe before."""
    tag = f"tag-search-{model.rpartition('/')[2]}."
    prompt = f"{tag} {order(tool='ToolSearch', args=json.dumps({'query': 'select:WebFetch'}))}"
    answer = agent.ask(prompt, model)
    assert answer["is_error"] is False, answer["result"]
    seen = agent.seen(tag)
    assert [(one.path, one.body["stream"], one.status) for one in seen] == [(path, True, 200)] * 2
    assert "WebFetch" in json.dumps(seen[1].body["messages"][-1])


@pytest.mark.parametrize("model, path", [(CLAUDE, MESSAGES), (GPT, CHAT)], ids=["claude", "gpt"])
def test_agent_sdk_runs_a_tool_of_its_own_program(model: str, path: str, agent: Agent) -> None:
    tag = f"tag-sdk-{model.rpartition('/')[2]}."
    prompt = f"{tag} Look it up. {order(tool='mcp__desk__look_up', args=json.dumps({'word': 'firn'}))}"
    # Else it shows its tools only when the model has searched for them.
    environment = {"ANTHROPIC_API_KEY": GATEWAY_KEY, "ENABLE_TOOL_SEARCH": "false"}
    orders = {"prompt": prompt, "model": model, "environment": environment}
    answer = agent.run([str(agent.python), str(DRIVERS / "drive_agent_sdk.py")], json.dumps(orders))
    assert answer["is_error"] is False, answer
    assert answer["asked"] == ["firn"]
    assert answer["tools"] == ["mcp__desk__look_up"]
    assert "firn: a kind of snow ❄" in answer["result"]
    assert answer["texts"][-1] == answer["result"]
    assert answer["deltas"] > 2
    seen = agent.seen(tag)
    assert [(one.path, one.body["stream"], one.status) for one in seen] == [(path, True, 200)] * 2
    assert "firn: a kind of snow" in seen[1].text
