"""``lockgate.toml`` on disk: reading it, and noticing that it changed."""

from __future__ import annotations

from pathlib import Path

from lockgate.config import Document, read_document
from lockgate.errors import ConfigError


class ConfigFile:
    """One configuration file, which may be missing when nobody named it."""

    def __init__(self, path: Path, *, is_required: bool) -> None:
        self.path = path
        self._is_required = is_required
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> Document:
        """Read the file. Raises ConfigError with file and line; a missing optional file is an empty document."""
        self._seen = self._mark()
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            if self._is_required:
                raise ConfigError(f"there is no configuration file {self.path}") from None
            return Document()
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.path} is not UTF-8 text (byte {error.start})") from None
        return read_document(text, str(self.path))

    def has_changed(self) -> bool:
        """Tell whether the file differs from what ``read`` saw last."""
        return self._mark() != self._seen

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
