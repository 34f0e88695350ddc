"""What the translator must know about a model. The rows are data: ``models.toml`` beside this file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

ThinkingType: TypeAlias = Literal["enabled", "adaptive", "disabled", "between_tools"]
Sampling: TypeAlias = Literal["any", "one", "none"]

MAX_CACHED_NAMES = 4096
"""Clients choose the names, so the memory for answers has an end."""

_NEWEST = "newest-claude"
_GENERIC = "generic"
# One mark at a time from the end: [1m], @20250514, -20250514, -v1 or -v1:0 or -v1:0:200k, -latest.
_SUFFIX = re.compile(r"(\[[^\]]*\]|@[^@]*|-\d{8}|-\d{4}-\d{2}-\d{2}|-v\d+(:[\w.]+)*|-latest)$")


class ModelFacts(Struct, frozen=True, kw_only=True):
    """One row of the model table: what a family of models accepts."""

    family: str
    max_output: int
    thinking: tuple[ThinkingType, ...] = ()
    """Which ``thinking.type`` values the model accepts; empty: it does not think."""
    effort: tuple[str, ...] = ()
    """Which effort levels the model accepts, lowest first; empty: it refuses the field."""
    sampling: Sampling = "any"
    """temperature and top_p: both, not both at once, or refused."""
    has_prefill: bool = True
    has_forced_tools: bool = True
    has_output_format: bool = True
    is_fast_capable: bool = False
    has_system_turns: bool = False
    """Whether a system message may stand among the turns."""
    binds_thinking: bool = False
    """Whether it refuses thinking that another model made, or that stood behind other messages."""
    betas: dict[str, str] = {}
    """Beta flags that a feature still needs on this model, by feature: ``effort``, ``fast``."""


class FactRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row as somebody writes it: the ids it covers, and what differs from the row it is ``like``."""

    family: str
    names: tuple[str, ...]
    """Ids without platform prefixes, dates and versions; a trailing ``*`` covers every longer id."""
    source: str = ""
    read_on: date | None = None
    like: str | None = None
    """The family whose facts it takes over; it must be known already."""
    max_output: int | UnsetType = UNSET
    thinking: tuple[ThinkingType, ...] | UnsetType = UNSET
    effort: tuple[str, ...] | UnsetType = UNSET
    sampling: Sampling | UnsetType = UNSET
    has_prefill: bool | UnsetType = UNSET
    has_forced_tools: bool | UnsetType = UNSET
    has_output_format: bool | UnsetType = UNSET
    is_fast_capable: bool | UnsetType = UNSET
    has_system_turns: bool | UnsetType = UNSET
    binds_thinking: bool | UnsetType = UNSET
    betas: dict[str, str] | UnsetType = UNSET


class FactsFile(Struct, frozen=True, forbid_unknown_fields=True):
    """``models.toml``. ``prefixes`` are what platforms put in front of a model's id."""

    prefixes: tuple[str, ...]
    rows: tuple[FactRow, ...]


class FactTable:
    """Looks models up by name. A later row wins over an earlier one of the same name."""

    def __init__(self, prefixes: Sequence[str], rows: Sequence[FactRow]) -> None:
        self._prefixes = tuple(prefixes)
        self._families: dict[str, ModelFacts] = {}
        self._exact: dict[str, ModelFacts] = {}
        self._open: dict[str, ModelFacts] = {}
        self._found: dict[str, ModelFacts] = {}
        for row in rows:
            self._add(row)

    def find(self, model: str) -> ModelFacts:
        """Return the row for a model's name at its provider.

        An unknown id of Claude's gets the newest row, any other id the generic one.
        """
        facts = self._found.get(model)
        if facts is None:
            facts = self._look_up(model)
            if len(self._found) >= MAX_CACHED_NAMES:
                self._found.clear()
            self._found[model] = facts
        return facts

    def plain(self, model: str) -> str:
        """Return a model's id without what platforms put around it: paths, prefixes, dates, versions."""
        name = model.rpartition("/")[2].lower()
        while prefix := next((prefix for prefix in self._prefixes if name.startswith(prefix)), None):
            name = name[len(prefix) :]
        while (shorter := _SUFFIX.sub("", name)) != name and shorter:
            name = shorter
        return name.replace(".", "-") if name.startswith("claude") else name

    @property
    def families(self) -> Mapping[str, ModelFacts]:
        """The facts of every row by its family."""
        return self._families

    def _add(self, row: FactRow) -> None:
        facts = _complete(row, self._families)
        self._families[row.family] = facts
        for name in row.names:
            if name.endswith("*"):
                self._open[name[:-1]] = facts
            else:
                self._exact[name] = facts

    def _look_up(self, model: str) -> ModelFacts:
        if model in self._exact:
            return self._exact[model]
        name = self.plain(model)
        known = self._exact.get(name)
        if known is not None:
            return known
        longest = max((start for start in self._open if name.startswith(start)), key=len, default=None)
        if longest is not None:
            return self._open[longest]
        return self._families[_NEWEST if name.startswith("claude") else _GENERIC]


def _complete(row: FactRow, families: dict[str, ModelFacts]) -> ModelFacts:
    """Return a row's facts. Raises ValueError when it is like an unknown row, or lacks its limit."""
    given = {
        name: value
        for name in ModelFacts.__struct_fields__
        if name != "family" and (value := getattr(row, name)) is not UNSET
    }
    if row.like is None:
        if "max_output" not in given:
            raise ValueError(f"row {row.family!r} of the model table lacks max_output")
        return ModelFacts(family=row.family, **given)
    base = families.get(row.like)
    if base is None:
        raise ValueError(f"row {row.family!r} of the model table is like {row.like!r}, which is not known")
    return structs.replace(base, family=row.family, **given)


@cache
def _packaged() -> FactsFile:
    text = files("lockgate.catalog").joinpath("models.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), FactsFile)


def load_facts(extra: Sequence[FactRow] = ()) -> FactTable:
    """Return the packaged table with an operator's rows on top of it. Raises ValueError for a row that cannot stand."""
    packaged = _packaged()
    return FactTable(packaged.prefixes, (*packaged.rows, *extra))


@cache
def packaged_facts() -> FactTable:
    """Return the packaged table as it is."""
    return load_facts()


def packaged_rows() -> tuple[FactRow, ...]:
    """Return the packaged rows as they were written, in their order."""
    return _packaged().rows


def find_facts(model: str) -> ModelFacts:
    """Return the packaged row for a model's name at its provider, as ``FactTable.find`` does."""
    return packaged_facts().find(model)
