"""A fault drill: a provider that breaks at any byte leaves its client with a whole answer or with a proper error.

Both ways through the gateway (bytes of the client's own dialect, and translation), streamed and whole, without a
config, with one target, with retries, with a fallback of the same dialect and of the other one.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator

import pytest
from msgspec import structs

from lockgate.core.limits import Budget, Claim
from lockgate.errors import Broken, TimedOut
from tests.contract.drill.answers import STREAMS, TEXTS, WHOLE, overloaded
from tests.contract.drill.judge import Verdict, judge
from tests.unit.dataplane.fakes import JSON, KEY, SSE, FakeResponse, World

POSITIONS = 200
PATHS = ["/v1/messages", "/v1/chat/completions"]
OTHER = {"anthropic": "openai", "openai": "anthropic"}
ASK = {
    "max_tokens": 900,
    "messages": [{"role": "user", "content": "Hi"}],
}
BUDGET = Budget(id="b", scope="key", name="k", unit="tokens", cap=10**12)


def targets(*slugs: str) -> dict[str, object]:
    return {"strategy": {"mode": "fallback"}, "targets": [{"provider": f"@{slug}"} for slug in slugs]}


CONFIGS: dict[str, Callable[[str], dict[str, object] | None]] = {
    "no config": lambda slug: None,
    "one target": lambda slug: {"provider": f"@{slug}"},
    "retried": lambda slug: {"provider": f"@{slug}", "retry": {"attempts": 1, "on_status_codes": [408, 502, 529]}},
    "same dialect next": lambda slug: targets(slug, slug),
    "other dialect next": lambda slug: targets(slug, OTHER[slug]),
    "cached": lambda slug: {"provider": f"@{slug}", "cache": "simple"},
}
SECOND = {"retried": lambda slug: slug, "same dialect next": lambda slug: slug, "other dialect next": OTHER.get}
"""Who answers after a failure before the first byte."""


def broken(part: bytes) -> list[object]:
    return [part, Broken("The connection to the provider broke")] if part else [Broken("gone")]


def in_drips(part: bytes) -> list[object]:
    return [*(part[start : start + 7] for start in range(0, len(part), 7)), Broken("gone")]


def ended(part: bytes) -> list[object]:
    """As a close in good order looks that only the end of the stream could have been told from."""
    return [part]


def stalled(part: bytes) -> list[object]:
    return (
        [part, TimedOut("The provider sent nothing for too long", phase="idle")]
        if part
        else [TimedOut("no", phase="idle")]
    )


FAULTS = {"broken": broken, "in drips": in_drips, "ended": ended, "stalled": stalled}


def positions(data: bytes) -> list[int]:
    """Positions all over the bytes, and those around each end of an event."""
    last = len(data) - 1
    found = {round(at * last / (POSITIONS - 1)) for at in range(POSITIONS)}
    for blank in re.finditer(rb"\n\n", data):
        found |= {blank.start(), blank.start() + 1, min(blank.end(), last)}
    return sorted(found)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    async def sleep(delay_s: float) -> None:
        """No waiting."""

    monkeypatch.setattr("lockgate.dataplane.walk.asyncio.sleep", sleep)
    world = World()
    snapshot = world.plane.snapshot
    keys = {digest: structs.replace(key, claims=(Claim(BUDGET),)) for digest, key in snapshot.keys.items()}
    world.plane.snapshot = structs.replace(snapshot, keys=keys)
    return world


class Drill:
    """Asks the same thing again and again, of providers that break in other ways each time."""

    def __init__(self, world: World, path: str, slug: str, config: str, *, is_stream: bool) -> None:
        self.world, self.path, self.slug, self.name, self.is_stream = world, path, slug, config, is_stream
        self.config = CONFIGS[config](slug)
        self.number = 0

    async def ask(self, *answers: FakeResponse) -> Verdict:
        """Ask once; check what holds for every request."""
        world = self.world
        world.records.clear()
        world.upstream.sent.clear()
        world.upstream.answers = list(answers)
        headers = {} if self.config is None else {"x-portkey-config": json.dumps(self.config)}
        headers["x-portkey-cache-namespace"] = str(self.number)
        body = {**ASK, "model": f"@{self.slug}/m" if self.config is None else "m", "stream": self.is_stream}
        answer = await world._call(self.path, body, "POST", KEY, None, b"", headers)
        assert answer.is_complete, "silence"
        verdict = judge(self.path, answer.status, answer.headers["content-type"], answer.body, is_stream=self.is_stream)
        assert all(response.is_closed for response in world.upstream.responses)
        record = world.record
        assert (record.error is None) == verdict.is_complete, record.error
        assert record.status == answer.status
        assert len(record.attempts) == len(world.upstream.sent)
        (usage,) = await world.counters.usage([Claim(BUDGET)])
        assert usage.reserved == 0
        return verdict

    async def hit(self, pieces: list[object], *, is_undecided: bool) -> Verdict:
        """Break once. ``is_undecided``: no whole event has come, so that another target can still answer."""
        self.number += 1
        second = SECOND[self.name](self.slug) if self.name in SECOND else None
        answers = [FakeResponse(200, SSE if self.is_stream else JSON, *pieces)]
        if second is not None:
            answers.append(self.good(second))
        verdict = await self.ask(*answers)
        if second is not None and is_undecided:
            assert verdict.is_complete
            assert verdict.source == second
            assert len(self.world.upstream.sent) == 2
        elif not verdict.is_complete and second is not None:
            assert verdict.source in (self.slug, None), "an answer that had begun goes on with nobody else's"
            assert len(self.world.upstream.sent) == 1
        if self.name == "cached":
            await self._ask_again(verdict)
        return verdict

    async def _ask_again(self, verdict: Verdict) -> None:
        again = await self.ask(*([] if verdict.is_complete else [self.good(self.slug)]))
        assert again.is_complete
        assert self.world.record.cache_status == ("hit" if verdict.is_complete else "miss")

    def good(self, slug: str) -> FakeResponse:
        if self.is_stream:
            return FakeResponse(200, SSE, *STREAMS[slug])
        return FakeResponse(200, JSON, WHOLE[slug])


def drills(world: World, path: str, slug: str, *, is_stream: bool) -> Iterator[Drill]:
    for name in CONFIGS:
        yield Drill(world, path, slug, name, is_stream=is_stream)


EVERYWHERE = [
    pytest.mark.parametrize("slug", ["anthropic", "openai"]),
    pytest.mark.parametrize("path", PATHS),
]


def everywhere(test):
    for mark in EVERYWHERE:
        test = mark(test)
    return test


@everywhere
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_stream_that_breaks_at_any_byte(world: World, path: str, slug: str, name: str, fault: str) -> None:
    stream = b"".join(STREAMS[slug])
    drill = Drill(world, path, slug, name, is_stream=True)

    async def run() -> list[Verdict]:
        found = []
        for at in positions(stream):
            part = stream[:at]
            found.append(await drill.hit(FAULTS[fault](part), is_undecided=b"\n\n" not in part))
        return found

    verdicts = asyncio.run(run())
    assert len(verdicts) >= POSITIONS
    if name not in SECOND:
        assert sum(not verdict.is_complete for verdict in verdicts) > POSITIONS * 0.9


@everywhere
@pytest.mark.parametrize("name", CONFIGS)
def test_an_error_inside_a_stream_after_any_event(world: World, path: str, slug: str, name: str) -> None:
    events = STREAMS[slug]
    drill = Drill(world, path, slug, name, is_stream=True)

    async def run() -> None:
        for at in range(len(events) - 1):
            for is_at_once in (False, True):
                pieces = [*events[:at], overloaded(slug)]
                verdict = await drill.hit([b"".join(pieces)] if is_at_once else pieces, is_undecided=at == 0)
                assert verdict.is_complete == (at == 0 and name in SECOND) or is_at_once
                if verdict.error is not None:
                    assert "verloaded" in verdict.error["message"]

    asyncio.run(run())


@everywhere
@pytest.mark.parametrize("name", CONFIGS)
def test_any_event_that_is_no_json(world: World, path: str, slug: str, name: str) -> None:
    events = STREAMS[slug]
    drill = Drill(world, path, slug, name, is_stream=True)

    async def run() -> None:
        for at, event in enumerate(events):
            bad = event.replace(b"}\n", b",\n").replace(b"[DONE]", b"[DONE")
            for pieces in ([*events[:at], bad, *events[at + 1 :]], [b"".join([*events[:at], bad, *events[at + 1 :]])]):
                verdict = await drill.hit(list(pieces), is_undecided=at == 0)
                assert not verdict.is_complete or verdict.source != slug or name in SECOND

    asyncio.run(run())


@everywhere
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_whole_answer_that_breaks_at_any_byte(world: World, path: str, slug: str, name: str, fault: str) -> None:
    body = WHOLE[slug]
    drill = Drill(world, path, slug, name, is_stream=False)

    async def run() -> None:
        for at in positions(body):
            verdict = await drill.hit(FAULTS[fault](body[:at]), is_undecided=True)
            assert verdict.is_complete == (name in SECOND)

    asyncio.run(run())


@everywhere
def test_what_did_not_break_is_whole(world: World, path: str, slug: str) -> None:
    """The judge is no judge if it never says that all is well."""

    async def run() -> None:
        for is_stream in (False, True):
            for drill in drills(world, path, slug, is_stream=is_stream):
                verdict = await drill.ask(drill.good(slug))
                assert verdict.is_complete
                assert verdict.text == TEXTS[slug]

    asyncio.run(run())
