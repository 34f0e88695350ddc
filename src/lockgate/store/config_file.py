"""``lockgate.toml`` on disk: reading it, and noticing that it changed."""

from __future__ import annotations

import re
from pathlib import Path

from lockgate.config import Document, read_document
from lockgate.config.lines import find_line
from lockgate.errors import ConfigError

_ENTRY = re.compile(r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")


class ConfigFile:
    """One configuration file, which may be missing when nobody named it."""

    def __init__(self, path: Path, *, is_required: bool) -> None:
        self.path = path
        self._is_required = is_required
        self._seen: tuple[int, int, int] | None = None
        self._text = ""

    def read(self) -> Document:
        """Read the file. Raises ConfigError with file and line; a missing optional file is an empty document."""
        self._seen = self._mark()
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
        self._text, self._is_required = text, True
        return document

    def locate(self, error: ConfigError) -> ConfigError:
        """Return an error about an entry (``providers.a.type: ...``) with file and line, others as they are."""
        entry, colon, _ = error.message.partition(": ")
        if error.path or not colon or not _ENTRY.match(entry):
            return error
        return ConfigError(error.message, path=f"{self.path}:{find_line(self._text, tuple(entry.split('.')))}")

    def has_changed(self) -> bool:
        """Tell whether the file differs from what ``read`` saw last."""
        return self._mark() != self._seen

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
