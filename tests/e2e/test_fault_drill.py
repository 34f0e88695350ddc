"""The fault drill over sockets, judged by the SDKs: a whole answer, or the SDK's own exception. Never silence, never a mixture.

Every byte position is tried in memory (``tests/contract/drill``); here a sample of them meets real connections.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.asking import CLAUDE, GPT, SDKS, Asker, Outcome
from tests.e2e.gateway import Server
from tests.e2e.simulated import requests_with

EACH_SDK = pytest.mark.parametrize("sdk", SDKS)
TARGETS = {
    "anthropic": {"provider": "@hasty-anthropic", "override_params": {"model": CLAUDE}},
    "openai": {"provider": "@hasty-openai", "override_params": {"model": GPT}},
}
OTHER = {"anthropic": "openai", "openai": "anthropic"}
CONFIGS: dict[str, Any] = {
    "one target": lambda slug: TARGETS[slug],
    "fallback": lambda slug: {"strategy": {"mode": "fallback"}, "targets": [TARGETS[slug], TARGETS[OTHER[slug]]]},
}
BEGINNING = "Simulated answer to:"
POSITIONS = [0, 1, 2, *range(40, 3200, 97)]
EVENTS = range(12)
WORKERS = 4
SLOWEST_S = 60
"""Whoever waits longer hangs: time limits end a call after seconds."""


@pytest.fixture(scope="module")
def asking(gateway: Server) -> Iterator[dict[str, list[Asker]]]:
    """SDK clients, some of each, because they ask at the same time."""
    made = {sdk: [Asker(sdk, gateway) for _ in range(WORKERS)] for sdk in SDKS}
    yield made
    for asker in itertools.chain(*made.values()):
        asker.close()


def drill(
    askers: list[Asker], slug: str, faults: list[str], *, is_stream: bool
) -> list[tuple[str, str, Outcome, float]]:
    """Ask once for each fault and config; return fault, config, what became of it, and how long it took."""
    cases = [(fault, name) for fault in faults for name in CONFIGS]

    def work(number: int) -> list[tuple[str, str, Outcome, float]]:
        found = []
        for fault, name in cases[number::WORKERS]:
            started = time.monotonic()
            text = f"[[sim: {fault}, on={slug}]]"
            outcome = askers[number].ask(text, config=CONFIGS[name](slug), is_stream=is_stream)
            found.append((fault, name, outcome, time.monotonic() - started))
        return found

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(itertools.chain(*pool.map(work, range(WORKERS))))


def assert_proper(fault: str, config: str, outcome: Outcome, took_s: float, gateway: Server) -> None:
    """Assert that a client was told the truth: all of one answer, or an error."""
    case = f"{fault}, {config}"
    assert took_s < SLOWEST_S, case
    record = outcome.record(gateway)
    if outcome.error is None:
        assert outcome.is_complete, f"{case}: silence"
        assert outcome.text.startswith(BEGINNING), case
        assert outcome.text.count(BEGINNING) == 1, f"{case}: a mixture"
        assert record.error is None, case
    else:
        # an SDK's complaint about bytes that it cannot read is no proper error
        assert isinstance(outcome.error, anthropic.APIError | openai.APIError) or hasattr(outcome.error, "body"), case
        assert "JSON" not in type(outcome.error).__name__, case
        assert str(outcome.error), case
        assert record.error is not None, case
        assert BEGINNING.startswith(outcome.text[: len(BEGINNING)]), case
    last = record.attempts[-1]
    assert (last.error is None) == (record.error is None) or record.error is not None, case


@EACH_SDK
@pytest.mark.parametrize("slug", TARGETS)
@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_a_stream_that_breaks_at_a_byte(
    sdk: str, slug: str, kind: str, asking: dict[str, list[Asker]], gateway: Server
) -> None:
    results = drill(asking[sdk], slug, [f"{kind}={at}" for at in POSITIONS], is_stream=True)
    for fault, config, outcome, took_s in results:
        assert_proper(fault, config, outcome, took_s, gateway)
    early = [outcome for fault, config, outcome, _ in results if fault == f"{kind}=40" and config == "fallback"]
    assert [outcome.error for outcome in early] == [None], "nothing had come yet, so the other target answers"
    assert any(outcome.error is not None for *_, outcome, _ in results)


@EACH_SDK
@pytest.mark.parametrize("slug", TARGETS)
@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_a_whole_answer_that_breaks_at_a_byte(
    sdk: str, slug: str, kind: str, asking: dict[str, list[Asker]], gateway: Server
) -> None:
    for fault, config, outcome, took_s in drill(
        asking[sdk], slug, [f"{kind}={at}" for at in range(0, 300, 17)], is_stream=False
    ):
        assert_proper(fault, config, outcome, took_s, gateway)
        assert (outcome.error is None) == (config == "fallback"), fault


@EACH_SDK
@pytest.mark.parametrize("slug", TARGETS)
@pytest.mark.parametrize(
    "kind", ["stream_error=overloaded_error, drip=0.01, events=12, after", "malformed", "no_terminal"]
)
def test_a_stream_that_goes_wrong_at_an_event(
    sdk: str, slug: str, kind: str, asking: dict[str, list[Asker]], gateway: Server
) -> None:
    faults = [f"{kind}={at if kind.startswith('stream_error') else at + 1}" for at in EVENTS]
    for fault, config, outcome, took_s in drill(asking[sdk], slug, faults, is_stream=True):
        assert_proper(fault, config, outcome, took_s, gateway)
        if kind.startswith("stream_error") and config == "fallback":
            assert (outcome.error is None) == fault.endswith("after=0"), fault


@EACH_SDK
@pytest.mark.parametrize("slug", TARGETS)
def test_a_target_that_stalls(sdk: str, slug: str, asking: dict[str, list[Asker]], gateway: Server) -> None:
    for fault, config, outcome, took_s in drill(asking[sdk], slug, [f"stall={at}" for at in range(6)], is_stream=True):
        assert_proper(fault, config, outcome, took_s, gateway)
        if fault == "stall=0":
            assert (outcome.error is None) == (config == "fallback")
        else:
            assert outcome.error is not None
            assert outcome.record(gateway).error == "upstream_timeout"


@EACH_SDK
@pytest.mark.parametrize("slug", TARGETS)
def test_bytes_in_drips_are_the_same_answer(
    sdk: str, slug: str, asking: dict[str, list[Asker]], gateway: Server, simulator: Server
) -> None:
    """Split anywhere, slow or quick: the same text as at once."""
    for fault, config, outcome, took_s in drill(asking[sdk], slug, ["split=1", "split=7", "drip=0.01"], is_stream=True):
        assert_proper(fault, config, outcome, took_s, gateway)
        assert outcome.error is None
        assert len(requests_with(simulator, outcome.tag)) == 1
