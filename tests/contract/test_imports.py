"""Who may import whom, on the real tree; and each contract is broken once, to know that it holds.

The contracts live in pyproject.toml. A planted violation must break the contract that is meant to see it.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

ROOT = Path(__file__).parents[2]


def lint(place: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree in ``place``."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tree_keeps_every_contract():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


def contract(name: str) -> dict[str, Any]:
    """Return a contract of pyproject.toml by its id."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return next(found for found in settings["tool"]["importlinter"]["contracts"] if found["id"] == name)


def rings() -> list[list[str]]:
    """Return the modules that exist, ring by ring from the top."""
    names = [re.findall(r"\w+", line) for line in contract("rings")["layers"]]
    package = ROOT / "src" / "lockgate"
    return [
        [f"lockgate.{name}" for name in ring if (package / name).is_dir() or (package / f"{name}.py").is_file()]
        for ring in names
    ]


def test_each_ring_from_plan_down_is_pure():
    found = rings()
    (plan,) = [position for position, ring in enumerate(found) if "lockgate.plan" in ring]
    pure = {module for ring in found[plan:] for module in ring}
    assert pure == set(contract("pure")["source_modules"])


def test_the_simulator_may_import_the_errors_and_nothing_else_of_ours():
    found = rings()
    (own,) = [position for position, ring in enumerate(found) if "lockgate.simulator" in ring]
    below = {module for ring in found[own:] for module in ring} - {"lockgate.simulator", "lockgate.errors"}
    assert below == set(contract("simulator-is-independent")["forbidden_modules"])


@pytest.mark.parametrize("exception", contract("no-cycles")["ignore_imports"])
def test_a_tolerated_cycle_is_for_annotations_only(exception):
    importer, imported = exception.split(" -> ")
    path = ROOT / "src" / importer.replace(".", "/")
    tree = ast.parse(path.with_suffix(".py").read_text())
    guarded = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and imported.endswith(f".{node.module}"))
        or (isinstance(node, ast.ImportFrom) and node.module == imported)
    ]
    assert found
    assert set(found) <= guarded


class Violation(Struct, frozen=True, kw_only=True):
    """One line planted in one file, and the name of the contract that must break."""

    id: str
    path: str
    line: str
    contract: str


RINGS = "Rings: a module imports only what lies below it"
PURE = "Pure rings do no input or output and own no clock, dice or log"
PORTS = "The data plane reaches store, transport, telemetry and records only through ports"
SIMULATOR = "The simulator shares no translation code with the gateway it tests"
DIALECTS = "A dialect never imports another"
PROVIDERS = "A provider never imports another"
CYCLES = "No two siblings import each other"

VIOLATIONS = [
    Violation(id="vendor does HTTP", path="providers/planted_a.py", line="import aiohttp", contract=PURE),
    Violation(
        id="vendor imports vendor",
        path="providers/planted_a.py",
        line="import lockgate.providers.planted_b",
        contract=PROVIDERS,
    ),
    Violation(
        id="dialect imports dialect",
        path="dialects/planted_a.py",
        line="import lockgate.dialects.planted_b",
        contract=DIALECTS,
    ),
    Violation(
        id="data plane reaches transport through plan",
        path="plan/__init__.py",
        line="import lockgate.transport",
        contract=PORTS,
    ),
    Violation(id="plan does input and output", path="plan/__init__.py", line="import asyncio", contract=PURE),
    Violation(id="core imports dialects", path="core/__init__.py", line="import lockgate.dialects", contract=RINGS),
    Violation(id="a module without a ring", path="helpers.py", line="", contract=RINGS),
    Violation(id="a cycle", path="core/planted_a.py", line="import lockgate.core.planted_b", contract=CYCLES),
    Violation(
        id="an import hidden in a function",
        path="core/__init__.py",
        line="def f(): import lockgate.plan",
        contract=RINGS,
    ),
    Violation(
        id="simulator imports dialects",
        path="simulator/planted_a.py",
        line="import lockgate.dialects",
        contract=SIMULATOR,
    ),
    Violation(
        id="simulator imports the data plane",
        path="simulator/planted_a.py",
        line="import lockgate.dataplane",
        contract=RINGS,
    ),
]


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda violation: violation.id)
def test_a_planted_violation_is_seen(tmp_path, violation):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "src" / "lockgate"
    for sibling in ("providers/planted_b.py", "dialects/planted_b.py", "core/planted_b.py"):
        (package / sibling).touch()
    if violation.contract == CYCLES:
        (package / "core/planted_b.py").write_text("import lockgate.core.planted_a\n")
    if violation.contract == PORTS:
        append(package / "dataplane/__init__.py", "import lockgate.plan")
    append(package / violation.path, violation.line)

    result = lint(tmp_path)

    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{violation.contract} BROKEN" in " ".join(result.stdout.split())


def append(path: Path, line: str) -> None:
    """Add one line at the end of a file that may not exist yet."""
    text = path.read_text() if path.exists() else ""
    path.write_text(f"{text}\n{line}\n")
