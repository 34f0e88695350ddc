"""From a client's bytes to a typed body or query: tolerant of every spelling that SDKs use, strict about values.

A field that is missing stays ``UNSET`` (leave unchanged), null becomes None (clear). Numbers with a fraction are read
exactly where the type says Decimal. Names may come in camelCase, with dashes, or American. A list may come as an object
with the keys "0", "1", ...; one thing may come as a list of one, and a list as its only item. A body that is a list is
what the type's ``list_field`` names; of a type with a ``free_field`` that field is the body as it came, whatever it is,
for handlers that judge its parts one by one.

Unknown names are left out, and told to the caller as warnings. Two kinds of them are refused, since leaving them out
would open what somebody meant to close: a misspelt name of a field that guards something, such as ``usage_limit``, and
any unknown name in a type that has ``ignorable``, which lists those that our own answers hold. Of a query whose type
has ``is_exact`` no parameter may be empty or come twice. Source: control-plane specification, section 0.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct, inspect

from lockgate.admin.refusals import refusal_of
from lockgate.admin.times import normal_time
from lockgate.errors import InvalidRequest

T = TypeVar("T", bound=Struct)

_ABSENT = frozenset({"", "None", "null", "undefined", "NOT_GIVEN"})
"""What SDKs put into a query string where they mean nothing."""
_MAX_QUERY_FIELDS = 500
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SYNONYMS = {"override_existing_workspaces_access": "override_existing_workspace_access"}
_GUARDS = frozenset(
    "usage_limits rate_limits expires_at scopes providers allow_config_override allow_all_models enabled "
    "allowed_workspaces reset_usage revoke_previous".split()
)
"""Fields whose absence leaves something open."""
_NEAR = 0.8
"""How much alike two names are of which one is taken for a misspelling of the other."""
_MAX_IGNORED = 50
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Ignored(Struct, frozen=True):
    """A field that nobody knows."""

    path: str
    warning: str


def read_body(data: bytes, kind: type[T], ignored: list[Ignored] | None = None, said: Collection[str] = ()) -> T:
    """Read a JSON body; an empty one is an empty object. Raises InvalidRequest that names field and remedy.

    Unknown fields are put into ``ignored``, but for those that repeat what the path has ``said``, as SDKs do.
    """
    free_field = getattr(kind, "free_field", None)
    decode = _decode if free_field is None else msgspec.json.decode
    try:
        value = decode(data) if data.strip() else {}
    except (msgspec.DecodeError, RecursionError) as error:
        reason = str(error) if isinstance(error, msgspec.DecodeError) else "nested too deeply"
        raise InvalidRequest(f"The body is not valid JSON ({reason}); send a JSON object") from None
    return read_value(value, kind, ignored, said) if free_field is None else kind(**{free_field: value})


def read_query(query: str, kind: type[T], ignored: list[Ignored] | None = None) -> T:
    """Read a query string. Of a name that comes several times the first value counts. Raises InvalidRequest.

    Unknown parameters are put into ``ignored``.
    """
    is_exact = getattr(kind, "is_exact", False)
    try:
        pairs = parse_qsl(query, keep_blank_values=is_exact, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        raise InvalidRequest(f"The query has more than {_MAX_QUERY_FIELDS} parameters; send fewer") from None
    value: dict[str, object] = {}
    for name, text in pairs:
        if is_exact and (text in _ABSENT or name in value):
            fault = "comes more than once; send it once" if name in value else "is empty; leave it out or say a value"
            raise InvalidRequest(f"{name[:100]}: the parameter {fault}", path=name[:100])
        if text not in _ABSENT:
            value.setdefault(name, text)
    return read_value(value, kind, ignored, noun="parameter")


def read_value(
    value: object,
    kind: type[T],
    ignored: list[Ignored] | None = None,
    said: Collection[str] = (),
    *,
    noun: str = "field",
) -> T:
    """Read what JSON or a query string held, whose names are called ``noun``. Raises InvalidRequest."""
    list_field = getattr(kind, "list_field", None)
    if list_field is not None and isinstance(value, dict) and value and all(k == str(i) for i, k in enumerate(value)):
        value = list(value.values())
    if list_field is not None and isinstance(value, list):
        value = {list_field: value}
    strangers: list[Ignored] = [] if ignored is None else ignored
    try:
        shaped = _Shaper(strangers, said, noun).shape(value, _info(kind), "")
        return msgspec.convert(shaped, kind, strict=False)
    except msgspec.ValidationError as error:
        raise refusal_of(error, kind, [each.path for each in strangers]) from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply") from None


def normal_name(name: str) -> str:
    """Return a field's name as we write it: ``isDefault`` is ``is_default``, ``sub-type`` is ``sub_type``."""
    words = _WORD_START.sub("_", name).replace("-", "_").lower()
    words = words.replace("organization", "organisation")
    return _SYNONYMS.get(words, words)


@lru_cache(maxsize=512)
def _info(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


class _Shaper:
    """Gives a value the names, lists and times that the type's strict reading takes."""

    def __init__(self, strangers: list[Ignored], said: Collection[str], noun: str) -> None:
        self._strangers = strangers
        self._said = said
        self._noun = noun

    def shape(self, value: object, info: inspect.Type, path: str) -> object:
        member = _member_for(value, info)
        if isinstance(value, str):
            _refuse_nul(value, path)
            return normal_time(value, path) if isinstance(member, inspect.DateTimeType) else value
        if isinstance(value, Decimal):
            return value if isinstance(member, inspect.DecimalType) else _as_float(value, path)
        if isinstance(value, list):
            return self._list(value, member, path)
        if isinstance(value, dict):
            return self._object(cast("dict[str, object]", value), member, path)
        return value

    def _list(self, value: list[Any], member: inspect.Type | None, path: str) -> object:
        if isinstance(member, inspect.StructType) and path and len(value) <= 1:
            return self.shape(value[0], member, path) if value else None
        item = member.item_type if isinstance(member, inspect.ListType) else inspect.AnyType()
        return [self.shape(each, item, f"{path}[{i}]") for i, each in enumerate(value)]

    def _object(self, value: dict[str, object], member: inspect.Type | None, path: str) -> object:
        if isinstance(member, inspect.StructType):
            return self._struct(value, member, path)
        if isinstance(member, inspect.ListType):
            # an empty object is one thing without fields, which says what it lacks, rather than none
            if value and all(key == str(i) for i, key in enumerate(value)):
                return self._list(list(value.values()), member, path)
            return [self.shape(value, member.item_type, path)]
        item = member.value_type if isinstance(member, inspect.DictType) else inspect.AnyType()
        for key in value:
            _refuse_nul(key, path)
        return {key: self.shape(each, item, _below(path, key)) for key, each in value.items()}

    def _struct(self, value: dict[str, object], member: inspect.StructType, path: str) -> dict[str, object]:
        fields = {field.encode_name: field.type for field in member.fields}
        shaped: dict[str, object] = {}
        for key, each in sorted(value.items(), key=lambda pair: pair[0] not in fields):
            name = key if key in fields else normal_name(key)
            if name not in fields:
                if path or not isinstance(each, str) or each not in self._said:
                    self._stranger(key, name, member, path)
            elif name not in shaped:
                shaped[name] = self.shape(each, fields[name], _below(path, name))
        return shaped

    def _stranger(self, key: str, name: str, member: inspect.StructType, path: str) -> None:
        """Tell of an unknown field, or refuse it."""
        where = _below(path, key[:100])
        near = get_close_matches(name[:100], [field.encode_name for field in member.fields], n=1, cutoff=_NEAR)
        hint = f"; did you mean {near[0]}?" if near else ""
        ignorable = getattr(member.cls, "ignorable", None)
        if ignorable is not None and name not in ignorable:
            known = hint or f"; known here: {', '.join(field.encode_name for field in member.fields)}"
            raise InvalidRequest(f"{where}: there is no such {self._noun}{known}", path=where)
        if near and near[0] in _GUARDS:
            raise InvalidRequest(f"{where}: there is no such {self._noun}{hint}", path=where)
        if len(self._strangers) < _MAX_IGNORED:
            told = f"{where}: there is no such {self._noun} here; it was ignored{hint}"
            self._strangers.append(Ignored(where, told))


def _member_for(value: object, info: inspect.Type) -> inspect.Type | None:
    """Return the member of a union that a value is meant for."""
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    wanted: tuple[type[inspect.Type], ...]
    if isinstance(value, str):
        wanted = (inspect.DateTimeType,) if not any(isinstance(m, inspect.StrType) for m in members) else ()
    elif isinstance(value, Decimal):
        wanted = (inspect.DecimalType,)
    elif isinstance(value, list):
        wanted = (inspect.ListType, inspect.StructType)
    else:
        wanted = (inspect.StructType, inspect.DictType, inspect.ListType)
    for kind in wanted:
        for member in members:
            if isinstance(member, kind):
                return member
    return None


def _as_float(value: Decimal, path: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise InvalidRequest(f"{path or 'the body'}: the number is out of range", path=path or None)
    return number


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _refuse_nul(text: str, path: str) -> None:
    if "\0" in text:
        raise InvalidRequest(f"{path or 'the body'}: holds a NUL character; remove it", path=path or None)
