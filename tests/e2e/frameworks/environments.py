"""Installs the frameworks at their first use; where one does not install, its tests are skipped with the reason."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.clients import Client
from tests.e2e.gateway import ROOT, Evidence
from tests.e2e.installs import Say, find_node, install_python, npm_or_skip

DRIVERS = Path(__file__).parent
REQUIREMENTS = ROOT / "requirements"

uninstallable: dict[str, str] = {}
"""What was said of each environment that could not be installed."""


def python_or_skip(requirements: str, say: Say) -> Path:
    """Install a requirements file and return its interpreter, or skip the test; in CI that is a failure. It is tried once."""
    if requirements not in uninstallable:
        try:
            return install_python(REQUIREMENTS / f"{requirements}.txt", say)
        except pytest.fail.Exception as error:
            uninstallable[requirements] = str(error)
    reason = f"requirements/{requirements}.txt cannot be installed"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}:\n{uninstallable[requirements]}")
    pytest.skip(f"{reason}: {uninstallable[requirements].strip().splitlines()[-1]}")


def make_framework(name: str, evidence: Evidence, home: Path, say: Say) -> Client:
    """Install what a framework needs, if it is not yet there, and return the client that drives it."""
    match name:
        case "langchain" | "pydantic_ai":
            command, driver = python_or_skip("frameworks", say), DRIVERS / f"drive_{name}.py"
        case "instructor":
            command, driver = python_or_skip("frameworks-instructor", say), DRIVERS / "drive_instructor.py"
        case "ai_sdk":
            command = find_node(22)
            modules = npm_or_skip(ROOT / "tests" / "e2e" / "js" / "frameworks", command, say)
            # modules are looked up from a program's own folder
            (home / "node_modules").symlink_to(modules / "node_modules")
            driver = Path(shutil.copy(DRIVERS / "drive_ai_sdk.mjs", home))
        case _:
            raise ValueError(name)
    return Client(
        name=name, command=(str(command),), driver=driver, examples=home, sdks=(), evidence=evidence, home=home
    )
