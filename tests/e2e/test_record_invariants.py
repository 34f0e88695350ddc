"""Invariant 1 of the observability specification, section 10: what a record says adds up, whoever was asked, however."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from lockgate.core.record import Record
from lockgate.records.from_record import read_row
from lockgate.records.row import Row
from lockgate.telemetry.journal import write_line
from tests.e2e.gateway import GATEWAY_KEY, Server
from tests.e2e.journaled import record_of

MODELS = {"sim-anthropic": ("claude-sonnet-4-5", "claude-opus-4-6"), "sim-openai": ("gpt-4.1", "gpt-5.2")}
LONG = "These words are said to every caller, and are kept. " * 600
CACHED = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
RETRIES = json.dumps({"retry": {"attempts": 2, "on_status_codes": [529, 500], "use_retry_after_headers": True}})


@dataclass(frozen=True)
class Case:
    """A kind of request. ``messages`` and ``chat``: what it adds to the body of each dialect; None: it has no such thing."""

    id: str
    order: str = ""
    messages: dict[str, Any] | None = field(default_factory=dict)
    chat: dict[str, Any] | None = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    is_good: bool = True


CASES = [
    Case("plain"),
    Case("usage", "input_tokens=1234, output_tokens=56"),
    Case("cache-read", "input_tokens=1500, output_tokens=40, cache_read=900"),
    Case("cache-written", "input_tokens=1500, output_tokens=40, cache_creation=700"),
    Case("cache-of-an-hour", messages={"system": CACHED}, chat=None),
    Case("long-context", "input_tokens=260000, output_tokens=900"),
    Case("thinking", messages={"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 3000}, chat=None),
    Case("reasoning", messages=None, chat={"reasoning_effort": "low"}),
    Case("several-attempts", "status=529, retry_after=0.05", headers={"x-portkey-config": RETRIES}, is_good=False),
    Case("refused", "status=400", is_good=False),
    Case("cut", "cut=60", is_good=False),
]


def ask(gateway: Server, path: str, target: str, model: str, case: Case, *, stream: bool) -> httpx.Response:
    order = f" [[sim: {case.order}]]" if case.order else ""
    is_messages = path == "/v1/messages"
    more = case.messages if is_messages else case.chat
    body = {
        "model": f"@{target}/{model}",
        "max_tokens" if is_messages else "max_completion_tokens": 200,
        "messages": [{"role": "user", "content": f"Add it up, please.{order}"}],
        "stream": stream,
        **({} if is_messages or not stream else {"stream_options": {"include_usage": True}}),
        **(more or {}),
    }
    headers = {"x-portkey-api-key": GATEWAY_KEY, **case.headers}
    try:
        return httpx.post(gateway.url + path, json=body, headers=headers, trust_env=False, timeout=60)
    except httpx.RemoteProtocolError:
        pytest.fail("the gateway hung up")


def row_of(record: Record) -> Row:
    return read_row(write_line(record)[9:-1])


def said_of(path: str, answer: httpx.Response, *, stream: bool) -> tuple[int, int]:
    """Return the tokens that the answer itself states, all kinds of input together."""
    if stream:
        lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
        usage: dict[str, Any] = {}
        for event in map(json.loads, lines):
            usage |= (event.get("message") or {}).get("usage") or {}
            usage |= {k: v for k, v in (event.get("usage") or {}).items() if v is not None}
    else:
        usage = answer.json()["usage"]
    if path == "/v1/messages":
        names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        return sum(usage.get(name) or 0 for name in names), usage["output_tokens"]
    return usage["prompt_tokens"], usage["completion_tokens"]


def check_sums(record: Record) -> None:
    stages = record.stages
    whole = (
        stages.receive + stages.earlier + stages.prepare + stages.upstream_first + stages.upstream_rest + stages.finish
    )
    assert abs(whole - record.duration_ms) <= max(1.0, 0.01 * record.duration_ms)
    row = row_of(record)
    given = (row.in_uncached, row.in_cache_read, row.in_cache_write_5m, row.in_cache_write_1h, row.in_audio)
    made = (row.out_text, row.out_reasoning, row.out_audio)
    assert sum(part or 0 for part in given) == (row.input_tokens or 0)
    assert sum(part or 0 for part in made) == (row.output_tokens or 0)
    assert (row.input_tokens or 0) + (row.output_tokens or 0) == (row.total_tokens or 0)
    if record.cost is not None:
        assert all(nanos >= 0 for nanos in record.cost.parts.values())
        assert sum(record.cost.parts.values()) == record.cost.nanos == (row.cost_nano or 0)


RUNS = [
    (path, target, model, case)
    for path in ("/v1/messages", "/v1/chat/completions")
    for target, models in MODELS.items()
    for model in models
    for case in CASES
    if (case.messages if path == "/v1/messages" else case.chat) is not None
    and (case.id, model) != ("reasoning", "gpt-4.1")  # it does not think
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "path, target, model, case", RUNS, ids=[f"{path[4:12]}-{model}-{case.id}" for path, _, model, case in RUNS]
)
def test_invariant_1_stages_tokens_and_cost_add_up(
    gateway: Server, path: str, target: str, model: str, case: Case, stream: bool
) -> None:
    answer = ask(gateway, path, target, model, case, stream=stream)
    record = record_of(gateway, answer.headers["x-portkey-request-id"])
    check_sums(record)
    if not case.is_good:
        assert record.error is not None
        assert len(record.attempts) == (3 if case.id == "several-attempts" else 1)
        return
    assert answer.status_code == 200, answer.text
    row = row_of(record)
    assert (row.input_tokens, row.output_tokens) == said_of(path, answer, stream=stream)
    assert record.cost is not None
    assert record.cost.status != "unpriced"
    assert record.cost.nanos > 0
    if case.id == "cache-of-an-hour" and target == "sim-anthropic":
        assert (row.in_cache_write_1h or 0) + (row.in_cache_read or 0) > 1000
