"""``lockgate replay`` with a gateway: the same bytes go out again, and what comes back is held beside what came before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.gateway import Server, running
from tests.e2e.recorder import Recorder, running_recorder
from tests.e2e.test_logs_command import MODEL, environment, lockgate, search

CONFIG = """
[simulator]
enabled = true

[providers.rec]
type = "anthropic"
base_url = "{recorder}"
api_key = "sk-upstream"

[providers.other]
type = "openai-compatible"
base_url = "{recorder}/v1"
api_key = "sk-other"
"""
ODD = b'{ "model":"@rec/claude-haiku-4-5-20251001",\n\t"max_tokens": 20, "temperature" : 0.50, "stream": %b,\n "messages":[{"role":"user","content":"H\\u00e4llo \xf0\x9f\x99\x82 %b"}] }\n'


@pytest.fixture(scope="module")
def upstream() -> Iterator[Recorder]:
    with running_recorder() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replay")


@pytest.fixture(scope="module")
def server(folder: Path, upstream: Recorder) -> Iterator[Server]:
    (folder / "lockgate.toml").write_text(CONFIG.format(recorder=upstream.url))
    with running(["up", "--port", "0"], folder=folder, environment=environment(folder)) as started:
        yield started


def ask(server: Server, path: str, body: bytes, trace: str, **headers: str) -> httpx.Response:
    headers = {"x-portkey-api-key": "k", "content-type": "application/json", "x-portkey-trace-id": trace} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return httpx.post(f"{server.url}{path}", content=body, headers=headers, trust_env=False, timeout=30)


def recorded(folder: Path, trace: str) -> dict[str, Any]:
    """Return the record of a trace, once its bodies are there too."""
    (found,) = search(folder, f"trace:{trace}", 1)
    for _ in range(50):
        shown: dict[str, Any] = json.loads(lockgate(folder, "logs", "show", found["id"], "--json"))
        if shown["bodies"] is not None:
            return shown
    raise AssertionError(f"no bodies of {found['id']}")


def replay(folder: Path, server: Server, id: str, *arguments: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(lockgate(folder, "replay", id, "--url", server.url, "--json", *arguments))
    return made


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_the_same_bytes_go_out_again(folder: Path, server: Server, upstream: Recorder, path: str, stream: bool) -> None:
    body = ODD % (b"true" if stream else b"false", path.encode())
    trace = f"bytes-{path.count('/')}-{path[4]}-{stream}"
    upstream.seen.clear()
    assert ask(server, path, body, trace, anthropic_beta="some-beta-2026-01-01").status_code == 200
    first = upstream.only()
    old = recorded(folder, trace)
    made = replay(folder, server, old["id"], "--times", "2")
    assert len(upstream.seen) == 3
    for again in upstream.seen[1:]:
        assert (again.method, again.target, again.body) == (first.method, first.target, first.body)
        assert again.header("anthropic-beta") == first.header("anthropic-beta")
    assert (made["is_exact"], made["body_bytes"]) == (True, len(body))
    for each in made["replays"]:
        assert (each["status_code"], each["same_answer"], each["has_record"]) == (200, True, True)
        assert each["total_tokens"] == made["stored"]["total_tokens"]
        assert each["cost_nano"] == made["stored"]["cost_nano"]
        assert each["events"] == made["stored"]["events"]
        assert bool(each["events"]) is stream
        new = json.loads(lockgate(folder, "logs", "show", each["id"], "--json"))
        assert (new["source"], new["extra"]["replay_of"]) == ("replay", old["id"])
        assert new["trace_id"] != trace
    assert {one["id"] for one in search(folder, f"source:replay path:{path} stream:{stream}", 2)} == {
        each["id"] for each in made["replays"]
    }


def test_another_target_gets_it_and_the_difference_is_told(folder: Path, server: Server, upstream: Recorder) -> None:
    assert ask(server, "/v1/messages", ODD % (b"true", b"other"), "other").status_code == 200
    old = recorded(folder, "other")
    upstream.seen.clear()
    made = replay(folder, server, old["id"], "--target", "@other/some-model")
    sent = upstream.only()
    assert sent.target == "/v1/chat/completions"
    assert json.loads(sent.body)["model"] == "some-model"
    (again,) = made["replays"]
    assert (made["stored"]["provider_slug"], again["provider_slug"]) == ("rec", "other")
    said = lockgate(folder, "replay", old["id"], "--url", server.url, "--target", MODEL)
    assert "(!)" in said
    assert "answer (rec_" in said


def test_what_was_taken_out_is_not_sent_unless_that_is_allowed(
    folder: Path, server: Server, upstream: Recorder
) -> None:
    secret = b"sk-ant-api03-" + b"a1B2" * 20
    assert ask(server, "/v1/messages", ODD % (b"false", secret), "secret").status_code == 200
    id = recorded(folder, "secret")["id"]
    upstream.seen.clear()
    refused = lockgate(folder, "replay", id, "--url", server.url, status=1)
    assert "is not what the client sent" in refused
    assert upstream.seen == []
    assert replay(folder, server, id, "--allow-redacted")["is_exact"] is False
    assert secret not in upstream.only().body


def test_what_a_client_let_nobody_keep_is_not_sent(folder: Path, server: Server) -> None:
    ask(server, "/v1/messages", ODD % (b"false", b"private"), "private", x_portkey_debug="false")
    (found,) = search(folder, "trace:private", 1)
    refused = lockgate(folder, "replay", found["id"], "--url", server.url, status=1)
    assert "the mode of this record is metrics_only, chosen by the header" in refused


def test_a_key_that_does_not_open_is_told(folder: Path, server: Server) -> None:
    ask(server, "/v1/messages", ODD % (b"false", b"key"), "key")
    id = recorded(folder, "key")["id"]
    assert "refused the key" in lockgate(folder, "replay", id, "--url", server.url, "--key", "wrong", status=1)
    assert "Nothing was sent." in lockgate(folder, "replay", id, "--dry-run")


def test_what_is_not_answered_well_any_more_is_a_failure(folder: Path, server: Server) -> None:
    assert ask(server, "/v1/messages", ODD % (b"false", b"gone"), "gone").status_code == 200
    old = recorded(folder, "gone")
    lockgate(folder, "replay", old["id"], "--url", server.url, "--target", "@nobody/model", status=1)
    search(folder, "source:replay status:400", 1)
