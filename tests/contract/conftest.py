"""The one server that stands behind every implementation over Redis."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from lockgate.store.valkey import PrivateValkey


@pytest.fixture(scope="session")
def valkey():
    """The address of a real server, in a folder whose name is short enough for a socket. Each stage empties it."""
    folder = Path(tempfile.mkdtemp(prefix="lg-"))
    try:
        server = PrivateValkey(folder)
        try:
            yield server.url
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
