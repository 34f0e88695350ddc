"""``lockgate.toml`` on disk, with the files that it names: reading them, and noticing that they changed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

import msgspec

from lockgate.config import ConfigSettings, Document, read_document
from lockgate.config.lines import find_json_line, find_line
from lockgate.errors import ConfigError, ConfigFaults

_Mark: TypeAlias = tuple[int, int, int] | None
_BYTE = re.compile(r"\(byte (\d+)\)$")
_ENTRY = re.compile(r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")


class ConfigFile:
    """One configuration file, which may be missing when nobody named it."""

    def __init__(self, path: Path, *, is_required: bool) -> None:
        self.path = path
        self._is_required = is_required
        self._seen: dict[Path, _Mark] = {}
        self._text = ""
        self._configs: dict[str, tuple[Path, str]] = {}
        """The configs that stand in files of their own: where, and what was read."""

    def read(self) -> Document:
        """Read the file and what it names. Raises ConfigError with file and line; a missing optional file is an empty
        document."""
        self._seen = {self.path: _mark(self.path)}
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            if self._is_required:
                raise ConfigError(f"there is no configuration file {self.path}") from None
            self._text = ""
            return Document()
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.path} is not UTF-8 text (byte {error.start})") from None
        document = read_document(text, str(self.path))
        # what was there once is missed when it is gone: an editor may be between deleting and writing
        self._text, self._is_required, self._configs = text, True, {}
        configs = {name: self._read_config(name, settings) for name, settings in document.configs.items()}
        return msgspec.structs.replace(document, configs=configs)

    def locate(self, error: ConfigError) -> ConfigError:
        """Return an error about an entry (``providers.a.type: ...``) with file and line, others as they are."""
        if isinstance(error, ConfigFaults):
            return ConfigFaults([self.locate(fault) for fault in error.faults])
        entry, colon, what = error.message.partition(": ")
        if error.path or not colon or not _ENTRY.match(entry):
            return error
        keys = tuple(entry.split("."))
        config = self._configs.get(keys[1]) if keys[0] == "configs" and len(keys) > 1 else None
        if config is None:
            return ConfigError(error.message, path=f"{self.path}:{find_line(self._text, keys)}")
        path, text = config
        at = _BYTE.search(what)
        line = text.count("\n", 0, int(at[1])) + 1 if at else find_json_line(text, keys[2:])
        return ConfigError(error.message, path=f"{path}:{line}")

    def has_changed(self) -> bool:
        """Tell whether any of the files differs from what ``read`` saw last."""
        return any(_mark(path) != seen for path, seen in self._seen.items()) or not self._seen

    def _read_config(self, name: str, settings: ConfigSettings) -> ConfigSettings:
        """Return a config with what its file holds. Raises ConfigError with the line that names the file."""
        if settings.file is None:
            return settings
        path = self.path.parent / settings.file
        self._seen[path] = _mark(path)
        try:
            data = path.read_bytes()
            text = data.decode()
        except OSError as error:
            raise self._unread(name, f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise self._unread(name, f"{path} is not UTF-8 text (byte {error.start})") from None
        self._configs[name] = path, text
        return msgspec.structs.replace(settings, text=data)

    def _unread(self, name: str, what: str) -> ConfigError:
        keys = ("configs", name, "file")
        return ConfigError(f"{'.'.join(keys)}: {what}", path=f"{self.path}:{find_line(self._text, keys)}")


def _mark(path: Path) -> _Mark:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
