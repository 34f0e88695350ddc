"""Every process must collect the same tests in the same order, or a run over several processes stops before it starts.

Identifiers made of a random key, of a set's order or of the time differ from process to process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scheduling import place_of

ROOT = Path(__file__).resolve().parents[2]


def _collect(hash_seed: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    environment.pop("PYTEST_XDIST_WORKER", None)
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    return [line for line in run.stdout.splitlines() if "::" in line]


@pytest.mark.timeout(900)  # the whole suite is collected once more, or twice
def test_two_processes_collect_the_same_tests(request: pytest.FixtureRequest) -> None:
    """What this process collected counts too, when that is the whole suite."""
    here = [item.nodeid for item in request.session.items]
    is_whole = {Path(item.path) for item in request.session.items} >= set((ROOT / "tests" / "unit").rglob("test_*.py"))
    there = _collect("1")
    assert (here if is_whole and len(here) == len(there) else _collect("2")) == there


def test_long_suites_come_first_then_files_with_many_tests() -> None:
    files = {
        "tests/unit/b/test_b.py": 9,
        "tests/contract/test_c.py": 1,
        "tests/unit/test_a.py": 10,
        "tests/e2e/test_d.py": 2,
    }
    assert sorted(files, key=lambda file: place_of(file, files[file])) == [
        "tests/e2e/test_d.py",
        "tests/contract/test_c.py",
        "tests/unit/test_a.py",
        "tests/unit/b/test_b.py",
    ]
