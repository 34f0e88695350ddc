"""What the typed reading complains about, for people: the field's path, what is wrong, what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec import inspect

_AT = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
    "datetime": "a time",
    "decimal": "a number",
    "NoneType": "null",
    "dict": "an object",
    "list": "a list",
    "tuple": "a list",
    "bytes": "text",
}
_STEP = re.compile(r"\[\d*\.*\]|[^.\[]+")


class Complaint(NamedTuple):
    """One thing that is wrong."""

    path: str
    """Such as ``limits[0].value``; empty for the whole."""
    what: str
    is_missing: bool
    """Whether a field is not there that must be."""


def complaint_of(error: msgspec.ValidationError, kind: type) -> Complaint:
    """Return what is wrong with a value that should have been of this type."""
    text = str(error)
    found = _AT.search(text)
    path = found[1] if found else ""
    what = text[: found.start()] if found else text
    for pattern, write in _SENTENCES:
        match = pattern.fullmatch(what)
        if match is None:
            continue
        if pattern is _MISSING:
            path = f"{path}.{match[1]}".lstrip(".")
        return Complaint(path, write(match) if pattern is not _ENUM else _one_of(kind, path), pattern is _MISSING)
    return Complaint(path, what[:1].lower() + what[1:], is_missing=False)


def _named(types: str) -> str:
    """Return ``int | null`` in words."""
    names = [name.strip() for name in types.split("|")]
    return " or ".join(dict.fromkeys(_WORDS.get(name, name) for name in names))


def _bound(match: re.Match[str]) -> str:
    kind, sign, limit = match[1], match[2], match[3].removesuffix(".0")
    least = sign.startswith(">")
    if kind == "str":
        return f"must have at {'least' if least else 'most'} {limit} characters"
    if kind in ("array", "object"):
        return f"must have at {'least' if least else 'most'} {limit} entries"
    words = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
    return f"must be {words[sign]} {limit}"


_PATTERNS = {
    r"^[^@\s]+@[^@\s]+$": "must be an address such as ann@example.org",
    r"^[a-zA-Z0-9_-]+$": "may hold letters of ASCII, digits, '_' and '-' only",
    r"^[0-9a-f]{64}$": "must be a SHA-256 in hex: 64 of the digits 0-9 and a-f",
    r"^(env|file):.+$": "must be env:NAME or file:PATH; a secret itself has no place here",
}


def _patterned(shown: str) -> str:
    """Say what a text must be like; ``shown`` is a pattern as msgspec prints it."""
    pattern = shown.replace("\\\\", "\\")
    return _PATTERNS.get(pattern, f"must match the pattern {pattern}")


_MISSING = re.compile(r"Object missing required field `(.*)`")
_ENUM = re.compile(r"Invalid enum value .*", re.DOTALL)
_SENTENCES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"Expected `(.*)`, got `(.*)`"), lambda m: f"expected {_named(m[1])}, got {_named(m[2])}"),
    (re.compile(r"Expected `(\w+)` (?:of length )?(>=|<=|>|<) (.*)"), _bound),
    (re.compile(r"Expected `str` matching regex '(.*)'"), lambda m: _patterned(m[1])),
    (_MISSING, lambda m: "is missing; it is required"),
    (_ENUM, lambda m: ""),
    (re.compile(r"Invalid decimal string"), lambda m: "must be a number"),
    (re.compile(r"Invalid RFC3339 encoded datetime"), lambda m: "must be a time such as 2026-08-21T09:30:00Z"),
    (re.compile(r"Timestamp is out of range *"), lambda m: "must be a time from year 1 to 9999"),
)


def _one_of(kind: type, path: str) -> str:
    """Return which values a field takes, by walking the type along the path."""
    info: inspect.Type | None = inspect.type_info(kind)
    for step in _STEP.findall(path):
        info = _step_into(info, step)
    values = [
        str(value) for member in _members(info) if isinstance(member, inspect.LiteralType) for value in member.values
    ]
    return f"must be one of {', '.join(values)}" if values else "is none of the values that it may have"


def _step_into(info: inspect.Type | None, step: str) -> inspect.Type | None:
    for member in _members(info):
        if step.startswith("["):
            if isinstance(member, inspect.CollectionType):
                return member.item_type
            if isinstance(member, inspect.DictType):
                return member.value_type
        elif isinstance(member, inspect.StructType):
            return next((field.type for field in member.fields if field.encode_name == step), None)
    return None


def _members(info: inspect.Type | None) -> tuple[inspect.Type, ...]:
    if info is None:
        return ()
    return info.types if isinstance(info, inspect.UnionType) else (info,)
