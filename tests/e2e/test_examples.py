"""Every file of ``examples/`` runs as users run it, with each SDK generation that it was written for."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.clients import EXAMPLES, RUN_S, Client
from tests.e2e.gateway import GATEWAY_KEY, ROOT, Evidence, Server, clean_environment

# The first test to need an SDK may have to install it.
pytestmark = pytest.mark.timeout(600)

PYTHON = sorted(path.name for path in (EXAMPLES / "python").glob("*.py"))
JAVASCRIPT = sorted(path.name for path in (EXAMPLES / "javascript").glob("*.mjs"))
CURL = sorted(path.name for path in (EXAMPLES / "curl").glob("*.sh"))
SEED_MODEL = "@anthropic/claude-sonnet-4-5-20250929"
LOCKS = [EXAMPLES / "javascript", ROOT / "tests" / "e2e" / "js" / "previous", ROOT / "tests" / "e2e" / "js" / "seed"]

# What an example prints, as patterns of whole lines in their order. One that is not here prints some `Name: text`.
ALL_CALLS = [r"Plain: \S.*", r"Streamed: \S.*", r"Tool call: get_weather\(.*", r"Final answer: \S.*"]
ACTION = [r"Action: computer\(.*screenshot.*", r"Final answer: .*1 tool result.*image.*"]
SEARCHED = [r"Answer: .*news on Poland.*", r"Sources: https://\S+"]
PERSON = r".*\bname\b.*\bage\b.*\bmail\b.*"
TOOL_TURN = [r"Tool call: get_weather\(.*city.*\)", r"Final answer: .*1 tool result.*light rain.*"]
PRINTS = {
    "anthropic_computer_use": ACTION,
    "anthropic_count_tokens": [r"Question: \d+ .*", r"With system prompt and tool: \d+ .*", r".*: (\d+) and \1 tokens"],
    "anthropic_messages": ALL_CALLS,
    "chat": ALL_CALLS,
    "count_tokens": [r"Question: \d+ .*", r"With system prompt and tool: \d+ .*"],
    "messages": ALL_CALLS,
    "openai_chat": ALL_CALLS,
    "openai_structured_outputs": [rf"JSON Schema: {PERSON}", rf"Streamed: {PERSON}", rf"Parsed: {PERSON}"],
    "portkey_beta_header": [r"One flag: .*AI gateway.*", r"Two flags: .*AI gateway.*"],
    "portkey_chat": ALL_CALLS,
    "portkey_computer_use": ACTION,
    "portkey_cache": [
        r"Asked: .*caches.*",
        r"Asked again: the same answer.*",
        r"Streamed: .*caches.*",
        r"Asked anew: .*caches.*",
        r"In another namespace: .*caches.*",
    ],
    "portkey_fallback": [
        r"Answer: .*fallback.*",
        r"Answered by: config\.targets\[1\] after 0 retries",
        r"Streamed: .*fallback.*",
    ],
    "portkey_load_balancing": [
        r"Shares: \d+ at config\.targets\[0\].*",
        r"Sticky: ann stays at config\.targets\[[01]\]",
        r"Sticky: bob stays at config\.targets\[[01]\]",
    ],
    "portkey_mcp": [r"Answer: .*Which tools.*", r"Tools used: \S+"],
    "portkey_messages": [r"Message: .*weather like in Chennai.*", r"Usage: \d+ .*"],
    "portkey_pdf": [rf"{form}: .*saw 1 document.*" for form in ("Base64", "Data URL", "Image URL")],
    "portkey_prompt_caching": [r"First call: wrote \d{4,} .*", r"Second call: wrote \d+ tokens, read \d{4,} .*"],
    "portkey_structured_outputs": [rf"JSON Schema: {PERSON}", rf"Streamed: {PERSON}", rf"Parsed: {PERSON}"],
    "portkey_system_prompt": [r"One: .*boil water.*", r"Several: .*boil water.*"],
    "portkey_thinking": [
        r"Thinking: .*",  # some models keep its text to themselves; that it is signed, the examples check
        r"Answer: .*391.*",
        r"Streamed thinking: .*",
        r"Streamed answer: .*397.*",
        *(TOOL_TURN * 4),
    ],
    "portkey_vision": [r"Image: .*saw 1 image.*", r"Streamed: .*saw 1 image.*"],
    "portkey_web_search": [*SEARCHED, r"Second answer: .*news on Norway.*", r"Sources: https://\S+"],
}
PRINTS_CURL = {"portkey_messages": ALL_CALLS[:2], "portkey_web_search": SEARCHED}


def runs() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Client, file and settings beside the example's own. The previous generations are in test_previous_sdks.py."""
    for name, programs in (("python-newest", PYTHON), ("javascript-newest", JAVASCRIPT)):
        for program in programs:
            yield name, program, {}
    seed, gpt = {"LOCKGATE_MODEL": SEED_MODEL}, {"LOCKGATE_MODEL": "@openai/gpt-4.1"}
    adaptive = {"LOCKGATE_MODEL": "@anthropic/claude-sonnet-5-5", "LOCKGATE_THINKING": '{"type": "adaptive"}'}
    yield "python-newest", "portkey_chat.py", seed
    yield "python-newest", "anthropic_messages.py", seed
    yield "python-newest", "openai_chat.py", gpt
    yield "python-newest", "openai_structured_outputs.py", gpt
    yield "python-newest", "portkey_thinking.py", adaptive
    yield "javascript-newest", "openai_chat.mjs", seed
    yield "javascript-newest", "anthropic_messages.mjs", seed
    yield "javascript-newest", "portkey_chat.mjs", gpt
    yield "javascript-newest", "portkey_structured_outputs.mjs", seed
    yield "javascript-newest", "portkey_thinking.mjs", adaptive


def settings(gateway: Server, key: str = GATEWAY_KEY) -> dict[str, str]:
    return {"LOCKGATE_BASE_URL": gateway.url, "LOCKGATE_API_KEY": key}


def assert_ran(done: subprocess.CompletedProcess[str], lines: list[str] = ALL_CALLS) -> None:
    """Assert that an example ended well and did all of its calls."""
    assert done.returncode == 0, done.stderr + done.stdout
    rest = done.stdout
    for line in lines:
        found = re.search(rf"^{line}$", rest, re.MULTILINE)
        assert found, f"{line!r} is missing in:\n{done.stdout}"
        rest = rest[found.end() :]


@pytest.mark.parametrize("name, program, more", list(runs()))
def test_example_makes_all_its_calls(
    name: str, program: str, more: dict[str, str], client_named: Callable[[str], Client], gateway: Server
) -> None:
    client = client_named(name)
    done = client.run_among_others([str(client.examples / program)], **settings(gateway), **more)
    assert_ran(done, PRINTS.get(Path(program).stem, [r"\w[^:]*: \S.*"]))


@pytest.mark.parametrize("program", ["anthropic_messages.py", "portkey_chat.py"])
def test_a_python_example_runs_alone(program: str, client_named: Callable[[str], Client], gateway: Server) -> None:
    client = client_named("python-newest")
    assert_ran(client.run([str(client.examples / program)], **settings(gateway)))


def run_shell(program: str, evidence: Evidence, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["sh", str(EXAMPLES / "curl" / program)],
        env=clean_environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    evidence.add(f"the output of {program}", done.stdout + done.stderr)
    return done


@pytest.mark.parametrize("program", CURL)
def test_curl_example_makes_all_its_calls(program: str, gateway: Server, evidence: Evidence) -> None:
    stem = Path(program).stem
    done = run_shell(program, evidence, **settings(gateway))
    assert_ran(done, PRINTS_CURL.get(stem) or PRINTS.get(stem, [r"\w[^:]*: \S.*"]))


@pytest.mark.parametrize("program", PYTHON)
def test_python_example_says_what_went_wrong(
    program: str, client_named: Callable[[str], Client], gateway: Server
) -> None:
    client = client_named("python-newest")
    done = client.run_among_others([str(client.examples / program)], **settings(gateway, key="not-a-key-of-ours"))
    assert done.returncode == 1
    assert "Invalid API Key" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", JAVASCRIPT)
def test_javascript_example_says_what_went_wrong(
    program: str, client_named: Callable[[str], Client], gateway: Server
) -> None:
    client = client_named("javascript-newest")
    done = client.run([str(client.examples / program)], **settings(gateway, key="not-a-key-of-ours"))
    assert done.returncode == 1
    assert "Invalid API Key" in done.stderr
    assert "    at " not in done.stderr


@pytest.mark.parametrize("program", CURL)
def test_curl_example_says_what_went_wrong(program: str, gateway: Server, evidence: Evidence) -> None:
    done = run_shell(program, evidence, **settings(gateway, key="not-a-key-of-ours"))
    assert done.returncode == 1
    assert "Invalid API Key" in done.stderr


def sent_by(simulator: Server, done: subprocess.CompletedProcess[str]) -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Return headers and bodies that reached the provider for an example that ended well, and forget them."""
    assert done.returncode == 0, done.stderr
    with httpx.Client(base_url=simulator.url, trust_env=False) as http:
        entries = http.get("/_simulator/requests").json()["requests"]
        http.delete("/_simulator/requests")
    return [(dict(entry["headers"]), json.loads(base64.b64decode(entry["body_base64"]))) for entry in entries]


@pytest.mark.parametrize("language", ["python", "javascript", "curl"])
def test_beta_flags_of_an_example_reach_the_provider(
    language: str, client_named: Callable[[str], Client], gateway: Server, simulator: Server, evidence: Evidence
) -> None:
    httpx.delete(f"{simulator.url}/_simulator/requests", trust_env=False)
    variables = settings(gateway) | {"LOCKGATE_MODEL": "@sim-anthropic/claude-sonnet-5-5"}
    if language == "curl":
        done = run_shell("portkey_beta_header.sh", evidence, **variables)
    else:
        client = client_named(f"{language}-newest")
        program = "portkey_beta_header." + {"python": "py", "javascript": "mjs"}[language]
        done = client.run_among_others([str(client.examples / program)], **variables)
    flags = [headers["anthropic-beta"] for headers, _ in sent_by(simulator, done)]
    assert flags == [
        "token-efficient-tools-2025-02-19",
        "token-efficient-tools-2025-02-19,context-1m-2025-08-07",
    ]


def test_remote_servers_of_an_example_reach_the_provider(
    client_named: Callable[[str], Client], gateway: Server, simulator: Server
) -> None:
    httpx.delete(f"{simulator.url}/_simulator/requests", trust_env=False)
    variables = settings(gateway) | {"LOCKGATE_MODEL": "@sim-anthropic/claude-sonnet-5-5"}
    client = client_named("javascript-newest")
    done = client.run([str(client.examples / "portkey_mcp.mjs")], **variables)
    [(headers, body)] = sent_by(simulator, done)
    assert headers["anthropic-beta"] == "mcp-client-2025-11-20"
    assert body["mcp_servers"] == [{"type": "url", "name": "library", "url": "https://mcp.example.com/mcp"}]
    assert body["tools"] == [{"type": "mcp_toolset", "mcp_server_name": "library"}]


def test_every_example_is_listed() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    assert [name for name in (*PYTHON, *JAVASCRIPT, *CURL) if name not in readme] == []


@pytest.mark.parametrize("folder", LOCKS, ids=lambda folder: folder.name)
def test_npm_lock_names_no_registry(folder: Path) -> None:
    lock = json.loads((folder / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
    assert "omit-lockfile-registry-resolved=true" in (folder / ".npmrc").read_text()
