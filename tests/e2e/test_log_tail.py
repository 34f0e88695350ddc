"""Records as they come, over a socket: of every process, filtered, until the client leaves or the gateway ends."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import portkey_ai
import pytest

from lockgate.admin.seats import MOST
from tests.e2e.gateway import Server, clean_environment, running
from tests.e2e.test_records import KEYS, MODEL, call, wait_for
from tests.e2e.waiting import wait_until


@contextmanager
def following(server: Server, query: str = "") -> Iterator[Iterator[tuple[str, dict[str, object]]]]:
    """Open the stream; give its events, with their data."""
    headers = {"x-portkey-api-key": "k", "accept": "text/event-stream"}
    url = f"{server.url}/v1/logs/tail?{query}"
    with httpx.Client(trust_env=False, timeout=30) as client, client.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        # requests that are under way at a look are a matter of chance
        yield (event for event in events_of(answer.iter_lines()) if event[0] != "running")


def is_admitted(server: Server) -> bool:
    """Begin to follow and leave again; tell whether there was a seat."""
    headers = {"x-portkey-api-key": "k", "accept": "text/event-stream"}
    with httpx.stream("GET", f"{server.url}/v1/logs/tail", headers=headers, trust_env=False, timeout=60) as answer:
        return answer.status_code == 200 and next(events_of(answer.iter_lines()))[0] == "start"


def events_of(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, object]]]:
    event = "message"
    for line in lines:
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield event, json.loads(line.removeprefix("data: "))
            event = "message"


@pytest.mark.parametrize("workers", [1, 2])
def test_requests_of_every_process_are_followed(tmp_path: Path, workers: int) -> None:
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        with following(server, "query=meta.team%3Dsearch") as events:
            assert next(events)[0] == "start"
            made = []
            for number in range(6):
                team = "search" if number % 2 else "ads"
                client = portkey_ai.Portkey(
                    base_url=f"{server.url}/v1", api_key="k", trace_id=f"t{number}", metadata={"team": team}
                )
                call(client)
                client.close()
                client.openai_client.close()
                made += [f"t{number}"] if team == "search" else []
            seen = [next(events) for _ in made]
        assert [event for event, _ in seen] == ["message"] * 3
        told = [str(record["trace_id"]) for _, record in seen]
        assert sorted(told) == made, "of two processes one may tell its records sooner"
        assert workers > 1 or told == made
        for _ in range(workers * MOST + 1):
            # those who left give their seats back once that is noticed
            wait_until(lambda: is_admitted(server))
        with following(server) as events:
            next(events)
            server.process.terminate()
            assert [event for event, _ in events] == ["end"], "the gateway does not wait for those who follow"
            server.process.wait(60)


def test_requests_under_way_are_shown_until_they_end(tmp_path: Path) -> None:
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment(**KEYS)) as server:

        def under_way() -> list[dict[str, Any]]:
            found = httpx.get(f"{server.url}/v1/logs/tail", headers={"x-portkey-api-key": "k"}, trust_env=False)
            shown: list[dict[str, Any]] = found.json()["running"]
            return shown

        def wait_for_count(count: int) -> list[dict[str, Any]]:
            deadline = time.monotonic() + 60
            while len(found := under_way()) != count:
                assert time.monotonic() < deadline, found
                time.sleep(0.05)
            return found

        messages = [{"role": "user", "content": "Hello! [[sim: delay=60]]"}]
        body = {"model": MODEL, "max_tokens": 9, "messages": messages}
        with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port)) as hanging:
            data = json.dumps(body).encode()
            head = (
                "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-portkey-api-key: k\r\nx-portkey-trace-id: slow\r\n"
            )
            hanging.sendall(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
            (shown,) = wait_for_count(1)
        assert (shown["trace_id"], shown["endpoint"], shown["provider"]) == ("slow", "chat", "anthropic")
        assert shown["request_model"] == MODEL
        assert "status_code" not in shown
        wait_for_count(0)
        (record,) = wait_for(server, 1)
        assert (record["id"], record["outcome"]) == (shown["id"], "client_disconnected")
