"""Log lines of the process: one line each on standard error, without bodies, keys or query strings."""

from __future__ import annotations

import logging
import sys

from lockgate.errors import ConfigError

LEVELS = ("debug", "info", "warning", "error")


def start_logging(level: str = "info") -> None:
    """Send log lines to standard error. Raises ConfigError for a level that does not exist."""
    if level.lower() not in LEVELS:
        raise ConfigError(f"there is no log level {level!r}; choose one of {', '.join(LEVELS)}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("alembic").setLevel(logging.WARNING)
