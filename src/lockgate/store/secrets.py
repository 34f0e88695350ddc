"""Secrets that the configuration refers to: ``env:NAME``, ``file:PATH``, or the text itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lockgate.core.secret import Secret
from lockgate.errors import ConfigError


class SecretReader:
    """Resolves references against an environment and a folder for relative paths."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder

    def __call__(self, reference: str) -> Secret:
        """Return the secret. Raises ConfigError when it is missing or empty; the message names the reference only."""
        scheme, _, rest = reference.partition(":")
        if scheme == "env":
            text = self._environment.get(rest, "")
            if not text:
                raise ConfigError(f"the environment variable {rest} is not set")
        elif scheme == "file":
            text = self._read(rest)
        else:
            text = reference
        if not text or any(c in text for c in "\r\n\0"):
            raise ConfigError("a secret is empty or holds a line break")
        return Secret(text)

    def _read(self, name: str) -> str:
        path = self._folder / name
        try:
            return path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(f"cannot read the secret file {name}: {reason}") from None
