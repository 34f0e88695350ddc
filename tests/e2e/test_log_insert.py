"""Logs of calls that went elsewhere, handed in with everything that Portkey's SDK has for it, and found again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import portkey_ai
import pytest
from portkey_ai.api_resources.apis.logger import Logger

from tests.e2e.gateway import clean_environment, running
from tests.e2e.test_analytics import day
from tests.e2e.test_bodies import bodies_of
from tests.e2e.test_records import KEYS, logs, wait_for

REQUEST = {
    "url": "https://llm.internal/v1/chat/completions", "provider": "openai", "headers": {"authorization": "Bearer x"},
    "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]},
}  # fmt: skip
RESPONSE = {
    "status": 200, "response_time": 412,
    "body": {"id": "chatcmpl-1", "model": "gpt-4o-mini", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}},
}  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2])
def test_logs_are_handed_in_with_the_portkey_sdk(tmp_path: Path, workers: int) -> None:
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        base_url = f"{server.url}/v1"
        client = portkey_ai.Portkey(base_url=base_url, api_key="k")
        made = client.logs.create(
            request=REQUEST, response=RESPONSE, metadata={"traceId": "t-81", "spanName": "answer", "user": "maria"}
        )
        assert made.status_code == 200
        (id,) = made.json()["ids"]
        logger = Logger(api_key="k", base_url=base_url)
        several = logger.log([{"request": REQUEST, "response": RESPONSE}, {"request": "no"}, {"response": {}}])
        assert (several.status_code, several.json()["accepted"], several.json()["rejected"]) == (200, 2, 1)
        assert several.json()["errors"] == [{"index": 1, "message": "request is an object"}]
        assert logger.log([{"request": 5}]).status_code == 400

        async def hand_in() -> None:
            asynchronous = portkey_ai.AsyncPortkey(base_url=base_url, api_key="k")
            await asynchronous.logs.create(request=REQUEST, response=RESPONSE)
            await asynchronous.close()
            await asynchronous.openai_client.close()

        asyncio.run(hand_in())

        wait_for(server, 4)
        (found,) = logs(server, "trace_id=t-81")
        expected = {
            "id": id, "source": "insert_api", "end_user": "maria", "span_name": "answer", "total_tokens": 1100,
            "duration_us": 412_000, "provider": "openai", "model": "gpt-4o-mini", "cost_status": "priced",
        }  # fmt: skip
        assert {name: found[name] for name in expected} == expected
        assert found["cost_nano"] == 210_000
        kept = bodies_of(server, found)
        assert json.loads(kept.views["request"].data) == REQUEST["body"]
        assert "authorization" not in dict(kept.request_headers)
        assert client.analytics.graphs.requests(**day()).summary == {"total": 4}
        client.close()
        client.openai_client.close()
