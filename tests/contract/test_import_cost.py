"""``import lockgate`` opens nothing and loads next to nothing; the pure rings load no vendor and no event loop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"httptools", "msgspec", "typer", "uvicorn", "uvloop"}
VENDORS = {"anthropic", "openai", "portkey_ai", "httpx", "aiohttp", "pydantic"}

SCRIPT = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event.startswith(("socket.", "subprocess.")) else None)
before = set(sys.modules)
import {module}
print(*sorted(name for name in set(sys.modules) - before if "." not in name), *opened)
"""


def loaded_by(module: str) -> set[str]:
    """Return the top-level modules that an import brings, and the names of what it opened, in a fresh process."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(module=module)],
        cwd=ROOT / "src",
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return set(result.stdout.split())


def test_importing_lockgate_loads_nothing_else():
    assert loaded_by("lockgate") == {"lockgate"}


@pytest.mark.parametrize("module", ["errors", "core.chat", "config", "catalog", "dialects", "providers", "ports"])
def test_a_pure_ring_brings_no_loop_and_no_vendor(module):
    loaded = loaded_by(f"lockgate.{module}")
    assert not loaded & ({"asyncio", "ssl", "uvicorn", "uvloop", "httptools", "typer"} | VENDORS)
    assert not {name for name in loaded if name.startswith(("socket.", "subprocess."))}


def test_the_whole_gateway_loads_no_vendor_sdk_and_opens_nothing():
    loaded = loaded_by("lockgate.app")
    assert not loaded & VENDORS
    assert not {name for name in loaded if name.startswith(("socket.connect", "socket.bind", "subprocess."))}
