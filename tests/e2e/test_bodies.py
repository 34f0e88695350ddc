"""Requests and answers as they are kept: what clients sent and got, without secrets, streams put together."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import portkey_ai
import pytest

from lockgate.records.bodies.store import Bodies, BodyReader
from lockgate.records.embedded.layout import Layout
from tests.e2e.gateway import Server, clean_environment, running
from tests.e2e.test_records import KEYS, MODEL, wait_for

SECRET = "sk-" + "ant-api03-" + "q1W2e3R4" * 6
SAID = f"My key is {SECRET}, remember it"


def bodies_of(server: Server, record: dict[str, Any]) -> Bodies:
    reader, deadline = BodyReader(Layout(server.home / "records")), time.monotonic() + 60
    while (found := reader.get(record["id"], record["started_us"])) is None:
        assert time.monotonic() < deadline, "the bodies did not come"
        time.sleep(0.05)
    return found


def ask(server: Server, sdk: str, *, stream: bool) -> None:
    """Make one call by an SDK and read its answer to the end."""
    messages: Any = [{"role": "user", "content": SAID}]
    key = KEYS["LOCKGATE_API_KEY"]
    if sdk == "anthropic":
        with anthropic.Anthropic(base_url=server.url, api_key=key) as client:
            made: Any = client.messages.create(model=MODEL, max_tokens=30, messages=messages, stream=stream)
            if stream:
                list(made)
        return
    chat: Any = openai.OpenAI if sdk == "openai" else portkey_ai.Portkey
    client = chat(base_url=f"{server.url}/v1", api_key=key)
    made = client.chat.completions.create(model=MODEL, max_tokens=30, messages=messages, stream=stream)
    if stream:
        list(made)
    client.close()
    if sdk == "portkey":
        client.openai_client.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_sdks_send_and_get_is_kept_without_its_secrets(tmp_path: Path, workers: int) -> None:
    calls = [(sdk, stream) for sdk in ("anthropic", "openai", "portkey") for stream in (False, True)]
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        for number, (sdk, stream) in enumerate(calls):
            ask(server, sdk, stream=stream)
            record = wait_for(server, number + 1)[0]
            assert record["is_stream"] is stream
            found = bodies_of(server, record)
            views = {name: json.loads(view.data) for name, view in found.views.items()}
            said = views["request"]["messages"][0]["content"]
            assert said == "My key is [SECRET:anthropic:R3R4], remember it".replace("R3R4", SECRET[-4:])
            assert views["upstream_request"]["model"] == MODEL.partition("/")[2]
            answer = views["response"]
            if sdk == "anthropic":
                assert "upstream_response" not in views
                assert answer["content"][0]["text"]
                assert answer["stop_reason"] in ("end_turn", "max_tokens")
            else:
                text = answer["choices"][0]["message"]["content"]
                assert text == "".join(block.get("text", "") for block in views["upstream_response"]["content"])
                assert text
            assert not any(view.is_truncated for view in found.views.values())
            assert "authorization" not in dict(found.request_headers)
            assert dict(found.response_headers)["x-portkey-request-id"]
            assert (found.timeline is not None) is stream
            if found.timeline is not None:
                assert len(found.timeline.kinds) > 3
    folder = server.home
    for path in folder.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


CONFIG = """
[records]
bodies = "redacted"
personal = ["email"]
drop_paths = ["user"]
[keys.quiet]
key = "quiet-key"
bodies = "metrics_only"
[keys.silent]
key = "silent-key"
bodies = "off"
"""
PERSON = "ann@example.org"


def post(server: Server, key: str, **headers: str) -> None:
    body = {
        "model": MODEL,
        "max_tokens": 9,
        "user": PERSON,
        "messages": [{"role": "user", "content": f"I am {PERSON}"}],
    }
    headers |= {"authorization": f"Bearer {key}", "x-portkey-metadata": f'{{"to":"{PERSON}"}}'}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text


def shown(server: Server, record: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        url = f"{server.url}/v1/logs/{record['id']}"
        answer = httpx.get(url, headers={"x-portkey-api-key": "boss"}, trust_env=False, timeout=30).json()
        if answer["content"]["is_kept"] or record["log_mode"] != "redacted":
            return answer
        assert time.monotonic() < deadline, answer["content"]
        time.sleep(0.05)


def test_modes_of_keys_workspaces_and_requests_decide_and_are_told(tmp_path: Path) -> None:
    config = tmp_path / "lockgate.toml"
    config.write_text(CONFIG)
    arguments = ["up", "--port", "0", "--config", str(config)]
    with running(arguments, folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        post(server, "k")
        post(server, "k", **{"x-portkey-debug": "false"})
        post(server, "quiet-key")
        post(server, "silent-key")
        records = wait_for(server, 4)[::-1]
        modes = [(one["log_mode"], one["log_mode_reason"]) for one in records]
        assert modes == [
            ("redacted", "configuration"),
            ("metrics_only", "header"),
            ("metrics_only", "key"),
            ("off", "key"),
        ]
        assert [one["metadata"].get("to") for one in records] == ["[PII:email]", "[PII:email]", "[PII:email]", None]
        first, *others = [shown(server, one) for one in records]
        assert first["request"]["body"]["messages"] == [{"role": "user", "content": "I am [PII:email]"}]
        assert "user" not in first["request"]["body"]
        assert first["response"]["body"]["choices"]
        assert first["final_request"]["body"]["model"] == MODEL.partition("/")[2]
        assert [one["content"]["is_kept"] for one in others] == [False, False, False]
        assert ["x-portkey-debug" in one["content"]["why"] for one in others] == [True, False, False]
        workspace = httpx.get(
            f"{server.url}/v1/admin/workspaces", headers={"x-portkey-api-key": "boss"}, trust_env=False, timeout=30
        ).json()["data"][0]["id"]
        changed = httpx.put(
            f"{server.url}/v1/admin/workspaces/{workspace}",
            json={"defaults": {"recording": {"mode": "metrics_only", "enforce": True}}},
            headers={"x-portkey-api-key": "boss"},
            trust_env=False,
            timeout=30,
        )
        assert changed.status_code == 200, changed.text
        post(server, "silent-key")
        assert wait_for(server, 5)[0]["log_mode_reason"] == "workspace"
    for path in server.home.rglob("*"):
        if path.is_file() and path.suffix != ".toml":
            assert PERSON.encode() not in path.read_bytes(), path


FALLBACK = {
    "strategy": {"mode": "fallback"},
    "targets": [
        {"provider": "@anthropic", "override_params": {"model": "claude-haiku-4-5"}},
        {"provider": "@openai", "override_params": {"model": "gpt-4.1-mini"}},
    ],
}


@pytest.mark.parametrize("sdk", ["portkey", "anthropic"])
@pytest.mark.parametrize("fault", ["status=529", "stream_error=overloaded_error, after=0"])
def test_what_a_target_said_that_failed_is_shown(tmp_path: Path, fault: str, sdk: str) -> None:
    is_stream = fault.startswith("stream")
    messages: Any = [{"role": "user", "content": f"Hello! [[sim: {fault}, on=anthropic]] {SECRET}"}]
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        if sdk == "anthropic":
            routed = {"x-portkey-config": json.dumps(FALLBACK)}
            with anthropic.Anthropic(base_url=server.url, api_key="k", default_headers=routed) as claude:
                said: Any = claude.messages.create(model="any", max_tokens=9, messages=messages, stream=is_stream)
                list(said)
        else:
            with portkey_ai.Portkey(base_url=f"{server.url}/v1", api_key="k", config=FALLBACK) as client:
                said = client.chat.completions.create(model="any", max_tokens=9, messages=messages, stream=is_stream)
                list(said)
                client.openai_client.close()
        (record,) = wait_for(server, 1)
        assert [attempt.get("error") for attempt in record["attempts"]] == ["upstream_rejected", None]
        bodies_of(server, record)
        found = shown(server, record)
        (failed,) = found["failed_attempts"]
        assert failed["n"] == 1
        assert failed["request"]["body"]["model"] == "claude-haiku-4-5"
        assert "system" not in failed["request"]["body"]
        assert "overloaded_error" in json.dumps(failed["response"]["body"])
        assert found["final_request"]["body"]["model"] == "gpt-4.1-mini"
        assert SECRET not in json.dumps(found)
