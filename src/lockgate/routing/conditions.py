"""Queries over a request: compiled once, with everything that is wrong with them known then.

A query that is malformed is false as a whole, and says why when it is compiled. A key that the request does not have
makes a comparison false, whatever the operator; so does a value that is a list or an object.
Source: gateway protocol specification, section 4.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct

from lockgate.routing.pattern import Pattern
from lockgate.routing.scene import Scene

MAX_DEPTH, MAX_PARTS = 10, 200
"""How deep one query may nest, and how many comparisons it may hold."""

_T = TypeVar("_T")
Scalar: TypeAlias = str | int | float | bool | None

_PREFIX = re.compile(r"\s*([+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))", re.ASCII)
_VERSION = "/v1"
_LARGEST_PLAIN = 1e21


class MalformedQuery(ValueError):
    """A query that cannot be evaluated."""


class Test(Struct, frozen=True):
    """One operator with its operand; ``is_negative`` operators must hold for every form of a value."""

    check: Callable[[Scalar], bool]
    is_negative: bool = False


class Comparison(Struct, frozen=True):
    """All tests on the value of one key."""

    root: str
    key: str
    tests: tuple[Test, ...]


class Every(Struct, frozen=True):
    """A conjunction; without parts it is true."""

    parts: tuple[Query, ...]


class Some(Struct, frozen=True):
    """A disjunction; without parts it is false."""

    parts: tuple[Query, ...]


Query: TypeAlias = Comparison | Every | Some


# ---- evaluating


def holds(query: Query, scene: Scene) -> bool:
    """Tell whether a query is true of a request."""
    match query:
        case Every():
            return all(holds(part, scene) for part in query.parts)
        case Some():
            return any(holds(part, scene) for part in query.parts)
        case Comparison():
            forms = _forms(query.root, query.key, scene)
            return bool(forms) and all(_passes(test, forms) for test in query.tests)


def _passes(test: Test, forms: tuple[Scalar, ...]) -> bool:
    return all(map(test.check, forms)) if test.is_negative else any(map(test.check, forms))


def _forms(root: str, key: str, scene: Scene) -> tuple[Scalar, ...]:
    """Return the forms of a value: one, or for the path two, or none when it is missing or is no scalar."""
    if root == "url":
        path = scene.path
        return (path, path[len(_VERSION) :]) if path.startswith(f"{_VERSION}/") else (path,)
    if root == "metadata":
        text = scene.metadata.get(key)
        return () if text is None else (text,)
    raw = scene.params.get(key)
    if raw is None or bytes(raw).lstrip()[:1] in (b"[", b"{"):
        return ()
    try:
        return (_read_scalar.decode(raw),)
    except (ValueError, RecursionError):
        return ()


# ---- compiling


def compile_query(query: Mapping[str, Raw]) -> Query:
    """Compile. Raises MalformedQuery with what is wrong."""
    return _Compiler().group(query, 1)


class _Compiler:
    """Compiles one query and counts its parts."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def group(self, query: Mapping[str, Raw], depth: int) -> Query:
        """Compile an object: all its keys must hold."""
        if depth > MAX_DEPTH:
            raise MalformedQuery(f"the query nests deeper than {MAX_DEPTH} levels")
        parts = tuple(self._part(key, value, depth) for key, value in query.items())
        return parts[0] if len(parts) == 1 else Every(parts)

    def _part(self, key: str, value: Raw, depth: int) -> Query:
        self._left -= 1
        if self._left < 0:
            raise MalformedQuery(f"the query has more than {MAX_PARTS} parts")
        if key in ("$and", "$or"):
            inner = _read(_read_objects, value, f"{key}: expected a list of queries")
            parts = tuple(self.group(item, depth + 1) for item in inner)
            return Every(parts) if key == "$and" else Some(parts)
        if key.startswith("$"):
            raise MalformedQuery(f"{key} is no operator for queries; known: $and, $or")
        root, dot, name = key.partition(".")
        if not dot or "." in name or not name or root not in ("metadata", "params", "url"):
            raise MalformedQuery(f"{key}: expected metadata.NAME, params.NAME or url.pathname")
        if root == "url" and name != "pathname":
            raise MalformedQuery(f"{key}: the only part of the url is url.pathname")
        return Comparison(root, name, self._tests(key, value))

    def _tests(self, key: str, value: Raw) -> tuple[Test, ...]:
        if bytes(value).lstrip()[:1] != b"{":
            return (_equal(_scalar(value, key)),)
        operators = _read(_read_object, value, f"{key}: expected a value or operators")
        if not operators:
            raise MalformedQuery(f"{key}: expected a value or operators")
        return tuple(_test(name, operand, f"{key}.{name}") for name, operand in operators.items())


def _test(name: str, operand: Raw, where: str) -> Test:
    match name:
        case "$eq":
            return _equal(_scalar(operand, where))
        case "$ne":
            unwanted = _typed(_scalar(operand, where))
            return Test(lambda value: _typed(value) != unwanted, is_negative=True)
        case "$in" | "$nin":
            members = _members(operand, where)
            if name == "$in":
                return Test(lambda value: _typed(value) in members)
            return Test(lambda value: _typed(value) not in members, is_negative=True)
        case "$regex":
            return _regex(operand, where)
        case "$gt" | "$gte" | "$lt" | "$lte":
            return _ordered(name, _number(_scalar(operand, where)), where)
        case _:
            known = "$eq, $ne, $in, $nin, $regex, $gt, $gte, $lt, $lte"
            raise MalformedQuery(f"{where}: {name} is no operator; known: {known}")


def _equal(wanted: Scalar) -> Test:
    typed = _typed(wanted)
    return Test(lambda value: _typed(value) == typed)


def _regex(operand: Raw, where: str) -> Test:
    text = _scalar(operand, where)
    if not isinstance(text, str):
        raise MalformedQuery(f"{where}: expected a pattern as text")
    try:
        pattern = Pattern(text)
    except ValueError as error:
        raise MalformedQuery(f"{where}: {error}") from None

    def check(value: Scalar) -> bool:
        if isinstance(value, bool) or value is None:
            return False
        return pattern.found_in(value if isinstance(value, str) else number_text(value))

    return Test(check)


def _ordered(name: str, bound: float | None, where: str) -> Test:
    if bound is None:
        raise MalformedQuery(f"{where}: expected a number")
    limit = bound

    def check(value: Scalar) -> bool:
        number = _number(value)
        if number is None:
            return False
        match name:
            case "$gt":
                return number > limit
            case "$gte":
                return number >= limit
            case "$lt":
                return number < limit
            case _:
                return number <= limit

    return Test(check)


def _members(operand: Raw, where: str) -> frozenset[tuple[str, Scalar]]:
    items = _read(_read_list, operand, f"{where}: expected a list")
    return frozenset(_typed(_scalar(item, where)) for item in items)


def _typed(value: Scalar) -> tuple[str, Scalar]:
    """Return a value with its JSON type, so that 1, true and "1" differ while 1 and 1.0 are the same."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, str):
        return "string", value
    return ("null", None) if value is None else ("number", value)


def _number(value: Scalar) -> float | None:
    """Read a number as JavaScript's parseFloat does: what a text begins with. None for what is none."""
    if isinstance(value, bool) or value is None:
        return None
    found = _PREFIX.match(str(value))
    return float(found[1]) if found else None


def number_text(value: float) -> str:
    """Write a number as JavaScript does."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < _LARGEST_PLAIN):
        return str(int(value))
    return repr(value)


def _scalar(raw: Raw, where: str) -> Scalar:
    return _read(_read_scalar, raw, f"{where}: expected text, a number, true, false or null")


def _read(decoder: msgspec.json.Decoder[_T], raw: Raw, complaint: str) -> _T:
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError):
        raise MalformedQuery(complaint) from None


_read_scalar: msgspec.json.Decoder[Scalar] = msgspec.json.Decoder(str | int | float | bool | None)
_read_list = msgspec.json.Decoder(list[Raw])
_read_object = msgspec.json.Decoder(dict[str, Raw])
_read_objects = msgspec.json.Decoder(list[dict[str, Raw]])
