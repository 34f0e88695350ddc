"""From the text of ``lockgate.toml`` to a Document. Every fault names file and line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import TypeVar, get_args

import msgspec

from lockgate.config.document import Document, KeySettings, ModelSettings, ProviderSettings
from lockgate.config.lines import find_line
from lockgate.errors import ConfigError

_T = TypeVar("_T")
_SLUG = (re.compile(r"[A-Za-z0-9_.-]{1,255}"), "a name holds letters, digits, '_', '-' and '.' only")
_MODEL = (re.compile(r"[^\s*]{1,255}\*?"), "a model's id holds no space, and '*' only at its end")
_TABLES: Mapping[str, tuple[type, tuple[re.Pattern[str], str]]] = {
    "providers": (ProviderSettings, _SLUG),
    "keys": (KeySettings, _SLUG),
    "models": (ModelSettings, _MODEL),
}
_FAULT = re.compile(r"^(?P<what>.*?)(?: - at `\$?\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>[^`]*)`$")
_AT_LINE = re.compile(r" \(at line (?P<line>\d+), column \d+\)$")


def read_document(text: str, source: str) -> Document:
    """Read a configuration. ``source`` is the file's name for messages. Raises ConfigError with ``file:line``."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        where = f"{source}:{found['line']}" if found else source
        raise ConfigError(f"not valid TOML: {_AT_LINE.sub('', str(error))}", path=where) from None
    reader = _Reader(text, source)
    tables = {name: reader.read_table(data, name) for name in _TABLES}
    rest = reader.read({k: v for k, v in data.items() if k not in _TABLES}, Document, ())
    return msgspec.structs.replace(rest, **tables)


class _Reader:
    """Converts parsed TOML and finds the line of each fault."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source

    def read_table(self, data: Mapping[str, object], name: str) -> dict[str, object]:
        """Read ``[name.ENTRY]`` tables one by one, so that a fault can name its entry."""
        table = data.get(name, {})
        if not isinstance(table, dict):
            raise self._fault((name,), f"expected tables such as [{name}.NAME]")
        kind, (names, rule) = _TABLES[name]
        for entry in table:
            if not names.fullmatch(entry):
                raise self._fault((name, entry), rule)
        return {entry: self.read(value, kind, (name, entry)) for entry, value in table.items()}

    def read(self, value: object, kind: type[_T], at: tuple[str, ...]) -> _T:
        """Convert one value. Raises ConfigError with the line of the key at fault."""
        try:
            return msgspec.convert(value, kind, strict=True)
        except msgspec.ValidationError as error:
            found = _FAULT.match(str(error))
            what, path = (found["what"], found["path"] or "") if found else (str(error), "")
            keys = (*at, *re.findall(r"[A-Za-z0-9_-]+", path))
            unknown = _UNKNOWN.match(what)
            if unknown:
                raise self._fault((*keys, unknown["name"]), self._unknown_key(kind, keys[len(at) :])) from None
            raise self._fault(keys, what[:1].lower() + what[1:]) from None

    def _unknown_key(self, kind: object, path: tuple[str, ...]) -> str:
        for name in path:
            kind = next((t for t in _alternatives(_fields(kind).get(name)) if _fields(t)), kind)
        return f"unknown key; known here: {', '.join(sorted(_fields(kind)))}"

    def _fault(self, keys: tuple[str, ...], what: str) -> ConfigError:
        line = find_line(self._text, keys)
        return ConfigError(f"{'.'.join(keys) or 'the file'}: {what}", path=f"{self._source}:{line}")


def _fields(kind: object) -> dict[str, object]:
    """The fields of a Struct by name; nothing for other types."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {}
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def _alternatives(kind: object) -> tuple[object, ...]:
    return get_args(kind) or (kind,)
