"""The README's program that makes a key with a budget and calls through a fallback, run as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lockgate.config import Document
from tests.e2e.gateway import clean_environment, running
from tools.fences import fences
from tools.files import ROOT

KEYS = {"LOCKGATE_API_KEY": "my-first-gateway-key", "LOCKGATE_ADMIN_KEY": "my-first-admin-key"}


def test_the_program_that_manages_runs_as_it_stands(tmp_path: Path) -> None:
    (block,) = [fence for fence in fences(ROOT / "README.md", "python") if "LOCKGATE_ADMIN_KEY" in fence.text]
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        program = tmp_path / "program.py"
        program.write_text(block.text.replace(f"http://127.0.0.1:{Document().server.port}", server.url))
        done = subprocess.run(
            [sys.executable, str(program)], env=clean_environment(**KEYS), capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    answer, usage = done.stdout.strip().splitlines()[-2:]
    assert answer.startswith("Simulated answer")
    assert "'remaining': 4.99" in usage
