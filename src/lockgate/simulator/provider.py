"""What a fake provider is: it turns a request into a reply, purely; sending the reply is not its business."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from lockgate.simulator.directives import (
    NO_ORDERS,
    DirectiveError,
    Fault,
    Orders,
    parse_pairs,
    read_orders,
    read_when,
    split_directives,
)
from lockgate.simulator.script import RawBody, Script, ScriptRun, load_script
from lockgate.simulator.settings import SimulatorSettings

Headers = tuple[tuple[str, str], ...]

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Largest request body where nothing else is said. Source: Anthropic API reference, "Request size limits"."""


class Sink(Protocol):
    """Takes a body piece by piece, because it may be too large to keep."""

    def feed(self, data: bytes) -> None:
        """Take the next piece; what is wrong with it is said later, when the request is answered."""
        ...


class BodyPlan(NamedTuple):
    """How the body of a request is to be received."""

    limit_bytes: int = MAX_BODY_BYTES
    sink: Sink | None = None
    """Takes the body; the request then carries only its beginning."""


class Request(Struct, frozen=True, kw_only=True):
    """A request as the fakes see it; header names are in lower case, repeated ones joined by commas."""

    method: str
    path: str
    """Without the prefix that chose the provider."""
    query: str
    headers: Mapping[str, str]
    body: bytes
    sink: Sink | None = None
    """Has taken the body, where the plan asked for it."""
    base_url: str = ""
    """Where the caller reached this fake: scheme, host, and the prefix that chose the provider."""


class Usage(NamedTuple):
    """What an answer counts for."""

    input_tokens: int = 0
    output_tokens: int = 0


class Event(NamedTuple):
    """One event of a stream as bytes; ``split_at`` is where it is torn into two writes, 0: nowhere."""

    frame: bytes
    split_at: int = 0


class Whole(Struct, frozen=True, kw_only=True):
    """An answer in one piece."""

    status: int
    headers: Headers
    body: bytes
    fault: Fault = NO_ORDERS.fault
    usage: Usage = Usage()


class Stream(Struct, frozen=True, kw_only=True):
    """An answer in events."""

    headers: Headers
    events: Iterable[Event]
    write_error: Callable[[Fault], bytes]
    """Makes the error event that a fault asks for."""
    fault: Fault = NO_ORDERS.fault
    usage: Usage = Usage()


Reply = Whole | Stream


class World:
    """The memory of a running simulator that its answers depend on, beside the request."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.settings = settings
        self.seed = settings.seed
        self.run = ScriptRun(load_script(settings.script))
        self.memory: dict[str, Any] = {}
        """Kept per provider, under names of its own."""
        self.now_s: Callable[[], float] = time.monotonic
        """Says how much time has passed; no answer contains it."""
        self._seen: dict[str, int] = {}

    def reset(self) -> None:
        """Forget caches, threads and counts, and start the script anew."""
        self.use_script(self.run.script)
        self.memory.clear()
        self._seen.clear()

    def use_script(self, script: Script) -> None:
        """Replace the script; its rules count from zero."""
        self.run = ScriptRun(script)

    def raw_body(self, name: str) -> RawBody:
        """Return a raw body of the script. Raises :class:`DirectiveError` when there is none of that name."""
        try:
            return self.run.script.raw[name]
        except KeyError as error:
            raise DirectiveError(f"the script has no raw body {name!r}") from error

    def read_orders(self, request: Request, *, provider: str, model: str, text: str) -> Orders:
        """Collect what script, header and text order; the text wins over the header, the header over the script."""
        pairs: dict[str, Any] = {}
        if self.run.script.rules:
            pairs.update(self.run.find(path=request.path, headers=request.headers, model=model, text=text))
        header = request.headers.get("x-simulator")
        for group in ([parse_pairs(header)] if header else []) + split_directives(text)[1]:
            when, rest = read_when(group)
            if when.on not in ("", provider) or when.model not in model:
                continue
            if when.times is None or self._count(when.key or f"{provider}\n{text}") <= when.times:
                pairs.update(rest)
        return read_orders(pairs)

    def _count(self, key: str) -> int:
        self._seen[key] = self._seen.get(key, 0) + 1
        return self._seen[key]


class Provider(Protocol):
    """One fake."""

    name: str

    def is_for(self, request: Request) -> bool:
        """Whether a request without a provider prefix is meant for this fake."""
        ...

    def plan_body(self, request: Request, world: World) -> BodyPlan:
        """Say how the body is to be received; the request has none yet."""
        ...

    def answer(self, request: Request, world: World) -> Reply:
        """Return the reply; every fault of the request is a reply too."""
        ...

    def refuse_size(self, request: Request) -> Whole:
        """Return the reply to a body that is too large to be looked at."""
        ...
