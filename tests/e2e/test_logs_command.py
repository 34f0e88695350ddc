"""``lockgate logs`` as a user types it, beside a gateway that runs and after it has ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from lockgate.cli import cli
from tests.e2e.gateway import Server, clean_environment, running
from tests.e2e.test_bodies import bodies_of

MODEL = "@anthropic/claude-haiku-4-5-20251001"


def environment(folder: Path) -> dict[str, str]:
    # relative to where the command is typed, as the default is
    home = os.path.relpath(folder / "home", folder)
    return clean_environment(LOCKGATE_API_KEY="k", LOCKGATE_ADMIN_KEY="boss", LOCKGATE_HOME=home)


def lockgate(folder: Path, *arguments: str, status: int = 0) -> str:
    """Run the command, in this process, as it takes a second to start another; return what it printed, or its error."""
    variables = {name: value for name, value in environment(folder).items() if name.startswith("LOCKGATE_")}
    with contextlib.chdir(folder):
        done = CliRunner().invoke(cli, arguments, env=variables)
    assert done.exit_code == status, f"{done.output}\n{done.exception!r}"
    return done.stdout if status == 0 else done.stderr


def chat(
    server: Server, text: str, *, trace: str, model: str = MODEL, stream: bool = False, user: str = "somebody"
) -> httpx.Response:
    body = {"model": model, "max_tokens": 20, "stream": stream, "messages": [{"role": "user", "content": text}]}
    headers = {
        "x-portkey-api-key": "k",
        "x-portkey-trace-id": trace,
        "x-portkey-metadata": f'{{"team": "search", "_user": "{user}"}}',
    }
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=30)


def search(folder: Path, query: str, count: int) -> list[dict[str, Any]]:
    """Search until so many records are found: each is there within a second."""
    deadline = time.monotonic() + 60
    while True:
        found: list[dict[str, Any]] = json.loads(lockgate(folder, "logs", "search", query, "--json"))["data"]
        if len(found) >= count or time.monotonic() > deadline:
            assert len(found) == count
            return found
        time.sleep(0.1)


@pytest.mark.parametrize("workers", [1, 2])
def test_records_are_found_beside_a_gateway_and_after_it(tmp_path: Path, workers: int) -> None:
    (tmp_path / "home").mkdir()
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=environment(tmp_path)) as server:
        answer = chat(server, "Hello!", trace="one")
        assert answer.status_code == 200
        assert chat(server, "Hello!", trace="two", model="@nowhere/x").status_code == 400
        (found,) = search(tmp_path, "trace:one status:200 meta.team=search", 1)
        shown = lockgate(tmp_path, "logs", "show", "one")
        assert found["id"] in shown
        for id in (answer.headers["x-portkey-request-id"], answer.json()["id"], found["id"]):
            assert found["id"] in lockgate(tmp_path, "logs", "show", id)
        assert "upstream_first" in shown
        assert "total" in shown
        assert "no_target" in lockgate(tmp_path, "logs", "show", "two")
        server.process.kill()
        server.process.wait(10)
    both = search(tmp_path, "meta.team:*", 2)
    assert {one["trace_id"] for one in both} == {"one", "two"}
    wrong = lockgate(tmp_path, "logs", "search", "statsu:200", status=1)
    assert "There is no field 'statsu'" in wrong
    assert "^^^^^^" in wrong


def test_everything_is_exported_while_the_gateway_serves(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment(tmp_path)) as server:
        for number in range(20):
            chat(server, f"Hello {number}!", trace=f"trace-{number}", stream=number % 2 == 0)
        found = search(tmp_path, "", 20)
        made = {
            form: json.loads(lockgate(tmp_path, "logs", "export", "-o", f"out.{form}", "--json"))
            for form in ("jsonl", "csv", "parquet")
        }
        assert {each["rows"] for each in made.values()} == {20}
        lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().split(b"\n")[:-1]]
        assert {one["id"] for one in lines} == {one["id"] for one in found}
        assert [one["trace_id"] for one in lines] == [f"trace-{number}" for number in range(20)]
        assert (tmp_path / "out.csv").read_bytes().count(b"\r\n") == 21
    assert sorted(path.name for path in tmp_path.glob("*out.*")) == ["out.csv", "out.jsonl", "out.parquet"]


@pytest.mark.parametrize("name", ["out.jsonl.gz", "out.csv", "out.parquet"])
def test_what_one_gateway_recorded_is_imported_beside_another(tmp_path: Path, name: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        (folder / "home").mkdir(parents=True)
    with running(["up", "--port", "0"], folder=here, environment=environment(here)) as server:
        for number in range(6):
            chat(server, f"Hello {number}! 🙂", trace=f"trace-{number}", stream=number % 2 == 0)
        for record in search(here, "", 6):
            bodies_of(server, record)
        lockgate(here, "logs", "export", "--bodies", "-o", str(tmp_path / name))
        lockgate(here, "logs", "export", "--bodies", "-o", "all.jsonl")
    with running(["up", "--port", "0"], folder=there, environment=environment(there)) as server:
        made = json.loads(lockgate(there, "logs", "import", str(tmp_path / name), "--keep-workspace", "--json"))
        assert (made["new"], made["refused"]) == (6, 0)
        lockgate(there, "logs", "export", "--bodies", "-o", "all.jsonl")
        assert (there / "all.jsonl").read_bytes() == (here / "all.jsonl").read_bytes()
        # the gateway itself answers with it
        (found,) = search(there, 'trace:trace-3 "Hello 3"', 1)
        asked = json.loads(bodies_of(server, found).views["request"].data)
        assert asked["messages"][0]["content"] == "Hello 3! 🙂"
        audit = httpx.get(
            f"{server.url}/v1/audit-logs", headers={"x-portkey-api-key": "boss"}, trust_env=False, timeout=30
        )
        assert name in audit.text


def _hear_ctrl_c() -> None:
    """Undo what a shell does to programs in the background: they, and what they start, ignore the signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("workers", [1, 2])
def test_records_are_followed_until_ctrl_c(tmp_path: Path, workers: int) -> None:
    (tmp_path / "home").mkdir()
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=environment(tmp_path)) as server:
        chat(server, "before", trace="before")
        search(tmp_path, "trace:before", 1)
        command = [sys.executable, "-m", "lockgate", "logs", "tail", "status:200", "--columns", "trace,status,id"]
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hear_ctrl_c,
        ) as tail:
            assert tail.stdout is not None
            assert tail.stderr is not None
            assert tail.stdout.readline().split() == ["trace", "status", "id"]
            assert tail.stdout.readline().split()[:2] == ["before", "200"]
            for number in range(8):
                chat(server, "Hello!", trace=f"trace-{number}")
                chat(server, "Hello!", trace="refused", model="@nowhere/x")
            seen = [tail.stdout.readline().split() for _ in range(8)]
            assert sorted(one[0] for one in seen) == [f"trace-{number}" for number in range(8)]
            assert len({one[2] for one in seen}) == 8
            tail.send_signal(signal.SIGINT)
            assert tail.wait(60) == 0
            assert tail.stderr.read() == ""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_user_is_deleted_beside_a_gateway_that_serves(tmp_path: Path, workers: int) -> None:
    (tmp_path / "home").mkdir()
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=environment(tmp_path)) as server:
        for number in range(6):
            chat(
                server, f"I am canary-joe {number}", trace=f"trace-{number}", user="canary-joe" if number % 2 else "ann"
            )
        for record in search(tmp_path, '"I am"', 6):
            bodies_of(server, record)
        receipt = json.loads(lockgate(tmp_path, "logs", "delete", "--user", "canary-joe", "--yes", "--json"))
        assert (receipt["is_done"], receipt["rows_hidden"], receipt["rows_removed"]) == (True, 3, 3)
        assert receipt["bodies_removed"] >= 3
        assert {one["trace_id"] for one in search(tmp_path, "", 3)} == {"trace-0", "trace-2", "trace-4"}
        chat(server, "Hello again", trace="later", user="canary-joe")
        search(tmp_path, "trace:later", 1)
        (listed,) = json.loads(lockgate(tmp_path, "logs", "deletions", "--json"))
        assert listed["id"] == receipt["id"]


def test_records_are_copied_while_the_gateway_serves_and_restored_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment(tmp_path)) as server:
        for number in range(5):
            chat(server, "Hello!", trace=f"trace-{number}")
        before = search(tmp_path, "", 5)
        lockgate(tmp_path, "backup", "copy")
        assert "holds records already; restore into a folder" in lockgate(tmp_path, "restore", "copy", status=1)
    (tmp_path / "home").rename(tmp_path / "old")
    lockgate(tmp_path, "restore", "copy")
    assert search(tmp_path, "", 5) == before
