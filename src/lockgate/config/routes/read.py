"""From the JSON text of a config to its Structs, with every fault and its path, not only the first.

Keys may be written in snake_case or camelCase. Inside values that belong to the request's body, to a query or to
metadata nothing is renamed. In a request unknown keys are ignored with a warning; to be saved, a config must have none.
Source: gateway protocol specification, sections 3.2 and 3.3.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal, TypeAlias, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Raw, Struct

from lockgate.config.routes.nodes import CLOUD_KEYS, Node
from lockgate.config.routes.rules import ConfigRules, check_rules
from lockgate.core.body import check_depth
from lockgate.core.json_text import NULL, bad_utf8, object_decoder, text_of
from lockgate.core.secret import Secret
from lockgate.errors import Fault, InvalidConfig, InvalidRequest

_S = TypeVar("_S", bound=Struct)
_CLOUD = re.compile(CLOUD_KEYS)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_FAULT = re.compile(r"^(?P<what>.*?)(?: - at `\$?(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\[([^\]]*)\]")
_NUMBER = re.compile(rb'"([0-9]{1,9})"')
_Range: TypeAlias = tuple[float | None, float | None]
_SPELLINGS = {"strict_openai_compliance": "strict_open_ai_compliance"}


class Config(Struct, frozen=True, kw_only=True):
    """A config that keeps all rules, and what is worth a warning."""

    root: Node
    warnings: tuple[Fault, ...] = ()


def read_config(text: bytes, rules: ConfigRules) -> Config:
    """Read a config. Raises InvalidConfig with all its faults."""
    if len(text) > rules.size_bytes:
        raise InvalidConfig([Fault("", f"the config is longer than {rules.size_bytes} bytes")])
    reader = _Reader(rules)
    root = reader.read(Raw(_checked(text)), Node, "")
    if root is not None:
        faults, warnings = check_rules(root, rules, reader.unread)
        reader.faults += faults
        reader.warnings += warnings
    if reader.faults or root is None:
        raise InvalidConfig(reader.faults)
    return Config(root=root, warnings=tuple(reader.warnings))


def _checked(text: bytes) -> bytes:
    """Return the text if it is JSON that a reader of any depth can take. Raises InvalidConfig."""
    try:
        msgspec.json.decode(text, type=Raw)
        text.decode()
        check_depth(text)
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise InvalidConfig([Fault("", f"invalid config JSON: {reason}")]) from None
    except UnicodeDecodeError:
        raise InvalidConfig([Fault("", f"invalid config JSON: {bad_utf8(text).message}")]) from None
    except (RecursionError, InvalidRequest):
        raise InvalidConfig([Fault("", "invalid config JSON: it nests too deep")]) from None
    return text


class _Field(Struct, frozen=True):
    """How the value of one key is read: as a Struct, as a list of Structs, or by a decoder."""

    struct: type[Struct] | None = None
    items: type[Struct] | None = None
    fewest: int = 0
    read: msgspec.json.Decoder[object] | None = None
    clamp: _Range | None = None
    """The range into which a number is brought in a request."""
    used_within: _Range | None = None
    """The same for saved configs too."""
    has_numbers: bool = False
    is_whole: bool = False


class _Reader:
    """Walks through the JSON and collects what it finds wrong."""

    def __init__(self, rules: ConfigRules) -> None:
        self._rules = rules
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self.unread: set[str] = set()
        """The paths of nodes and keys that could not be read, and of all that they stand in."""

    def read(self, raw: Raw, kind: type[_S], path: str) -> _S | None:
        """Read an object as a Struct. Returns None when it is at fault; a node is then what could be read of it."""
        members = self._members(raw, kind, path)
        if members is None:
            return None
        before = len(self.faults)
        values: dict[str, object] = {}
        cloud: dict[str, Secret] = {}
        for key, value in members.items():
            self._read_member(kind, key, value, path, values, cloud)
        for name in _required(kind):
            if name not in values and len(self.faults) == before:
                self._fault(_join(path, name), "this field is required")
        if len(self.faults) > before and kind is not Node:
            return None
        if cloud:
            values["cloud"] = cloud
        return kind(**values)

    def _members(self, raw: Raw, kind: type[Struct], path: str) -> dict[str, Raw] | None:
        shorthand: str | None = getattr(kind, "SHORTHAND", None)
        if shorthand is not None and text_of(raw) is not None:
            return {shorthand: raw}
        try:
            return object_decoder.decode(raw)
        except msgspec.MsgspecError as error:
            self._fault(path, _plain(error)[1])
            return None

    def _read_member(
        self, kind: type[Struct], key: str, value: Raw, path: str, values: dict[str, object], cloud: dict[str, Secret]
    ) -> None:
        name = snake_case(key)
        here = _join(path, key)
        field = _fields(kind).get(name)
        if field is None:
            if kind is Node and _CLOUD.match(name):
                cloud[name] = _secret(value)
            else:
                self._unknown(here, name, kind)
            return
        if name in values:
            self._fault(here, f"{name} is given twice, in two spellings")
            return
        if value == NULL and not self._rules.is_saved:
            return
        found = self._value(field, value, here)
        if found is not None:
            values[name] = found

    def _value(self, field: _Field, value: Raw, path: str) -> object | None:
        if field.struct is not None:
            return self.read(value, field.struct, path)
        if field.items is not None:
            return self._list(field.items, field.fewest, value, path)
        assert field.read is not None
        if field.has_numbers:
            value = Raw(_NUMBER.sub(rb"\1", bytes(value)))
        if field.clamp is not None and not self._rules.is_saved:
            value = self._clamped(field.clamp, value, path, is_whole=field.is_whole)
        if field.used_within is not None:
            value = self._clamped(field.used_within, value, path, is_whole=field.is_whole)
        try:
            return field.read.decode(value)
        except msgspec.MsgspecError as error:
            inner, what = _plain(error)
            if what.startswith("invalid enum value"):
                what += f"; it is one of {', '.join(sorted(_choices(field.read.type)))}"
            self._fault(_join(path, inner), what)
            return None

    def _list(self, kind: type[Struct], fewest: int, value: Raw, path: str) -> tuple[Struct, ...] | None:
        try:
            items = _read_list.decode(value)
        except msgspec.MsgspecError as error:
            self._fault(path, _plain(error)[1])
            return None
        if len(items) < fewest:
            self._fault(path, f"expected a list of at least {fewest}")
        if kind is Node and len(items) > self._rules.most_targets:
            self._fault(path, f"more than {self._rules.most_targets} targets")
            return None
        found = [self.read(item, kind, _join(path, str(at))) for at, item in enumerate(items)]
        # what is no node keeps its place, so that those behind it keep their numbers
        return tuple(Node() if item is None else item for item in found if item is not None or kind is Node)

    def _clamped(self, limits: _Range, value: Raw, path: str, *, is_whole: bool) -> Raw:
        try:
            number = _read_number.decode(value)
        except msgspec.MsgspecError:
            return value
        if is_whole and number % 1:  # is no such number at all, which its decoder says
            return value
        low, high = limits
        bounded = number if low is None else max(number, low)
        bounded = bounded if high is None else min(bounded, high)
        if bounded == number:
            return value
        self.warnings.append(Fault(path, f"{number} is out of range, {bounded} is used"))
        return Raw(msgspec.json.encode(bounded))

    def _unknown(self, path: str, name: str, kind: type[Struct]) -> None:
        if name == "options" and kind is Node:
            self._fault(path, "configs with options are no longer read: rename options to targets")
            return
        near = difflib.get_close_matches(name, _fields(kind), n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(sorted(_fields(kind)))}"
        if self._rules.is_saved:
            self._fault(path, f"unknown key{hint}")
        else:
            self.warnings.append(Fault(path, f"unknown key, ignored{hint}"))

    def _fault(self, path: str, what: str) -> None:
        self.faults.append(Fault(path, what))
        steps = path.split(".")
        self.unread |= {".".join(steps[:count]) for count in range(len(steps) + 1)}


def snake_case(key: str) -> str:
    """Return a key in its canonical spelling."""
    name = _HUMP.sub("_", key).lower() if not key.islower() else key
    return _SPELLINGS.get(name, name)


@lru_cache(maxsize=32)
def _fields(kind: type[Struct]) -> Mapping[str, _Field]:
    """Return how each key of a Struct is read; ``cloud`` is no key."""
    hidden = "cloud" if kind is Node else ""
    return {field.name: _field(field.type) for field in msgspec.structs.fields(kind) if field.name != hidden}


@lru_cache(maxsize=32)
def _required(kind: type[Struct]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(kind) if field.required)


def _field(kind: object) -> _Field:
    plain = _without_none(kind)
    inner, metas = (get_args(plain)[0], get_args(plain)[1:]) if get_origin(plain) is Annotated else (plain, ())
    if isinstance(inner, type) and issubclass(inner, Struct):
        return _Field(struct=inner)
    item = get_args(inner)[0] if get_origin(inner) is tuple else None
    if isinstance(item, type) and issubclass(item, Struct):
        fewest = next((m.min_length for m in metas if isinstance(m, Meta) and m.min_length is not None), 0)
        return _Field(items=item, fewest=fewest)
    number = item if item is not None else plain
    base = get_args(number)[0] if get_origin(number) is Annotated else number
    marked = [(m, m.extra) for m in metas if isinstance(m, Meta) and m.extra]
    clamp = next(((m.ge, m.le) for m, extra in marked if extra.get("clamped")), None)
    used_within = next((extra["used_within"] for _, extra in marked if "used_within" in extra), None)
    reader: msgspec.json.Decoder[object] = msgspec.json.Decoder(plain, dec_hook=_as_secret)
    return _Field(
        read=reader, clamp=clamp, used_within=used_within, has_numbers=base in (int, float), is_whole=base is int
    )


def _without_none(kind: object) -> object:
    """Return the type of a value that is there: ``X`` for ``X | None``."""
    if get_origin(kind) is Annotated or type(None) not in get_args(kind):
        return kind
    rest = [part for part in get_args(kind) if part is not type(None)]
    found = rest[0]
    for part in rest[1:]:
        found = found | part
    return found


def _choices(kind: object) -> set[str]:
    """Return the words that a type takes."""
    if get_origin(kind) is Literal:
        return {repr(word).strip("'") for word in get_args(kind)}
    return {word for part in get_args(kind) for word in _choices(part)}


def _as_secret(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError("Expected `str`")


def _secret(value: Raw) -> Secret:
    text = text_of(value)
    return Secret(bytes(value).decode() if text is None else text)


def _plain(error: msgspec.MsgspecError) -> tuple[str, str]:
    """Split a decoder's complaint into the path below the value and what is wrong."""
    found = _FAULT.match(str(error))
    what, path = (found["what"], found["path"] or "") if found else (str(error), "")
    return _STEP.sub(r".\1", path).strip("."), what[:1].lower() + what[1:]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key


_read_list = msgspec.json.Decoder(list[Raw])
_read_number = msgspec.json.Decoder(int | float)
