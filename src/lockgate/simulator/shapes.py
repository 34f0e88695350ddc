"""A small language for the shape of a JSON request, and the checks made from it.

The tables of each provider are written in this language; how a fault is worded is the provider's business, so a
:class:`ShapeError` carries the kind of fault and its facts, not a sentence. Only shape belongs here: which keys, which
types, which bounds. Rules that look at two places at once are code, in each provider's rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct


class Tag(str):
    """A step of a path that names the variant of a tagged object; it is no key of the input."""

    __slots__ = ()


class ShapeError(Exception):
    """The input does not have the shape; ``path`` says where, from the outside in."""

    def __init__(self, kind: str, *steps: str | int, **facts: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.path: list[str | int] = list(steps)
        self.facts = facts


class Scope(Struct, frozen=True, kw_only=True):
    """What decides which fields exist for this request."""

    betas: frozenset[str] = frozenset()
    version: str = ""


Check = Callable[[Any, Scope], None]


class Field(NamedTuple):
    """One key of an object."""

    check: Check
    is_required: bool = False
    betas: tuple[str, ...] = ()
    """The key exists only when the request names one of these; empty: always."""
    until: str = ""
    """The key is gone from this API version on; empty: never."""


def req(check: Check) -> Field:
    """A key that must be there."""
    return Field(check, True)


def opt(check: Check, *betas: str, until: str = "") -> Field:
    """A key that may be there; with betas, only when one of them was asked for."""
    return Field(check, False, betas, until)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def anything(value: Any, scope: Scope) -> None:
    """Any JSON at all."""


def string(*, min_length: int = 0, max_length: int | None = None, pattern: str = "", words: str = "") -> Check:
    """A text within bounds; ``words`` replaces the standard wording for a pattern."""
    regex = re.compile(pattern) if pattern else None

    def check(value: Any, scope: Scope) -> None:
        if not isinstance(value, str):
            raise ShapeError("type", expected="string", value=value)
        if len(value) < min_length:
            raise ShapeError("too_short", least=min_length, value=value)
        if max_length is not None and len(value) > max_length:
            raise ShapeError("too_long", most=max_length, value=value)
        if regex is not None and regex.fullmatch(value) is None:
            raise ShapeError("pattern", pattern=pattern, words=words, value=value)

    return check


def boolean(value: Any, scope: Scope) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise ShapeError("type", expected="boolean", value=value)


def _check_bounds(value: float, least: float | None, most: float | None, expected: str) -> None:
    if least is not None and value < least:
        raise ShapeError("below", least=least, value=value, expected=expected)
    if most is not None and value > most:
        raise ShapeError("above", most=most, value=value, expected=expected)


def integer(*, least: int | None = None, most: int | None = None) -> Check:
    """A whole number; 3.0 counts as one, as it does at the providers."""

    def check(value: Any, scope: Scope) -> None:
        if not _is_number(value) or value != value // 1:
            raise ShapeError("type", expected="integer", value=value)
        _check_bounds(value, least, most, "integer")

    return check


def number(*, least: float | None = None, most: float | None = None) -> Check:
    """Any number."""

    def check(value: Any, scope: Scope) -> None:
        if not _is_number(value):
            raise ShapeError("type", expected="number", value=value)
        _check_bounds(value, least, most, "number")

    return check


def one_of(*choices: str, gated: Mapping[str, tuple[str, ...]] | None = None) -> Check:
    """One of a few texts; a gated one exists only when the request names one of its betas."""
    behind = dict(gated or {})

    def check(value: Any, scope: Scope) -> None:
        if isinstance(value, str) and value in choices:
            return
        opened = tuple(choice for choice, betas in behind.items() if not scope.betas.isdisjoint(betas))
        if value not in opened:
            raise ShapeError("choice", choices=choices + opened, value=value)

    return check


def nullable(inner: Check) -> Check:
    """The same, or null."""

    def check(value: Any, scope: Scope) -> None:
        if value is not None:
            inner(value, scope)

    return check


def list_of(inner: Check, *, least: int = 0, most: int | None = None) -> Check:
    """A list whose members all have one shape."""

    def check(value: Any, scope: Scope) -> None:
        if not isinstance(value, list):
            raise ShapeError("type", expected="list", value=value)
        if len(value) < least:
            raise ShapeError("too_few", least=least, value=value)
        if most is not None and len(value) > most:
            raise ShapeError("too_many", most=most, value=value)
        for index, item in enumerate(value):
            try:
                inner(item, scope)
            except ShapeError as error:
                error.path.insert(0, index)
                raise

    return check


def mapping_of(inner: Check = anything, *, most: int | None = None) -> Check:
    """An object with any keys whose values all have one shape."""

    def check(value: Any, scope: Scope) -> None:
        if not isinstance(value, dict):
            raise ShapeError("type", expected="mapping", value=value)
        if most is not None and len(value) > most:
            raise ShapeError("too_many", most=most, value=value)
        for key, item in value.items():
            try:
                inner(item, scope)
            except ShapeError as error:
                error.path.insert(0, key)
                raise

    return check


def text_or(inner: Check) -> Check:
    """A text, or what the inner check says."""

    def check(value: Any, scope: Scope) -> None:
        if not isinstance(value, str):
            inner(value, scope)

    return check


def by_type(*, text: Check | None = None, items: Check | None = None, keys: Check | None = None) -> Check:
    """Chooses the shape by the JSON type of the value: text, list or object."""
    checks = {kind: check for kind, check in ((str, text), (list, items), (dict, keys)) if check is not None}
    expected = " or ".join(name for name, check in (("string", text), ("list", items), ("object", keys)) if check)

    def check(value: Any, scope: Scope) -> None:
        inner = checks.get(type(value))
        if inner is None:
            raise ShapeError("type", expected=expected, value=value)
        inner(value, scope)

    return check


class Shape:
    """An object with known keys. Callable like every other check."""

    __slots__ = ("fields", "required", "source")

    def __init__(self, source: str, fields: Mapping[str, Field]) -> None:
        self.source = source
        """The name of this object in the provider's SDK, to compare with; empty: ours."""
        self.fields = dict(fields)
        self.required = tuple(name for name, field in self.fields.items() if field.is_required)

    def __call__(self, value: Any, scope: Scope) -> None:
        if not isinstance(value, dict):
            raise ShapeError("type", expected="object", value=value)
        for name in self.required:
            if name not in value:
                raise ShapeError("missing", name)
        for name, item in value.items():
            field = self.fields.get(name)
            if field is None or not _exists(field, scope):
                raise ShapeError("extra", name)
            try:
                field.check(item, scope)
            except ShapeError as error:
                error.path.insert(0, name)
                raise


def _exists(field: Field, scope: Scope) -> bool:
    if field.betas and scope.betas.isdisjoint(field.betas):
        return False
    return not (field.until and scope.version >= field.until)


class Variant(NamedTuple):
    """One alternative of a tagged object."""

    shape: Shape
    betas: tuple[str, ...] = ()


class Tagged:
    """An object whose ``key`` says which of several shapes it has. Callable like every other check."""

    __slots__ = ("default", "is_named", "key", "variants")

    def __init__(
        self,
        variants: Mapping[str, Shape | Variant],
        *,
        key: str = "type",
        default: str | None = None,
        is_named: bool = True,
    ) -> None:
        self.variants = {
            tag: variant if isinstance(variant, Variant) else Variant(variant) for tag, variant in variants.items()
        }
        self.key = key
        self.default = default
        """The variant of an object that does not say."""
        self.is_named = is_named
        """Whether the variant's name is a step of the path."""

    def __call__(self, value: Any, scope: Scope) -> None:
        if not isinstance(value, dict):
            raise ShapeError("type", expected="object", value=value)
        tag = value.get(self.key)
        tag = self.default if tag is None else tag
        if tag is None:
            raise ShapeError("missing", self.key)
        variant = self.variants.get(tag) if isinstance(tag, str) else None
        if variant is None or (variant.betas and scope.betas.isdisjoint(variant.betas)):
            raise ShapeError("tag", key=self.key, value=tag, choices=self._choices(scope))
        try:
            variant.shape(value, scope)
        except ShapeError as error:
            if self.is_named:
                error.path.insert(0, Tag(tag))
            raise

    def _choices(self, scope: Scope) -> tuple[str, ...]:
        return tuple(
            tag
            for tag, variant in self.variants.items()
            if not variant.betas or not scope.betas.isdisjoint(variant.betas)
        )
