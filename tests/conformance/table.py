"""What a row of the conformance matrix says: a thing that one can send or receive, and what becomes of it on each route.

Belongs here: the shape of rows and the words for their expectations. The rows themselves are in ``rows`` and the
modules that it collects; how a cell is run is in ``stage``.
"""

from __future__ import annotations

import re

from msgspec import Struct

SECTIONS = {
    "field": "Request fields",
    "variant": "Variants of request fields",
    "block": "Content blocks of requests",
    "part": "Messages and parts of chat completions",
    "tool": "Tool types",
    "reply": "Fields of answers",
    "answer": "Content blocks of answers",
    "event": "Stream events and deltas",
    "stop": "Stop reasons",
    "beta": "Beta flags",
}
"""Every part of the matrix, by the word that test ids begin with."""

ROUTES = {
    "chat_strict": "chat, strict",
    "chat_non_strict": "chat, non-strict",
    "messages": "messages",
    "adapter": "adapter",
}
MODES = ("whole", "streamed")

VERDICTS = {
    "carried": "arrives as it was",
    "translated": "arrives in other words",
    "used": "obeyed by the gateway itself, or meant for another API",
    "dropped": "left out, and named in `x-lockgate-dropped` or `x-lockgate-adjusted` and in the record",
    "hidden": "left out of an answer whose format has no field for it",
    "refused": "refused with its path, before anything is sent",
    "none": "no such thing on this route",
}

GONE = "<nothing there>"
"""As an expected value: the path leads nowhere."""


class Expect(Struct, frozen=True, kw_only=True):
    """What becomes of a row on one route.

    ``sent`` and ``got`` are values by their path in the upstream's request and in the client's answer (a streamed one
    put together again); ``holds`` and ``shows`` are values that must occur unchanged anywhere in them.
    """

    verdict: str
    """One of ``VERDICTS``."""
    note: str = ""
    sent: dict[str, object] = {}
    holds: tuple[object, ...] = ()
    headers: dict[str, str] = {}
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    refused: str | None = None
    code: str | None = None
    got: dict[str, object] = {}
    shows: tuple[object, ...] = ()
    hides: tuple[object, ...] = ()
    events: tuple[str, ...] = ()
    """Texts that the client's stream holds."""
    gap: str | None = None
    """Why the gateway does not do so yet."""


class Row(Struct, frozen=True, kw_only=True):
    """One item of the matrix with its samples.

    ``messages`` and ``chat`` are members of the request in each dialect; ``anthropic`` and ``openai`` are members of
    the provider's answer in each.
    """

    section: str
    name: str
    cells: dict[str, Expect]
    messages: dict[str, object] = {}
    chat: dict[str, object] = {}
    headers: dict[str, str] = {}
    anthropic: dict[str, object] = {}
    openai: dict[str, object] = {}
    events: tuple[dict[str, object], ...] = ()
    """Events of the provider's stream in place of those that its answer would make."""
    model: str = "claude-sonnet-4-6"
    target: str = "gpt-4.1"
    modes: tuple[str, ...] = MODES

    def cell(self, route: str, mode: str) -> Expect:
        """Return what is expected of a cell; what stands for a mode alone goes before."""
        found = self.cells.get(f"{route}/{mode}") or self.cells[route]
        return found if mode in self.modes else none("only in a stream")

    def cell_id(self, route: str, mode: str) -> str:
        """Return the name of the cell's test."""
        return f"{self.section}-{re.sub(r'[^A-Za-z0-9_.]+', '_', self.name).strip('_')}-{route}-{mode}"


def carried(note: str = "", **more) -> Expect:
    """It arrives as it was."""
    return Expect(verdict="carried", note=note, **more)


def translated(note: str = "", **more) -> Expect:
    """Its meaning arrives in other words."""
    return Expect(verdict="translated", note=note, **more)


def dropped(*names: str, note: str = "", **more) -> Expect:
    """It is left out, and the answer's headers and the record name it."""
    return Expect(verdict="dropped", note=note, dropped=names, **more)


def refused(path: str, **more) -> Expect:
    """The call is refused with this path before anything is sent."""
    return Expect(verdict="refused", note=f"`{path}`", refused=path, **more)


def used(note: str, **more) -> Expect:
    """The gateway itself obeys it; there is nothing to hand on."""
    return Expect(verdict="used", note=note, **more)


def none(note: str) -> Expect:
    """There is no such thing on this route, and so no test."""
    return Expect(verdict="none", note=note)


def hidden(**more) -> Expect:
    """The client's format has no field for it."""
    return Expect(verdict="hidden", note="OpenAI has no field for it", **more)


def gap(expect: Expect, reason: str) -> Expect:
    """It should be so and is not yet."""
    return Expect(**{name: getattr(expect, name) for name in Expect.__struct_fields__ if name != "gap"}, gap=reason)


def on(chat=None, messages=None, adapter=None, *, strict=None, non_strict=None, **single) -> dict[str, Expect]:
    """Return the cells of a row; both chat routes are alike unless said otherwise.

    Further names are ``route__mode``, for a mode that differs.
    """
    cells = {
        "chat_strict": strict or chat,
        "chat_non_strict": non_strict or chat,
        "messages": messages or carried(),
        "adapter": adapter,
        **{name.replace("__", "/"): expect for name, expect in single.items()},
    }
    return {name: expect for name, expect in cells.items() if expect is not None}
