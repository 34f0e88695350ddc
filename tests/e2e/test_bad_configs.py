"""Configs that are wrong, too large or hostile: refused before any provider is asked, with the path of each fault, at little cost."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.asking import CLAUDE, SDKS, Asker, askers
from tests.e2e.gateway import GATEWAY_KEY, UPSTREAM_KEY, Server
from tests.e2e.simulated import requests_with

PATHS = ["/v1/messages", "/v1/chat/completions"]
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def sdks(gateway: Server) -> Iterator[dict[str, Asker]]:
    yield from askers(gateway)


def nested(depth: int) -> dict[str, Any]:
    """A config whose targets nest so deep."""
    node: dict[str, Any] = {"provider": "@sim-anthropic"}
    for _ in range(depth - 1):
        node = {"strategy": {"mode": "single"}, "targets": [node]}
    return node


def wide(count: int, mode: str = "fallback") -> dict[str, Any]:
    return {"strategy": {"mode": mode}, "targets": [{"provider": "@sim-anthropic"}] * count}


TWO = [{"provider": "@sim-anthropic", "name": "a"}, {"provider": "@sim-anthropic", "name": "b"}]
BREAKER = {"cooldown_interval": 60_000}
WRONG: dict[str, tuple[Any, list[str]]] = {
    "two faults at once": (
        {"strategy": {"mode": "nope"}, "targets": [{"provider": "@a", "weight": "x"}]},
        ["strategy.mode", "targets.0.weight"],
    ),
    "targets without a strategy": ({"targets": TWO}, ["strategy"]),
    "a strategy without targets": ({"strategy": {"mode": "fallback"}}, ["targets"]),
    "no targets": ({"strategy": {"mode": "fallback"}, "targets": []}, ["targets"]),
    "an unknown provider": ({"provider": "nobody"}, ["provider"]),
    "a bad weight": (
        {"strategy": {"mode": "loadbalance"}, "targets": [{**TWO[0], "weight": -1}]},
        ["targets.0.weight"],
    ),
    "retry of a wrong type": ({"provider": "@sim-anthropic", "retry": {"attempts": "many"}}, ["retry.attempts"]),
    "an unknown mode of the cache": ({"provider": "@sim-anthropic", "cache": {"mode": "sometimes"}}, ["cache.mode"]),
    "a circuit without a threshold": (
        {"strategy": {"mode": "fallback", "cb_config": BREAKER}, "targets": TWO},
        ["strategy.cb_config.failure_threshold"],
    ),
    "conditions without a default": (
        {"strategy": {"mode": "conditional", "conditions": [{"query": {}, "then": "z"}]}, "targets": TWO},
        ["strategy.default", "strategy.conditions.0.then"],
    ),
    "a list that names itself": (
        {"provider": "@sim-anthropic", "forward_headers": ["x-portkey-forward-headers"]},
        ["forward_headers.0"],
    ),
    "guardrails": ({"provider": "@sim-anthropic", "input_guardrails": ["pg-1"]}, ["input_guardrails"]),
    "guardrails below": (
        wide(1) | {"targets": [{**TWO[0], "afterRequestHooks": [{"id": "h"}]}]},
        ["targets.0.after_request_hooks"],
    ),
    "too deep": (nested(9), ["targets.0.targets.0.targets.0.targets.0.targets.0.targets.0.targets.0.targets"]),
    "too wide": (wide(101), ["targets"]),
    "too wide below": (wide(1) | {"targets": [wide(51)]}, ["targets.0.targets"]),
    "the old form": ({"options": [{"provider": "@sim-anthropic"}]}, ["options"]),
    "not JSON": ("{not json", [""]),
    "a deep nothing": ('{"targets":' + "[" * 20_000, [""]),
}


def paths_of(answer: httpx.Response) -> list[str]:
    """Return the paths of the faults, in the words of the wire."""
    lines = answer.json()["errors"]
    assert all(line.startswith("path: ") and ", message: " in line for line in lines), lines
    return [line.removeprefix("path: ").partition(", message: ")[0] for line in lines]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_config_is_refused_with_the_path_of_each_fault_and_nobody_is_asked(
    case: str, is_stream: bool, path: str, http: httpx.Client, simulator: Server
) -> None:
    config, faults = WRONG[case]
    tag = uuid.uuid4().hex
    headers = {
        "x-portkey-api-key": GATEWAY_KEY,
        "x-portkey-config": config if isinstance(config, str) else json.dumps(config),
    }
    body = {"model": f"@sim-anthropic/{CLAUDE}", "max_tokens": 9, "messages": [{"role": "user", "content": tag}]}
    answer = http.post(path, headers=headers, json=body | {"stream": is_stream})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-portkey-gateway-exception"] == "true"
    assert answer.headers["x-portkey-trace-id"]
    assert answer.json()["message"] == "Invalid config passed"
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert set(faults) <= set(paths_of(answer))
    assert requests_with(simulator, tag) == []


@pytest.mark.parametrize("sdk", SDKS)
def test_a_wrong_config_is_the_sdks_own_exception_and_is_not_repeated(sdk: str, gateway: Server) -> None:
    asker = Asker(sdk, gateway, max_retries=2)
    outcome = asker.ask(config={"provider": "nobody"})
    asker.close()
    assert (outcome.status, outcome.calls) == (400, 1)
    assert type(outcome.error).__name__ == "BadRequestError"
    assert "nobody" in str(outcome.error)


@pytest.mark.parametrize("secret", [UPSTREAM_KEY, f"Bearer {UPSTREAM_KEY}"], ids=["key", "header"])
def test_a_credential_in_a_wrong_config_is_not_told(secret: str, http: httpx.Client) -> None:
    config = json.dumps({"provider": "nobody", "api_key": secret, "aws_secret_access_key": [secret], "weight": secret})
    headers = {"x-portkey-api-key": GATEWAY_KEY, "x-portkey-config": config}
    answer = http.post(PATHS[0], headers=headers, json={"model": "m", "max_tokens": 9, "messages": []})
    assert answer.status_code == 400
    assert UPSTREAM_KEY not in answer.text


@pytest.mark.parametrize("config", [nested(8), wide(100)], ids=["deep", "wide"])
def test_a_large_config_within_the_limits_serves(config: dict[str, Any], sdks: dict[str, Asker]) -> None:
    assert sdks["openai"].ask(config=config).error is None


def test_a_condition_may_choose_among_a_thousand_targets(sdks: dict[str, Asker]) -> None:
    targets = [{"name": f"{at}", "provider": "@nowhere"} for at in range(700)] + [{**TWO[0], "name": "x"}]
    config = {
        "strategy": {"mode": "conditional", "conditions": [{"query": {}, "then": "x"}], "default": "x"},
        "targets": targets,
    }
    outcome = sdks["openai"].ask(config=config)
    assert (outcome.error, outcome.path) == (None, "config.targets[700]")


@pytest.mark.parametrize("size_bytes", [100_000, 1_000_000])
def test_a_giant_config_is_refused_as_the_head_that_it_is(size_bytes: int, http: httpx.Client) -> None:
    config = json.dumps({"provider": "@sim-anthropic", "override_params": {"pad": "x" * size_bytes}})
    headers = {"x-portkey-api-key": GATEWAY_KEY, "x-portkey-config": config}
    try:
        status = http.post(PATHS[1], headers=headers, json={"model": "m", "messages": []}).status_code
    except httpx.WriteError:
        status = 431  # refused before all of it was written
    assert status == 431


def test_an_unknown_key_is_ignored_in_a_request(sdks: dict[str, Asker]) -> None:
    assert sdks["openai"].ask(config={"provider": "@sim-anthropic", "colour": "blue"}).error is None


# ---- patterns

EVIL = [
    "(a+)+$",
    "([a-zA-Z]+)*$",
    "(a|aa)+$",
    "(a|a?)+$",
    "(.*a){12}x",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(\\w+\\s?)*!",
    "(?:a{0,60}){0,20}b",
    "((a*)*)*b",
    "^(\\d+)+$",
    "(x+x+)+y",
    "a.*a.*a.*a.*a.*b",
]
REFUSED_BY_RE2 = ["(?=a)b", "(a)\\1", "(", "a{1001}", "x" * 1001]
MOST_CPU_S = 30.0


def cpu_s(server: Server) -> float:
    """Return the processor time that a process used so far. Skips where there is no /proc."""
    stat = Path(f"/proc/{server.process.pid}/stat")
    if not stat.exists():
        pytest.skip("processor time of another process is read from /proc")
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


@pytest.mark.parametrize("place", ["params", "metadata"])
def test_hostile_patterns_cost_little(place: str, sdks: dict[str, Asker], gateway: Server) -> None:
    """A backtracking engine takes minutes for one of them; all of them together take a second or two here."""
    text = "a" * 16_000 + "!"
    before = cpu_s(gateway)
    for pattern in EVIL:
        conditions = [{"query": {f"{place}.user": {"$regex": pattern}}, "then": "b"}] * 20
        strategy = {"mode": "conditional", "conditions": conditions, "default": "a"}
        config = {"strategy": strategy, "targets": TWO, "drop_params": ["user"]}
        given: dict[str, Any] = {"user": text} if place == "params" else {}
        headers = {"x-portkey-metadata": json.dumps({"user": text})} if place == "metadata" else {}
        assert sdks["openai"].ask(config=config, headers=headers, **given).error is None, pattern
    assert cpu_s(gateway) - before < MOST_CPU_S


@pytest.mark.parametrize("pattern", REFUSED_BY_RE2)
def test_a_pattern_that_cannot_be_matched_is_a_condition_that_does_not_hold(
    pattern: str, sdks: dict[str, Asker]
) -> None:
    conditions = [{"query": {"params.user": {"$regex": pattern}}, "then": "b"}]
    config = {"strategy": {"mode": "conditional", "conditions": conditions, "default": "a"}, "targets": TWO}
    outcome = sdks["openai"].ask(config=config, user="b")
    assert (outcome.error, outcome.path) == (None, "config.targets[0]")
