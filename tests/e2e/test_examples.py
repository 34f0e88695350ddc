"""Every file of ``examples/`` runs as users run it, with each SDK generation that it was written for."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import EXAMPLES, RUN_S, Client
from tests.e2e.gateway import GATEWAY_KEY, ROOT, Evidence, Server, clean_environment

# The first test to need an SDK may have to install it.
pytestmark = pytest.mark.timeout(600)

PYTHON = ["portkey_chat.py", "openai_chat.py", "anthropic_messages.py"]
JAVASCRIPT = ["portkey_chat.mjs", "openai_chat.mjs", "anthropic_messages.mjs"]
CURL = ["chat.sh", "messages.sh"]
SEED_MODEL = "@anthropic/claude-sonnet-4-5-20250929"
LOCKS = [EXAMPLES / "javascript", ROOT / "tests" / "e2e" / "js" / "previous"]


def runs() -> Iterator[tuple[str, str, str | None]]:
    """Client, file and model (None: the example's own). The previous generations are in test_previous_sdks.py."""
    for name, programs in (("python-newest", PYTHON), ("javascript-newest", JAVASCRIPT)):
        for program in programs:
            yield name, program, None
    yield "python-newest", "portkey_chat.py", SEED_MODEL
    yield "python-newest", "anthropic_messages.py", SEED_MODEL
    yield "python-newest", "openai_chat.py", "@openai/gpt-4.1"
    yield "javascript-newest", "openai_chat.mjs", SEED_MODEL
    yield "javascript-newest", "anthropic_messages.mjs", SEED_MODEL
    yield "javascript-newest", "portkey_chat.mjs", "@openai/gpt-4.1"


def settings(gateway: Server, model: str | None = None, key: str = GATEWAY_KEY) -> dict[str, str]:
    variables = {"LOCKGATE_BASE_URL": gateway.url, "LOCKGATE_API_KEY": key}
    return variables | ({"LOCKGATE_MODEL": model} if model else {})


def assert_ran(done: subprocess.CompletedProcess[str]) -> None:
    """Assert that an example did all of its three calls."""
    assert done.returncode == 0, done.stderr + done.stdout
    assert re.search(r"^Plain: \S", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^Streamed: \S", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^Tool call: get_weather\(", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^Final answer: \S", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("name, program, model", list(runs()))
def test_example_makes_all_its_calls(
    name: str, program: str, model: str | None, client_named: Callable[[str], Client], gateway: Server
) -> None:
    client = client_named(name)
    assert_ran(client.run([str(client.examples / program)], **settings(gateway, model)))


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
    assert_ran(run_shell(program, evidence, **settings(gateway)))


@pytest.mark.parametrize(
    "name, program", [*(("python-newest", p) for p in PYTHON), *(("javascript-newest", p) for p in JAVASCRIPT)]
)
def test_example_says_what_went_wrong(
    name: str, program: str, client_named: Callable[[str], Client], gateway: Server
) -> None:
    client = client_named(name)
    done = client.run([str(client.examples / program)], **settings(gateway, key="not-a-key-of-ours"))
    assert done.returncode == 1
    assert "Invalid API Key" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", CURL)
def test_curl_example_says_what_went_wrong(program: str, gateway: Server, evidence: Evidence) -> None:
    done = run_shell(program, evidence, **settings(gateway, key="not-a-key-of-ours"))
    assert done.returncode == 1
    assert "Invalid API Key" in done.stderr


def test_every_example_is_tried_and_listed() -> None:
    programs = {path.name for path in EXAMPLES.rglob("*") if path.suffix in (".py", ".mjs", ".sh")}
    assert programs == {*PYTHON, *JAVASCRIPT, *CURL}
    readme = (EXAMPLES / "README.md").read_text()
    assert [name for name in programs if name not in readme] == []


@pytest.mark.parametrize("folder", LOCKS, ids=lambda folder: folder.name)
def test_npm_lock_names_no_registry(folder: Path) -> None:
    lock = json.loads((folder / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
    assert "omit-lockfile-registry-resolved=true" in (folder / ".npmrc").read_text()
