"""A machine that is lost: what its copy says of budgets and records holds on the next one."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest

from tests.e2e.gateway import Server, clean_environment, running
from tests.e2e.test_logs_command import lockgate, search

MODEL = "@anthropic/claude-haiku-4-5-20251001"


def chat(server: Server, key: str, trace: str) -> httpx.Response:
    body = {"model": MODEL, "max_tokens": 20, "messages": [{"role": "user", "content": "Hello!"}]}
    headers = {"x-portkey-api-key": key, "x-portkey-trace-id": trace}
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=30)


def make_key(server: Server) -> str:
    """Make a key whose budget some requests use up."""
    limit = {"type": "tokens", "credit_limit": 1000}
    body = {"name": "small", "scopes": ["completions.write"], "usage_limits": limit}
    headers = {"x-portkey-api-key": "boss"}
    url = f"{server.url}/v1/api-keys/workspace/service"
    made = httpx.post(url, json=body, headers=headers, trust_env=False, timeout=30)
    assert made.status_code == 200, made.text
    return str(made.json()["key"])


def wait_for_key(server: Server, key: str) -> None:
    """Return when every process knows a key: each connection is another one's."""
    streak = 0
    while streak < 20:
        headers = {"x-portkey-api-key": key}
        answer = httpx.get(f"{server.url}/v1/models", headers=headers, trust_env=False, timeout=30)
        streak = streak + 1 if answer.status_code != 401 else 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_budget_that_is_used_up_stays_so_on_another_machine(tmp_path: Path, workers: int) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    variables = clean_environment(LOCKGATE_API_KEY="k", LOCKGATE_ADMIN_KEY="boss", LOCKGATE_HOME="home")
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    for folder in (old, new):
        (folder / "home").mkdir(parents=True)
    with running(arguments, folder=old, environment=variables) as server:
        key = make_key(server)
        wait_for_key(server, key)
        statuses = [chat(server, key, "spent").status_code]
        while statuses[-1] in (200, 429):  # 429: what is left is held by a call that is not settled yet
            statuses.append(chat(server, key, "spent").status_code)
        assert statuses[0] == 200
        assert statuses[-1] == 412
        search(old, "trace:spent", len(statuses))
        (refused,) = search(old, "trace:spent status:412 model:claude*", 1)
        assert "key 'small'" in refused["error_message"]
        told = lockgate(old, "backup", "../copy")
        assert "The master key " in told
    shutil.rmtree(old / "home" / "records")
    assert "needs the master key" in lockgate(new, "restore", "../copy")
    shutil.copy(old / "home" / "master.key", new / "home" / "master.key")
    with running(arguments, folder=new, environment=variables) as server:
        assert chat(server, key, "again").status_code == 412
        assert chat(server, "k", "other").status_code == 200
        # the new journal has files of the same names as the old one had
        search(new, "trace:again,other", 2)
    search(new, "trace:spent", len(statuses))
