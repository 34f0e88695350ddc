"""Records as they can be searched: each request is there within a second, once, also after a kill."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import portkey_ai
import pytest

import lockgate
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
    deadline = time.monotonic() + 60
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


def test_a_record_says_who_called_what_served_and_which_way_it_went(tmp_path: Path) -> None:
    config = '{"cache": {"mode": "simple"}, "strategy": {"mode": "single"}, "targets": [{"provider": "@anthropic"}]}'
    headers = {
        "x-portkey-api-key": "k", "x-portkey-config": config, "user-agent": "OpenAI/Python 3.54.0",
        "x-portkey-trace-id": "1729", "x-portkey-cache-namespace": "shelf", "x-forwarded-for": "203.0.113.9",
    }  # fmt: skip
    body = {"model": "claude-haiku-4-5-20251001", "max_tokens": 20, "messages": [{"role": "user", "content": "Hello!"}]}
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        url = f"{server.url}/v1/chat/completions"
        for more in ({}, {}, {"stream": True, "max_tokens": 21}):
            answer = httpx.post(url, json=body | more, headers=headers, trust_env=False, timeout=30)
            assert answer.status_code == 200, answer.text
        stream, hit, miss = wait_for(server, 3)
        for one in (stream, hit, miss):
            assert (one["client_sdk"], one["client_sdk_version"], one["client_ip"]) == (
                "openai-python",
                "3.54.0",
                "127.0.0.0/24",
            )
            assert (one["principal_type"], one["config_source"], one["state"]) == ("service_key", "inline", "done")
            assert (one["trace_id"], len(one["trace_id_w3c"])) == ("1729", 32)
            assert one["node_id"].endswith(f"-{server.process.pid}")
            assert (one["gateway_version"], one["cache_namespace"]) == (lockgate.__version__, "shelf")
            assert (one["workspace_slug"], one["response_model"]) == (stream["workspace_slug"], one["model"])
            assert one["org_id"]
        for one in (stream, miss):
            assert (one["upstream_status"], one["upstream_model"]) == (200, body["model"])
            assert (one["upstream_host"], one["usage_source"]) == ("127.0.0.1", "provider")
            assert (one["message_count"], one["tool_count"]) == (1, 0)
        assert (miss["conn_reused"], stream["conn_reused"]) == (False, True)
        assert miss["connect_us"] > 0
        assert stream["stream_complete"] is True
        assert (stream["chunk_count"] > 0, stream["finish_reasons"]) == (True, [stream["finish_reason"]])
        assert (hit["usage_source"], hit["cache_source_log_id"]) == ("cache", miss["id"])
        assert hit["cache_key_hash"] == miss["cache_key_hash"] != stream["cache_key_hash"]
        assert hit["cache_saved_us"] >= 0
        assert "upstream_status" not in hit
        for query, wanted in (
            ("sdk:openai-python namespace:shelf usage_source:cache", [hit]),
            ("reused:yes complete:yes chunks>0", [stream]),
            ("ip:127.0.0.0/24 host:127.0.0.1 messages:1 principal:service_key", [stream, miss]),
            (f"trace_id_w3c:{miss['trace_id_w3c']} version:{lockgate.__version__}", [stream, hit, miss]),
        ):
            assert [one["id"] for one in logs(server, f"query={query}")] == [one["id"] for one in wanted]
        scraped = httpx.get(f"{server.url}/metrics", headers={"authorization": "Bearer boss"}, trust_env=False).text
        for sample in (
            'aigw_upstream_connect_seconds_count{phase="tcp",provider="anthropic"} 1.0',
            'aigw_cache_entries{backend="memory"} 2.0',
            'aigw_target_selected_total{config="inline",target=""} 2.0',
            'aigw_stage_duration_seconds_count{stage="prepare"} 3.0',
            'aigw_log_records_total{result="written"}',
            'state="idle"} 1.0',
            "aigw_cache_saved_seconds_total{",
            "aigw_price_book_age_seconds ",
            "# TYPE aigw_event_loop_lag_seconds histogram",
        ):
            assert sample in scraped, sample
