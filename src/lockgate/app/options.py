"""What starts a gateway, and what a started one tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

WORKER_VARIABLE = "LOCKGATE_WORKER"
API_KEY_VARIABLE = "LOCKGATE_API_KEY"
CACHE_VARIABLE = "LOCKGATE_CACHE_URL"
REDIS_VARIABLE = "LOCKGATE_REDIS_URL"
ADMIN_KEY_VARIABLE = "LOCKGATE_ADMIN_KEY"


class Options(Struct, frozen=True, kw_only=True):
    """What the command line and the environment say; None leaves it to the configuration."""

    config_path: Path | None = None
    home: Path
    host: str | None = None
    port: int | None = None
    simulate: bool | None = None
    environment: Mapping[str, str]


class Worker(Struct, frozen=True, kw_only=True):
    """What the supervisor tells one of several gateway processes, in the variable ``WORKER_VARIABLE``."""

    number: int
    host: str
    port: int
    report_to: int
    """The file descriptor that gets one byte when the process listens."""
    simulator_url: str | None = None
    """Where the one simulator of all processes listens."""
    counters_url: str | None = None
    """Where the counters are that all processes share."""
    metrics_folder: str | None = None
    """Where the processes put their numbers for each other."""


class Started(Struct, frozen=True, kw_only=True):
    """What there is to tell once Lockgate listens."""

    url: str
    new_key: str | None
    """The text of a key that was made for calling models, to be shown once."""
    new_admin_key: str | None = None
    """The text of a key that was made for managing the organisation, to be shown once."""
    targets: tuple[tuple[str, str, bool], ...]
    """Slug, provider and whether the simulator serves it."""
    config_path: Path | None
    home: Path
    is_open: bool
