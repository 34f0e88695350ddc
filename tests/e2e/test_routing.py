"""Routing configs through the official SDKs against the simulator, whole and streamed: who answers, after what, and what is told.

The decisions themselves are tables in ``tests/unit/routing``; here they meet real sockets, real SDKs and the journal.
"""

from __future__ import annotations

import base64
import collections
import json
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.e2e.asking import CLAUDE, GPT, SDKS, Asker, Outcome, askers
from tests.e2e.clients import Client
from tests.e2e.gateway import GATEWAY_KEY, Server
from tests.e2e.simulated import requests_with

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
ANTHROPIC = {"provider": "@sim-anthropic", "override_params": {"model": CLAUDE}}
OPENAI = {"provider": "@sim-openai", "override_params": {"model": GPT}}
ORDERS = {"to openai": [ANTHROPIC, OPENAI], "to anthropic": [OPENAI, ANTHROPIC]}
FIRST = {"to openai": "anthropic", "to anthropic": "openai"}
EACH_SDK = pytest.mark.parametrize("sdk", SDKS)
BOTH_FORMS = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
BOTH_WAYS = pytest.mark.parametrize("way", ORDERS)


def fallback(*targets: dict[str, Any], **strategy: Any) -> dict[str, Any]:
    return {"strategy": {"mode": "fallback", **strategy}, "targets": list(targets)}


@pytest.fixture(scope="module")
def sdks(gateway: Server) -> Iterator[dict[str, Asker]]:
    yield from askers(gateway)


@pytest.fixture
def script(simulator: Server) -> Iterator[Callable[..., None]]:
    """Return a function that gives the simulator raw answers for the requests that hold a word."""

    def put(word: str, raw: list[dict[str, Any]]) -> None:
        names = [f"raw{at}" for at in range(len(raw))]
        rules = [{"match": {"text_contains": word}, "times": 1, "answer": {"raw": name}} for name in names]
        body = {"rules": rules, "raw": dict(zip(names, raw, strict=True))}
        httpx.put(f"{simulator.url}/_simulator/script", json=body, trust_env=False).raise_for_status()

    yield put
    httpx.put(f"{simulator.url}/_simulator/script", json={}, trust_env=False).raise_for_status()


def providers_of(outcome: Outcome, gateway: Server) -> list[tuple[str, str, int | None]]:
    """Return who was tried, as what, and the status of each, from the record."""
    return [(attempt.provider, attempt.kind, attempt.status) for attempt in outcome.record(gateway).attempts]


# ---- fallbacks


@EACH_SDK
@BOTH_FORMS
@BOTH_WAYS
@pytest.mark.parametrize("fault", ["status=529", "status=401", "status=404", "reset=0", "hangup", "malformed=1"])
def test_a_failing_target_is_followed_by_one_of_the_other_dialect(
    sdk: str, is_stream: bool, way: str, fault: str, sdks: dict[str, Asker], gateway: Server, simulator: Server
) -> None:
    """One answer, from the other provider, in the client's own dialect; one record that tells both attempts."""
    outcome = sdks[sdk].ask(f"[[sim: {fault}, on={FIRST[way]}]]", config=fallback(*ORDERS[way]), is_stream=is_stream)
    assert outcome.error is None
    assert outcome.is_complete
    assert outcome.text.startswith("Simulated answer to:")
    assert (outcome.path, outcome.retries, outcome.calls) == ("config.targets[1]", "0", 1)
    record = outcome.record(gateway)
    first, second = record.attempts
    assert (first.provider, first.kind, first.path) == (FIRST[way], "primary", "config.targets[0]")
    assert (second.kind, second.path, second.error) == ("fallback", "config.targets[1]", None)
    assert second.provider == outcome.headers["x-portkey-provider"] != first.provider
    assert first.error
    assert first.duration_ms > 0
    assert second.started_ms >= first.started_ms + first.duration_ms - 0.01
    assert second.cost_nanos is None or second.cost_nanos > 0
    assert (record.status, record.error, record.provider) == (200, None, second.provider)
    assert record.cost is not None
    assert record.cost.nanos > 0
    # a connection that was idle and broke without a byte is taken for stale, and the request goes out on a new one
    asked = [seen.path for seen in requests_with(simulator, outcome.tag)]
    assert len(asked) == 2 or (fault in ("reset=0", "hangup") and asked[0] == asked[1])
    assert len(set(asked)) == 2


@EACH_SDK
@BOTH_FORMS
@BOTH_WAYS
def test_a_tool_call_goes_round_through_a_fallback(
    sdk: str, is_stream: bool, way: str, sdks: dict[str, Asker], simulator: Server
) -> None:
    """Each turn is served by the fallback; then the first target is back, and reads what the other one said."""
    asker, down = sdks[sdk], f"on={FIRST[way]}"
    config = fallback(*ORDERS[way])
    question = {"role": "user", "content": f"weather? [[sim: status=529, {down}]] {uuid.uuid4().hex}"}
    called = asker.ask(config=config, messages=[question], is_stream=is_stream, has_tool=True)
    assert [name for name, _ in called.tools] == ["get_weather"]
    assert called.path == "config.targets[1]"
    for fault, path in ((f"[[sim: status=529, {down}]]", "config.targets[1]"), ("", "config.targets[0]")):
        turns = [question, called.message, *asker.answer_tools(called.message, f"12 degrees {fault}")]
        answer = asker.ask(config=config, messages=turns, is_stream=is_stream, has_tool=True)
        assert answer.error is None
        assert "12 degrees" in answer.text
        assert answer.path == path


@EACH_SDK
@BOTH_FORMS
def test_when_all_targets_fail_the_last_error_is_the_sdks_own_exception(
    sdk: str, is_stream: bool, sdks: dict[str, Asker], gateway: Server
) -> None:
    config = fallback(OPENAI, {**ANTHROPIC, "override_params": {"model": CLAUDE}})
    outcome = sdks[sdk].ask("[[sim: status=529]]", config=config, is_stream=is_stream)
    assert outcome.status == 529
    assert (type(outcome.error).__name__, outcome.calls) == (
        {"anthropic": "OverloadedError"}.get(sdk, "InternalServerError"), 1,
    )  # fmt: skip
    assert outcome.path == "config.targets[1]"
    assert [status for *_, status in providers_of(outcome, gateway)] == [529, 529]
    assert outcome.record(gateway).error == "upstream_rejected"


@EACH_SDK
def test_only_listed_statuses_lead_on(sdk: str, sdks: dict[str, Asker], gateway: Server) -> None:
    config = fallback(ANTHROPIC, OPENAI, on_status_codes=[429, 529])
    refused = sdks[sdk].ask("[[sim: status=400, on=anthropic]]", config=config)
    assert (refused.status, refused.path) == (400, "config.targets[0]")
    assert len(providers_of(refused, gateway)) == 1
    assert sdks[sdk].ask("[[sim: status=429, on=anthropic]]", config=config).path == "config.targets[1]"


@EACH_SDK
@BOTH_FORMS
def test_a_target_that_is_not_there_does_not_break_the_one_that_is(
    sdk: str, is_stream: bool, sdks: dict[str, Asker], gateway: Server
) -> None:
    outcome = sdks[sdk].ask(config=fallback({"provider": "@nowhere"}, ANTHROPIC), is_stream=is_stream)
    assert (outcome.error, outcome.path) == (None, "config.targets[1]")


@EACH_SDK
@BOTH_FORMS
def test_an_overload_inside_a_200_stream_moves_on_before_the_first_byte_and_never_after(
    sdk: str, is_stream: bool, sdks: dict[str, Asker], gateway: Server
) -> None:
    at_once = sdks[sdk].ask(
        "[[sim: stream_error=overloaded_error, after=0, on=anthropic]]",
        config=fallback(ANTHROPIC, OPENAI),
        is_stream=is_stream,
    )
    assert at_once.error is None
    assert at_once.path == ("config.targets[1]" if is_stream else "config.targets[0]")
    if is_stream:
        first, second = at_once.record(gateway).attempts
        assert (first.error, second.error) == ("upstream_rejected", None)
        later = sdks[sdk].ask(
            "[[sim: stream_error=overloaded_error, after=5, drip=0.05, on=anthropic]]",
            config=fallback(ANTHROPIC, OPENAI),
            is_stream=True,
        )
        assert later.error is not None
        assert "verloaded" in str(later.error)
        assert later.path == "config.targets[0]"
        assert len(later.record(gateway).attempts) == 1


@pytest.fixture(scope="module")
def paper() -> Iterator[str]:
    """The URL of a PDF on a server that the operator trusts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/a.pdf"
            self.send_response(200 if found else 404)
            self.send_header("content-type", "application/pdf")
            self.send_header("content-length", str(len(PDF)))
            self.end_headers()
            self.wfile.write(PDF)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@BOTH_FORMS
def test_a_document_by_url_goes_to_claude_as_it_is_and_to_a_host_that_takes_none_as_what_it_holds(
    is_stream: bool, paper: str, sdks: dict[str, Asker], simulator: Server
) -> None:
    tag = uuid.uuid4().hex
    text = f"[[sim: status=529, on=anthropic]] Read. {tag}"
    content = [{"type": "document", "source": {"type": "url", "url": f"{paper}/a.pdf"}}, {"type": "text", "text": text}]
    said: dict[str, Any] = {"messages": [{"role": "user", "content": content}], "is_stream": is_stream, "tag": tag}
    outcome = sdks["anthropic"].ask(config=fallback(ANTHROPIC, OPENAI), **said)
    assert (outcome.error, outcome.path) == (None, "config.targets[1]")
    assert outcome.is_complete
    at_claude, at_openai = requests_with(simulator, tag)
    assert at_claude.body["messages"][0]["content"][0] == content[0]
    file = at_openai.body["messages"][0]["content"][0]["file"]
    assert base64.b64decode(file["file_data"].partition(",")[2]) == PDF
    assert "messages[0].content[0].source.url: fetched" in outcome.headers["x-lockgate-adjusted"]
    content[0]["source"] = {"type": "url", "url": f"{paper}/gone.pdf"}
    refused = sdks["anthropic"].ask(config=OPENAI, **said)
    assert refused.status == 400
    assert "messages[0].content[0].source.url: the document could not be fetched" in str(refused.error)
    assert len(requests_with(simulator, tag)) == 2


# ---- thinking that another host would refuse


@BOTH_FORMS
def test_signed_thinking_never_goes_to_a_host_that_knows_nothing_of_it(
    is_stream: bool, sdks: dict[str, Asker], simulator: Server
) -> None:
    """Turn one is Claude's, signed. Turn two falls back to OpenAI, turn three is Claude's again: it knows its own."""
    claude = sdks["anthropic"]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    config = fallback(ANTHROPIC, OPENAI)
    question = {"role": "user", "content": f"Hello {uuid.uuid4().hex}"}
    first = claude.ask(config=config, messages=[question], is_stream=is_stream, thinking=thinking, max_tokens=3000)
    (block,) = [block for block in first.message["content"] if block["type"] == "thinking"]
    assert block["signature"]
    tag = uuid.uuid4().hex
    again = {"role": "user", "content": f"And? [[sim: status=529, on=anthropic]] {tag}"}
    turns = [question, first.message, again]
    second = claude.ask(config=config, messages=turns, is_stream=is_stream, thinking=thinking, max_tokens=3000, tag=tag)
    assert (second.error, second.path) == (None, "config.targets[1]")
    at_claude, at_openai = requests_with(simulator, tag)
    assert block["signature"] in at_claude.text
    assert "messages" in at_claude.path
    assert block["signature"] not in at_openai.text
    assert "signature" not in at_openai.text
    assert block["thinking"] not in at_openai.text
    last = {"role": "user", "content": f"So? {uuid.uuid4().hex}"}
    turns = [*turns, second.message, last]
    third = claude.ask(config=config, messages=turns, is_stream=is_stream, thinking=thinking, max_tokens=3000)
    assert (third.error, third.path) == (None, "config.targets[0]")


NEWER = ["claude-opus-5-5", "claude-sonnet-5-5"]


@pytest.mark.parametrize("sdk", ["anthropic", "openai"])
@BOTH_FORMS
@pytest.mark.parametrize("models", [NEWER, NEWER[::-1], ["claude-haiku-4-5", NEWER[0]], [NEWER[0], "claude-haiku-4-5"]])
def test_a_conversation_goes_on_at_another_model_and_comes_back(
    sdk: str, is_stream: bool, models: list[str], sdks: dict[str, Asker], simulator: Server
) -> None:
    """Newer models refuse the thinking of others; the simulator does as they do."""
    asker = sdks[sdk]
    config = fallback(*({"provider": "@sim-anthropic", "override_params": {"model": model}} for model in models))
    loose = {"x-portkey-strict-open-ai-compliance": "false"}
    turns: list[Any] = []
    for fault, index in (("", 0), (f"[[sim: status=529, model={models[0]}]]", 1), ("", 0), ("", 0)):
        turns.append({"role": "user", "content": f"Go on. {fault} {uuid.uuid4().hex}"})
        answer = asker.ask(config=config, messages=turns, is_stream=is_stream, headers=loose, max_tokens=3000)
        assert (answer.error, answer.path) == (None, f"config.targets[{index}]")
        turns.append(answer.message)


@pytest.mark.parametrize(("sdk", "is_stream"), [("anthropic", False), ("anthropic", True), ("openai", False)])
def test_a_conversation_that_another_gateway_began_goes_on(
    sdk: str, is_stream: bool, sdks: dict[str, Asker], gateway: Server, simulator: Server
) -> None:
    """Without a config nothing is remembered, as after a restart: the model is asked, and asked again."""
    asker, tag = sdks[sdk], uuid.uuid4().hex
    targets = [{"provider": "@sim-anthropic", "override_params": {"model": model}} for model in NEWER]
    loose = {"x-portkey-strict-open-ai-compliance": "false"}
    common: dict[str, Any] = {"is_stream": is_stream, "headers": loose, "max_tokens": 3000}
    turns: list[Any] = [{"role": "user", "content": "Hello"}]
    turns.append(asker.ask(config=targets[1], messages=turns, **common).message)
    turns.append({"role": "user", "content": f"Go on. {tag}"})
    answer = asker.ask(config=fallback(*targets, on_status_codes=[529]), messages=turns, tag=tag, **common)
    assert (answer.error, answer.path) == (None, "config.targets[0]")
    asked = requests_with(simulator, tag)
    assert [(one.body["model"], one.status) for one in asked] == [(NEWER[0], 400), (NEWER[0], 200)]
    assert [attempt.kind for attempt in answer.record(gateway).attempts] == ["primary", "retry"]


# ---- retries

SPELLINGS = {
    "milliseconds": {"retry-after-ms": "40"},
    "milliseconds of Azure": {"x-ms-retry-after-ms": "40"},
    "seconds": {"retry-after": "0"},
    "a fraction": {"retry-after": "0.04"},
    "a date in the past": {"retry-after": formatdate(1_700_000_000, usegmt=True)},
    "milliseconds before seconds": {"retry-after-ms": "40", "retry-after": "50"},
    "the changelog's": {"x-retry-after": "0.04"},
}


@EACH_SDK
@BOTH_FORMS
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_retry_waits_as_long_as_the_provider_asks(
    sdk: str, is_stream: bool, spelling: str, sdks: dict[str, Asker], script: Any, gateway: Server, simulator: Server
) -> None:
    tag = uuid.uuid4().hex
    script(tag, [{"status": 429, "body": '{"error": {"message": "later"}}', "headers": SPELLINGS[spelling]}])
    config = {**ANTHROPIC, "retry": {"attempts": 3, "use_retry_after_headers": True}}
    outcome = sdks[sdk].ask("Hello", config=config, is_stream=is_stream, tag=tag)
    assert (outcome.error, outcome.retries, outcome.calls) == (None, "1", 1)
    first, second = outcome.record(gateway).attempts
    assert (first.kind, first.status, second.kind) == ("primary", 429, "retry")
    assert 0 <= second.waited_ms <= 100
    seen = requests_with(simulator, tag)
    assert len(seen) == 2
    assert seen[0].text == seen[1].text, "the same request is sent again, byte for byte"


@EACH_SDK
@BOTH_FORMS
def test_a_wait_that_would_be_too_long_ends_the_retries(
    sdk: str, is_stream: bool, sdks: dict[str, Asker], gateway: Server, simulator: Server
) -> None:
    config = {**ANTHROPIC, "retry": {"attempts": 3, "use_retry_after_headers": True}}
    outcome = sdks[sdk].ask("[[sim: status=429, retry_after=60]]", config=config, is_stream=is_stream)
    assert (outcome.status, outcome.retries) == (429, "-1")
    assert len(requests_with(simulator, outcome.tag)) == 1


@EACH_SDK
def test_retries_that_do_not_help_say_so_and_then_the_next_target_is_asked(
    sdk: str, sdks: dict[str, Asker], gateway: Server
) -> None:
    retry = {"attempts": 2, "use_retry_after_headers": True}
    text = "[[sim: status=529, retry_after=0.01, on=anthropic]]"
    alone = sdks[sdk].ask(text, config={**ANTHROPIC, "retry": retry})
    assert (alone.status, alone.retries) == (529, "-1")
    assert [kind for _, kind, _ in providers_of(alone, gateway)] == ["primary", "retry", "retry"]
    followed = sdks[sdk].ask(text, config={**fallback(ANTHROPIC, OPENAI), "retry": retry})
    assert (followed.status, followed.retries, followed.path) == (200, "0", "config.targets[1]")
    assert [kind for _, kind, _ in providers_of(followed, gateway)] == ["primary", "retry", "retry", "fallback"]


def test_a_first_wait_is_a_second_long_where_the_provider_does_not_say(sdks: dict[str, Asker], gateway: Server) -> None:
    config = {**ANTHROPIC, "retry": {"attempts": 1}}
    started = time.monotonic()
    outcome = sdks["openai"].ask("[[sim: status=529, times=1]]", config=config)
    assert (outcome.error, outcome.retries) == (None, "1")
    assert time.monotonic() - started >= 1
    assert outcome.record(gateway).attempts[1].waited_ms == 1000


# ---- limits of providers


@EACH_SDK
@pytest.mark.parametrize(
    "code", ["enforced_spend_limit_reached", "contract_spend_limit_reached", "ramp_limit_exceeded"]
)
def test_a_credential_that_has_spent_its_allowance_is_not_tried_again_but_left(
    sdk: str, code: str, sdks: dict[str, Asker], gateway: Server
) -> None:
    text = f"[[sim: status=429, error_code={code}, retry_after=1, on=anthropic]]"
    config = {**fallback(ANTHROPIC, OPENAI), "retry": {"attempts": 3, "use_retry_after_headers": True}}
    outcome = sdks[sdk].ask(text, config=config)
    assert (outcome.error, outcome.path) == (None, "config.targets[1]")
    assert [kind for _, kind, _ in providers_of(outcome, gateway)] == ["primary", "fallback"]


# ---- time limits


@EACH_SDK
@BOTH_FORMS
def test_a_slow_target_is_408_and_the_next_one_answers(
    sdk: str, is_stream: bool, sdks: dict[str, Asker], gateway: Server
) -> None:
    slow = "[[sim: delay=5, on=anthropic]]"
    alone = sdks[sdk].ask(slow, config={**ANTHROPIC, "request_timeout": 200}, is_stream=is_stream)
    assert alone.status == 408
    assert "exceeded the timeout sent in the request: 200ms" in str(alone.error)
    other = {**OPENAI, "request_timeout": 60_000}
    followed = sdks[sdk].ask(slow, config={**fallback(ANTHROPIC, other), "request_timeout": 200}, is_stream=is_stream)
    assert (followed.error, followed.path) == (None, "config.targets[1]")
    assert followed.record(gateway).attempts[0].error == "upstream_timeout"


@EACH_SDK
def test_a_dripping_body_counts_and_a_stream_that_has_begun_does_not(sdk: str, sdks: dict[str, Asker]) -> None:
    drip = "[[sim: drip=0.02]]"
    whole = sdks[sdk].ask(drip, config={**ANTHROPIC, "request_timeout": 300})
    assert whole.status == 408, "hundreds of bytes, one every 20 ms"
    streamed = sdks[sdk].ask(
        "[[sim: drip=0.05, events=30]]", config={**ANTHROPIC, "request_timeout": 1000}, is_stream=True
    )
    assert (streamed.error, streamed.is_complete) == (None, True)


@EACH_SDK
def test_the_header_beats_the_config(sdk: str, sdks: dict[str, Asker]) -> None:
    config = {**ANTHROPIC, "request_timeout": 60_000}
    outcome = sdks[sdk].ask("[[sim: delay=5]]", config=config, headers={"x-portkey-request-timeout": "150"})
    assert outcome.status == 408
    assert "150ms" in str(outcome.error)


# ---- load balancing, conditions, circuits


def test_shares_follow_the_weights(sdks: dict[str, Asker]) -> None:
    """400 requests at three to one: 300 are expected, and five standard deviations are allowed."""
    balance = {"strategy": {"mode": "loadbalance"}, "targets": [{**ANTHROPIC, "weight": 3}, {**OPENAI, "weight": 1}]}
    count = 400
    paths = collections.Counter(sdks["openai"].ask("Hi", config=balance).path for _ in range(count))
    assert set(paths) == {"config.targets[0]", "config.targets[1]"}
    assert abs(paths["config.targets[0]"] - count * 0.75) <= 5 * math.sqrt(count * 0.75 * 0.25)


@EACH_SDK
def test_who_sticks_stays_and_others_spread(sdk: str, sdks: dict[str, Asker]) -> None:
    sticky = {"enabled": True, "hash_fields": ["metadata.user_id"], "ttl": 600}
    targets = [{**ANTHROPIC, "name": "a"}, {**OPENAI, "name": "b"}]
    config = {"strategy": {"mode": "loadbalance", "sticky": sticky}, "targets": targets}
    paths = {}
    for _ in range(4):
        for user in range(12):
            metadata = {"x-portkey-metadata": json.dumps({"user_id": f"{sdk}-{user}"})}
            paths.setdefault(user, set()).add(sdks[sdk].ask("Hi", config=config, headers=metadata).path)
    assert all(len(found) == 1 for found in paths.values())
    assert len(set.union(*paths.values())) == 2


@EACH_SDK
@BOTH_FORMS
def test_conditions_choose_by_metadata_and_body(sdk: str, is_stream: bool, sdks: dict[str, Asker]) -> None:
    conditions = [
        {"query": {"metadata.plan": {"$in": ["paid", "trial"]}, "params.max_tokens": {"$lte": 400}}, "then": "claude"},
        {"query": {"$or": [{"metadata.team": {"$regex": "^re"}}, {"url.pathname": "/v1/none"}]}, "then": "claude"},
    ]
    config = {
        "strategy": {"mode": "conditional", "conditions": conditions, "default": "gpt"},
        "targets": [{**ANTHROPIC, "name": "claude"}, {**OPENAI, "name": "gpt"}],
    }
    cases = [
        ({"plan": "paid"}, 300, 0),
        ({"plan": "paid"}, 401, 1),
        ({"plan": "free"}, 300, 1),
        ({"team": "red"}, 500, 0),
        ({"team": "bored"}, 500, 1),
        ({}, 300, 1),
    ]
    for metadata, max_tokens, index in cases:
        headers = {"x-portkey-metadata": json.dumps(metadata)}
        outcome = sdks[sdk].ask("Hi", config=config, headers=headers, max_tokens=max_tokens, is_stream=is_stream)
        assert outcome.path == f"config.targets[{index}]", metadata


@EACH_SDK
@BOTH_FORMS
def test_a_circuit_opens_at_its_threshold_and_spares_the_target(
    sdk: str, is_stream: bool, sdks: dict[str, Asker], gateway: Server
) -> None:
    breaker = {"failure_threshold": 3, "cooldown_interval": 30_000}
    # a name of its own gives the config a circuit of its own
    config = fallback({**ANTHROPIC, "name": uuid.uuid4().hex}, OPENAI, cb_config=breaker)
    tries = []
    for _ in range(5):
        outcome = sdks[sdk].ask("[[sim: status=503, on=anthropic]]", config=config, is_stream=is_stream)
        assert (outcome.error, outcome.path) == (None, "config.targets[1]"), (
            "the index is that of the config as written"
        )
        tries.append([provider for provider, *_ in providers_of(outcome, gateway)])
    assert tries == [["anthropic", "openai"]] * 3 + [["openai"]] * 2


# ---- parameters


@EACH_SDK
def test_parameters_are_shaped_for_each_target(sdk: str, sdks: dict[str, Asker], simulator: Server) -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "overrideParams": {"top_k": 7} if sdk == "anthropic" else {},
        "targets": [
            {"provider": "@sim-anthropic", "override_params": {"model": CLAUDE, "max_tokens": 77}},
            {"provider": "@sim-anthropic", "defaultParams": {"stop_sequences": ["END"]}, "dropParams": ["top_k"]},
        ],
    }
    outcome = sdks[sdk].ask("[[sim: status=500, times=1]]", config=config)
    assert outcome.error is None
    first, second = (seen.body for seen in requests_with(simulator, outcome.tag))
    assert (first["max_tokens"], second["max_tokens"]) == (77, 500)
    if sdk == "anthropic":
        assert (first["top_k"], second.get("top_k")) == (7, None)
        assert (first.get("stop_sequences"), second["stop_sequences"]) == (None, ["END"])


@pytest.mark.parametrize(
    "model, version, has_temperature",
    [("claude-haiku-4-5", "2023-06-01", True), ("claude-opus-5", "2026-10-21", False)],
)
def test_a_configs_temperature_never_breaks_a_client_of_a_newer_version(
    model: str, version: str, has_temperature: bool, sdks: dict[str, Asker], simulator: Server
) -> None:
    config = {"provider": "@sim-anthropic", "override_params": {"temperature": 0.3}}
    outcome = sdks["anthropic"].ask("Hi", config=config, model=model)
    assert outcome.error is None
    (seen,) = requests_with(simulator, outcome.tag)
    assert seen.headers["anthropic-version"] == version
    assert ("temperature" in seen.body) == has_temperature


# ---- the JavaScript SDKs


@pytest.mark.timeout(600)
@BOTH_FORMS
@BOTH_WAYS
@pytest.mark.parametrize("sdk", ["anthropic", "openai", "portkey"])
def test_javascript_gets_the_fallbacks_answer(
    sdk: str, is_stream: bool, way: str, client_named: Callable[[str], Client], gateway: Server, simulator: Server
) -> None:
    tag = uuid.uuid4().hex
    config = json.dumps(fallback(*ORDERS[way]))
    headers = {"config": config} if sdk == "portkey" else {"x-portkey-config": config}
    outcome = client_named("javascript-newest").one(
        sdk=sdk,
        origin=gateway.url,
        model=CLAUDE,
        api_key=GATEWAY_KEY,
        text=f"[[sim: status=529, on={FIRST[way]}]] {tag}",
        stream=is_stream,
        headers=headers,
    )
    assert outcome["error"] is None
    assert outcome["is_complete"]
    assert outcome["text"].startswith("Simulated answer to:")
    paths = [seen.path for seen in requests_with(simulator, tag)]
    assert len(paths) == 2
    assert ("messages" in paths[0]) == (way == "to openai")


def test_a_limit_of_tokens_follows_to_a_model_that_refuses_its_older_name(gateway: Server, simulator: Server) -> None:
    """The client wrote ``max_tokens`` for the first target; the second one is a config's choice."""
    word = f"limit-{uuid.uuid4().hex}"
    target = {"provider": "@sim-openai", "override_params": {"model": "gpt-5-mini"}}
    body = {
        "model": CLAUDE, "max_tokens": 77,
        "messages": [{"role": "user", "content": f"{word} [[sim: status=529, on=anthropic]]"}],
    }  # fmt: skip
    headers = {"x-portkey-api-key": GATEWAY_KEY, "x-portkey-config": json.dumps(fallback(ANTHROPIC, target))}
    url = f"{gateway.url}/v1/chat/completions"
    answer = httpx.post(url, json=body, headers=headers, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    assert "max_tokens: sent as max_completion_tokens" in answer.headers["x-lockgate-adjusted"]
    *_, last = requests_with(simulator, word)
    assert (last.body["max_completion_tokens"], "max_tokens" in last.body) == (77, False)
    body["model"] = "@sim-openai/gpt-5-mini"
    del headers["x-portkey-config"]
    # a model that the client names itself gets the client's own bytes, and speaks for itself
    assert httpx.post(url, json=body, headers=headers, trust_env=False, timeout=60).status_code == 400
