"""The tree of requests that belong together, made with the Portkey SDK and looked up by every id that it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import portkey_ai
import pytest

from tests.e2e.gateway import clean_environment, running
from tests.e2e.test_records import KEYS, MODEL, wait_for

MESSAGES: Any = [{"role": "user", "content": "Hello!"}]
FALLBACK = {
    "strategy": {"mode": "fallback"},
    "targets": [
        {"provider": "@anthropic", "override_params": {"model": "no-such-model"}},
        {"provider": "@anthropic", "override_params": {"model": MODEL.partition("/")[2]}},
    ],
}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_tree_of_an_agents_requests(tmp_path: Path, workers: int) -> None:
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        base_url = f"{server.url}/v1"
        client = portkey_ai.Portkey(base_url=base_url, api_key="k", trace_id="run-1", span_id="plan", span_name="plan")
        client.chat.completions.create(model=MODEL, max_tokens=20, messages=MESSAGES)
        step = portkey_ai.Portkey(
            base_url=base_url, api_key="k", trace_id="run-1", span_id="act", parent_span_id="plan", span_name="act",
            config=FALLBACK,
        )  # fmt: skip
        answer = step.chat.completions.create(model="any", max_tokens=20, messages=MESSAGES)
        wait_for(server, 2, "trace_id=run-1")

        def get(path: str) -> Any:
            headers = {"x-portkey-api-key": "k"}
            found = httpx.get(f"{base_url}{path}", headers=headers, trust_env=False, timeout=30)
            assert found.status_code == 200, found.text
            return found.json()

        tree = get("/traces/run-1")
        shape = [
            (span["name"], span["kind"], span.get("depth", 0), span.get("is_error", False)) for span in tree["spans"]
        ]
        model = MODEL.partition("/")[2]
        assert shape == [
            ("plan", "server", 0, False), (model, "client", 1, False), ("act", "server", 1, False),
            ("no-such-model", "client", 2, True), (model, "client", 2, False),
        ]  # fmt: skip
        assert tree["cost_nano"] == sum(span.get("cost_nano", 0) for span in tree["spans"]) > 0
        assert tree["spans"][2]["stages_us"]["upstream_first"] > 0
        for id in (answer.id, "act", tree["spans"][2]["record_id"]):
            assert get(f"/traces/{id}") == tree
        (listed,) = get("/traces?query=status:200")["data"]
        assert (listed["trace_id"], listed["span_count"]) == ("run-1", 5)
        for each in (client, step):
            each.close()
            each.openai_client.close()
