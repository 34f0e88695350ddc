"""Scripts: ordered rules that say which requests get which fault or answer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from lockgate.simulator.directives import DirectiveError, read_orders


class ScriptError(ValueError):
    """A script that cannot be read."""


class Match(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request must be like; everything that is given must hold."""

    path: str = ""
    """The path begins with this."""
    model: str = ""
    """The model's name contains this."""
    header: str = ""
    """``name`` (is there) or ``name: text`` (its value contains the text)."""
    text_contains: str = ""
    """The last user turn contains this."""
    nth: int | None = None
    """Only the n-th request that fits the rest, counted from 1."""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. The first that fits a request decides."""

    match: Match = Match()
    times: int | None = None
    """Fits at most so many requests; then the next rules are looked at."""
    fault: dict[str, Any] = {}
    answer: dict[str, Any] = {}


class RawBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer given word for word."""

    body: str = ""
    body_base64: str = ""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = {}

    def data(self) -> bytes:
        """Return the bytes to send."""
        return base64.b64decode(self.body_base64) if self.body_base64 else self.body.encode()


class Script(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A script file."""

    rules: tuple[Rule, ...] = ()
    raw: dict[str, RawBody] = {}
    """Bodies that an answer may name with ``raw``."""


def read_script(data: bytes, *, is_toml: bool = False) -> Script:
    """Read a script from JSON or TOML. Raises :class:`ScriptError`, also for an order that means nothing."""
    try:
        script = msgspec.toml.decode(data, type=Script) if is_toml else msgspec.json.decode(data, type=Script)
        for rule in script.rules:
            read_orders({**rule.fault, **rule.answer})
    except (msgspec.DecodeError, DirectiveError) as error:
        raise ScriptError(str(error)) from error
    return script


def load_script(source: str | Path | Script | None) -> Script:
    """Return a script as given, or read it from a ``.json`` or ``.toml`` file."""
    if source is None:
        return Script()
    if isinstance(source, Script):
        return source
    path = Path(source)
    return read_script(path.read_bytes(), is_toml=path.suffix == ".toml")


class ScriptRun:
    """A script and how often its rules were used."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._fits = [0] * len(script.rules)
        self._uses = [0] * len(script.rules)

    def find(self, *, path: str, headers: Mapping[str, str], model: str, text: str) -> dict[str, Any]:
        """Return the orders of the first rule that fits, and count that it was used."""
        for index, rule in enumerate(self.script.rules):
            if not _is_match(rule.match, path, headers, model, text):
                continue
            self._fits[index] += 1
            if rule.match.nth is not None and rule.match.nth != self._fits[index]:
                continue
            if rule.times is not None and self._uses[index] >= rule.times:
                continue
            self._uses[index] += 1
            return {**rule.fault, **rule.answer}
        return {}


def _is_match(match: Match, path: str, headers: Mapping[str, str], model: str, text: str) -> bool:
    if match.header:
        name, _, wanted = match.header.partition(":")
        value = headers.get(name.strip().lower())
        if value is None or wanted.strip() not in value:
            return False
    return path.startswith(match.path) and match.model in model and match.text_contains in text
