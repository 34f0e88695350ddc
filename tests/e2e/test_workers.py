"""Several gateway processes behind one port."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as read_metrics

from tests.e2e.gateway import Server, clean_environment, running
from tests.e2e.waiting import wait_until

BODY = {
    "model": "@anthropic/claude-haiku-4-5-20251001",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "x"}],
}
LISTENS = re.compile(r"worker (\d) listens \(process (\d+)\)")


def started(server: Server) -> list[int]:
    return [int(process) for _, process in LISTENS.findall(server.log.read_text())]


def ask(server: Server, key: str = "k") -> int:
    headers = {"x-api-key": key}
    return httpx.post(server.url + "/v1/messages", json=BODY, headers=headers, trust_env=False, timeout=30).status_code


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_dies_is_replaced_and_all_end_together(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="k")
    with running(["up", "--port", "0", "--workers", "2"], folder=tmp_path, environment=environment) as server:
        assert {ask(server) for _ in range(8)} == {200}
        first = started(server)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: len(started(server)) == 3)
        assert {ask(server) for _ in range(8)} == {200}
    assert server.process.returncode == 0
    assert not any(is_alive(process) for process in started(server))
    assert len(list((server.home / "journal").glob("*.log"))) >= 2


def metric(server: Server, name: str) -> float:
    headers = {"authorization": "Bearer boss"}
    answer = httpx.get(server.url + "/metrics", headers=headers, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    samples = [s for family in read_metrics(answer.text) for s in family.samples if s.name == name]
    return sum(sample.value for sample in samples)


def test_whichever_worker_is_asked_knows_the_numbers_of_all(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="k", LOCKGATE_ADMIN_KEY="boss")
    with running(["up", "--port", "0", "--workers", "2"], folder=tmp_path, environment=environment) as server:
        assert {ask(server) for _ in range(12)} == {200}
        for _ in range(6):
            wait_until(lambda: metric(server, "aigw_requests_total") == 12)
        wait_until(lambda: metric(server, "aigw_workers") == 2)
        os.kill(started(server)[0], signal.SIGKILL)
        wait_until(lambda: len(started(server)) == 3)
        wait_until(lambda: metric(server, "aigw_workers") == 2)
        wait_until(lambda: metric(server, "aigw_requests_total") == 12)
        refused = httpx.get(server.url + "/metrics", headers={"x-api-key": "k"}, trust_env=False)
        assert refused.status_code == 403
        assert httpx.get(server.url + "/metrics", trust_env=False).status_code == 401


def test_workers_end_when_nobody_watches_them(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="k")
    with running(["up", "--port", "0", "--workers", "2"], folder=tmp_path, environment=environment) as server:
        workers = started(server)
        server.process.kill()
        wait_until(lambda: not any(is_alive(process) for process in workers))


def test_the_state_folder_may_be_named_from_where_one_stands(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="k")
    with running(
        ["up", "--port", "0", "--workers", "2"], folder=tmp_path, environment=environment, home="home"
    ) as server:
        assert {ask(server) for _ in range(4)} == {200}


def test_a_second_gateway_takes_neither_port_nor_folder(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="k")
    with running(["up", "--port", "0", "--workers", "2"], folder=tmp_path, environment=environment) as server:
        port = server.url.rpartition(":")[2]
        with pytest.raises(RuntimeError, match="cannot listen"):
            with running(["up", "--port", port, "--workers", "2"], folder=tmp_path / "b", environment=environment):
                pass
        with pytest.raises(RuntimeError, match="uses the state folder"):
            with running(["up", "--port", "0"], folder=tmp_path / "c", environment=environment, home=str(server.home)):
                pass
        assert {ask(server) for _ in range(4)} == {200}


def test_a_counter_server_that_dies_runs_again_with_what_it_had_counted(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="k", LOCKGATE_ADMIN_KEY="boss")
    with running(["up", "--port", "0", "--workers", "2"], folder=tmp_path, environment=environment) as server:
        with httpx.Client(
            base_url=server.url + "/v1", headers={"x-api-key": "boss"}, trust_env=False, timeout=30
        ) as admin:
            limit = {"type": "tokens", "credit_limit": 1000}
            body = {"name": "app", "scopes": ["completions.write"], "usage_limits": limit}
            made = admin.post("/api-keys/workspace/service", json=body)
            assert made.status_code == 200, made.text
            key = made.json()
            usage = lambda: admin.get(f"/api-keys/{key['id']}").json()["usage"] or {}  # noqa: E731
            wait_until(lambda: ask(server, key["key"]) == 200)
            while ask(server, key["key"]) != 412:
                pass
            wait_until(lambda: usage().get("reserved") == 0)
            before = usage()["used"]
            children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
            (valkey,) = [child for child in children if "valkey" in Path(f"/proc/{child}/cmdline").read_text()]
            os.kill(int(valkey), signal.SIGKILL)
            wait_until(lambda: "it runs again" in server.log.read_text())
            wait_until(lambda: usage().get("used") == before)
            wait_until(lambda: ask(server, key["key"]) == 412)


def test_the_command_line_shows_and_resets_what_all_workers_have_counted(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="k", LOCKGATE_ADMIN_KEY="boss")

    def lockgate(home: Path, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "lockgate", *arguments, "--json"],
            env=clean_environment(LOCKGATE_HOME=str(home)),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    with running(["up", "--port", "0", "--workers", "2"], folder=tmp_path, environment=environment) as server:
        home = server.home
        made = lockgate(home, "keys", "create", "app", "--budget", "100000tokens")
        for _ in range(8):
            # each process learns of the key by itself
            wait_until(lambda: ask(server, made["key"]) == 200)
        headers = {"x-api-key": "boss"}
        with httpx.Client(base_url=server.url + "/v1", headers=headers, trust_env=False, timeout=30) as admin:
            path = f"/api-keys/{made['id']}"
            told = lambda: admin.get(path).json()["usage"]  # noqa: E731
            wait_until(lambda: told()["reserved"] == 0)
            used = told()["used"]
            assert used > 0
            shown = lockgate(home, "keys", "show", "app")["usage"]
            assert (shown["used"], shown["remaining"]) == (used, 100_000 - used)
            (row,) = lockgate(home, "budgets", "show", "key:app")
            assert row["usage"]["used"] == used
            assert lockgate(home, "keys", "update", "app", "--reset-usage")["usage"]["used"] == 0
            wait_until(lambda: told()["used"] == 0)


def test_a_target_that_keeps_failing_is_left_out_by_all_workers(tmp_path: Path) -> None:
    config = {
        "strategy": {"mode": "fallback", "cb_config": {"failure_threshold": 3, "cooldown_interval": 600_000}},
        "targets": [{"provider": "@anthropic"}, {"provider": "@openai", "override_params": {"model": "gpt-4.1"}}],
    }

    def served_by(server: Server, text: str) -> str:
        body = {"model": "claude-haiku-4-5", "max_tokens": 5, "messages": [{"role": "user", "content": text}]}
        headers = {"x-api-key": "k", "x-portkey-config": json.dumps(config)}
        answer = httpx.post(server.url + "/v1/messages", json=body, headers=headers, trust_env=False, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-portkey-last-used-option-index"]

    environment = clean_environment(LOCKGATE_API_KEY="k")
    with running(["up", "--port", "0", "--workers", "2"], folder=tmp_path, environment=environment) as server:
        assert {served_by(server, "Hi") for _ in range(8)} == {"config.targets[0]"}
        for _ in range(3):
            # three failures in all, whoever sees them
            assert served_by(server, "[[sim: status=503, on=anthropic]]") == "config.targets[1]"
        wait_until(lambda: {served_by(server, "Hi") for _ in range(12)} == {"config.targets[1]"})
