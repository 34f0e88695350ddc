"""Exports with the unmodified Portkey SDK: made, started, waited for, fetched by their link, and after a restart."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import time
from pathlib import Path
from typing import Any

import httpx
import portkey_ai
import pytest

from tests.e2e.gateway import clean_environment, running
from tests.e2e.test_bodies import bodies_of
from tests.e2e.test_records import KEYS, call, wait_for

FIELDS = ["id", "trace_id", "created_at", "request", "response", "ai_model", "total_units", "cost", "metadata"]


def finished(exports: Any, id: str) -> Any:
    """Wait for the end of an export."""
    deadline = time.monotonic() + 60
    while (job := exports.retrieve(export_id=id)).status in ("draft", "in_progress"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return job


def content_of(exports: Any, id: str) -> bytes:
    """Fetch the result by its link, which needs no key."""
    link = exports.download(export_id=id)
    answer = httpx.get(link.signed_url, trust_env=False, timeout=30)
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == link.sha256
    return answer.content


@pytest.mark.parametrize("workers", [1, 2])
def test_an_export_with_the_portkey_sdk(tmp_path: Path, workers: int) -> None:
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        base_url = f"{server.url}/v1"
        client = portkey_ai.Portkey(base_url=base_url, api_key="k", trace_id="t1", metadata={"team": "search"})
        call(client)
        call(client)
        list(call(client, stream=True))
        other = portkey_ai.Portkey(base_url=base_url, api_key="k", metadata={"team": "ads"})
        call(other)
        for record in wait_for(server, 4):
            bodies_of(server, record)
        exports = client.logs.exports
        filters = {"metadata": {"team": "search"}, "time_of_generation_min": "2026-01-01T00:00:00Z"}
        made = exports.create(filters=filters, requested_data=FIELDS, description="mine")
        assert (made.total, made.object) == (3, "export")
        changed = exports.update(export_id=made.id, filters={**filters, "trace_id": "t1"})
        assert (changed.id, changed.total) == (made.id, 3)
        assert exports.start(export_id=made.id).message
        job = finished(exports, made.id)
        assert (job.status, job.total_records, job.requested_data, job.description) == ("success", 3, FIELDS, "mine")
        lines = [json.loads(line) for line in content_of(exports, made.id).splitlines()]
        assert [line["trace_id"] for line in lines] == ["t1"] * 3
        for line in lines:
            assert line["request"]["messages"] == [{"role": "user", "content": "Hello!"}]
            assert line["response"]["choices"][0]["message"]["role"] == "assistant"
            assert line["cost"] > 0
            assert line["total_units"] > 0
        assert [one["id"] for one in exports.list().data] == [made.id]
        second = exports.create(filters={}, requested_data=["id"])
        assert exports.cancel(export_id=second.id).message
        assert exports.retrieve(export_id=second.id).status == "stopped"
        for each in (client, other):
            each.close()
            each.openai_client.close()


def test_the_asynchronous_client_and_a_restart(tmp_path: Path) -> None:
    environment = clean_environment(**KEYS)
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
        with portkey_ai.Portkey(base_url=f"{server.url}/v1", api_key="k") as client:
            call(client)
            client.openai_client.close()
        bodies_of(server, wait_for(server, 1)[0])

        async def ask() -> tuple[str, str]:
            client = portkey_ai.AsyncPortkey(base_url=f"{server.url}/v1", api_key="k")
            exports = client.logs.exports
            names = {name for name, _ in inspect.getmembers(exports, inspect.ismethod) if not name.startswith("_")}
            assert names >= {"create", "retrieve", "list", "update", "start", "cancel", "download"}
            done, waiting = [await exports.create(filters={}, requested_data=["id", "cost"]) for _ in range(2)]
            await exports.start(export_id=done.id)
            while (await exports.retrieve(export_id=done.id)).status == "in_progress":
                await asyncio.sleep(0.05)
            assert (await exports.list()).total == 2
            assert (await exports.download(export_id=done.id)).signed_url
            await client.close()
            await client.openai_client.close()
            return done.id, waiting.id

        done, waiting = asyncio.run(ask())
        server.process.kill()
        server.process.wait(10)
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
        client = portkey_ai.Portkey(base_url=f"{server.url}/v1", api_key="k")
        exports = client.logs.exports
        assert exports.retrieve(export_id=done).status == "success"
        assert len(content_of(exports, done).splitlines()) == 1
        exports.start(export_id=waiting)
        assert finished(exports, waiting).total_records == 1
        client.close()
        client.openai_client.close()
