"""Records as they can be searched: each request is there within a second, once, also after a kill."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import portkey_ai
import pytest

from tests.e2e.gateway import Server, clean_environment, running

KEYS = {"LOCKGATE_API_KEY": "k", "LOCKGATE_ADMIN_KEY": "boss"}
MODEL = "@anthropic/claude-haiku-4-5-20251001"


def logs(server: Server, query: str = "") -> list[dict[str, Any]]:
    headers = {"x-portkey-api-key": "boss"}
    answer = httpx.get(f"{server.url}/v1/logs?limit=1000&{query}", headers=headers, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def wait_for(server: Server, count: int, query: str = "") -> list[dict[str, Any]]:
    deadline = time.monotonic() + 15
    while len(found := logs(server, query)) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records"
        time.sleep(0.05)
    return found


def call(client: portkey_ai.Portkey, **more: Any) -> Any:
    messages = [{"role": "user", "content": "Hello!"}]
    return client.chat.completions.create(model=MODEL, max_tokens=20, messages=messages, **more)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_is_found_and_judged_with_the_portkey_sdk(tmp_path: Path, workers: int) -> None:
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        client = portkey_ai.Portkey(
            base_url=f"{server.url}/v1", api_key="k", trace_id="trace-1", metadata={"_user": "maria", "team": "search"}
        )
        call(client)
        for _ in call(client, stream=True):
            pass
        first, second = wait_for(server, 2, "trace_id=trace-1")
        assert [one["is_stream"] for one in (first, second)] == [True, False]
        for one in (first, second):
            assert (one["end_user"], one["metadata"]["team"], one["outcome"]) == ("maria", "search", "success")
            assert one["cost_nano"] > 0
            assert one["attempts"][0]["provider"] == "anthropic"
        assert len(wait_for(server, 2, "query=meta.team%3Dsearch status:200")) == 2
        made = client.feedback.create(trace_id="trace-1", value=1)
        many = client.feedback.bulk_create(
            feedbacks=[{"trace_id": "trace-1", "value": 5}, {"trace_id": "x", "value": 0}]
        )
        changed = client.feedback.update(feedback_id=made.feedback_ids[0], value=-3)
        client.close()
        client.openai_client.close()
        assert (made.status, len(many.feedback_ids), changed.feedback_ids) == ("success", 2, made.feedback_ids)


def test_a_killed_gateway_loses_and_doubles_no_record(tmp_path: Path) -> None:
    environment = clean_environment(**KEYS)
    for round_ in range(3):
        with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
            wait_for(server, 5 * round_)
            client = portkey_ai.Portkey(base_url=f"{server.url}/v1", api_key="k")
            for _ in range(5):
                call(client)
            client.close()
            client.openai_client.close()
            server.process.kill()
            server.process.wait(10)
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
        found = wait_for(server, 15)
        assert len(found) == len({one["id"] for one in found}) == 15
