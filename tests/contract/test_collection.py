"""Every process must collect the same tests in the same order, or a run over several processes stops before it starts.

Identifiers made of a random key or of a set's order differ from process to process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _collect(hash_seed: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    environment.pop("PYTEST_XDIST_WORKER", None)
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    return [line for line in run.stdout.splitlines() if "::" in line]


@pytest.mark.timeout(900)  # the whole suite is collected twice
def test_two_processes_collect_the_same_tests() -> None:
    assert _collect("1") == _collect("2")
