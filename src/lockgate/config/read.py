"""From the text of ``lockgate.toml`` to a Document. Every fault names file and line, and all are told at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from lockgate.config.converting import convert_all
from lockgate.config.document import (
    ConfigSettings,
    Document,
    KeySettings,
    ModelSettings,
    PriceSettings,
    ProviderSettings,
)
from lockgate.config.lines import find_line
from lockgate.errors import ConfigError, ConfigFaults, raise_all

_T = TypeVar("_T")
_SLUG = (re.compile(r"[A-Za-z0-9_.-]{1,255}"), "a name holds letters, digits, '_', '-' and '.' only")
_MODEL = (re.compile(r"[^\s*]{1,255}\*?"), "a model's id holds no space, and '*' only at its end")
_PRICED = (
    re.compile(r"[a-z0-9-]{1,64}/[^\s*]{1,255}"),
    'expected PROVIDER/MODEL in quotes, such as "anthropic/claude-x"',
)
_TABLES: Mapping[str, tuple[type, tuple[re.Pattern[str], str]]] = {
    "providers": (ProviderSettings, _SLUG),
    "keys": (KeySettings, _SLUG),
    "models": (ModelSettings, _MODEL),
    "prices": (PriceSettings, _PRICED),
}
_CONFIGS = "configs"
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
    configs = reader.read_configs(data)
    rest = {name: value for name, value in data.items() if name not in (*_TABLES, _CONFIGS)}
    for name, value in rest.items():
        with reader.collecting():
            reader.read({name: value}, Document, ())
    raise_all(reader.faults)
    return msgspec.structs.replace(reader.read(rest, Document, ()), configs=configs, **tables)


class _Reader:
    """Converts parsed TOML and finds the line of each fault."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self.faults: list[ConfigError] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep what is wrong with one part, and go on with the next."""
        try:
            yield
        except ConfigFaults as error:
            self.faults += error.faults
        except ConfigError as error:
            self.faults.append(error)

    def read_configs(self, data: Mapping[str, object]) -> dict[str, ConfigSettings]:
        """Read ``[configs.NAME]`` tables: each is a config or the name of a file; what is in it is read later."""
        found: dict[str, ConfigSettings] = {}
        for name, value in self._entries(data, _CONFIGS, _SLUG).items():
            with self.collecting():
                found[name] = self._read_config(name, value)
        return found

    def _read_config(self, name: str, value: object) -> ConfigSettings:
        if not isinstance(value, dict):
            raise self._fault((_CONFIGS, name), "expected a table")
        if "file" not in value:
            return ConfigSettings(text=msgspec.json.encode(value))
        if len(value) > 1:
            raise self._fault((_CONFIGS, name), "give either file or the config itself")
        return self.read(value, ConfigSettings, (_CONFIGS, name))

    def read_table(self, data: Mapping[str, object], name: str) -> dict[str, object]:
        """Read ``[name.ENTRY]`` tables one by one, so that a fault can name its entry."""
        kind, names = _TABLES[name]
        found: dict[str, object] = {}
        for entry, value in self._entries(data, name, names).items():
            with self.collecting():
                found[entry] = self.read(value, kind, (name, entry))
        return found

    def _entries(self, data: Mapping[str, object], name: str, names: tuple[re.Pattern[str], str]) -> dict[str, object]:
        table = data.get(name, {})
        if not isinstance(table, dict):
            self.faults.append(self._fault((name,), f"expected tables such as [{name}.NAME]"))
            return {}
        wrong = [entry for entry in table if not names[0].fullmatch(entry)]
        self.faults += [self._fault((name, entry), names[1]) for entry in wrong]
        return {entry: value for entry, value in table.items() if entry not in wrong}

    def read(self, value: object, kind: type[_T], at: tuple[str, ...]) -> _T:
        """Convert one value. Raises ConfigError with the line of what is at fault, of all there is."""
        converted = convert_all(value, kind)
        raise_all([self._fault((*at, *flaw.keys), flaw.what) for flaw in converted.flaws])
        assert converted.value is not None
        return converted.value

    def _fault(self, keys: tuple[str, ...], what: str) -> ConfigError:
        line = find_line(self._text, keys)
        return ConfigError(f"{'.'.join(keys) or 'the file'}: {what}", path=f"{self._source}:{line}")
