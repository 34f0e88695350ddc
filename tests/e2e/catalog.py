"""A gateway with an admin key, whose providers are made through the API and answered by the simulator."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.gateway import Server, clean_environment, running

ADMIN_KEY = f"admin-canary-{secrets.token_hex(16)}"
CONFIG = """
[simulator]
enabled = false

[server]
trusted_custom_hosts = ["127.0.0.1"]
"""


@contextmanager
def running_catalog(folder: Path, *, config: str = CONFIG, **variables: str) -> Iterator[Server]:
    """Run a gateway without providers; the workspace's first key is in its output, the admin key is given."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f"{folder.name}.toml"
    path.write_text(config)
    environment = clean_environment(LOCKGATE_ADMIN_KEY=ADMIN_KEY, **variables)
    arguments = ["up", "--config", str(path), "--host", "127.0.0.1", "--port", "0"]
    with running(arguments, folder=folder, environment=environment) as server:
        yield server
