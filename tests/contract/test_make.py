"""The Makefile, its scripts and what CI runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.files import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
SCRIPTS = sorted((ROOT / "tools").glob("*.sh"))


def make(*arguments: str) -> str:
    """Run make; return what it prints."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    result = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    return result.stdout


def targets() -> set[str]:
    found = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert found
    return set(found[1].split())


def test_make_alone_lists_every_target():
    assert set(re.findall(r"^  make ([a-z-]+)", make(), re.MULTILINE)) == targets()


def test_every_target_is_declared():
    assert set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)) == targets()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_each_script_is_plain_shell(script):
    assert script.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", script], check=True)


def test_run_installs_what_the_gateway_needs_and_no_more():
    assert "sh tools/setup.sh run\n" in make("-n", "run")


@pytest.mark.parametrize("target", ["test", "check", "docs", "bench"])
def test_the_others_install_what_developers_need(target):
    assert "sh tools/setup.sh dev\n" in make("-n", target)


def test_arguments_are_passed_on():
    assert "lockgate up --port 9000\n" in make("-n", "run", "ARGS=--port 9000")
    assert " -k stream\n" in make("-n", "test", "PYTEST_ARGS=-k stream")


def test_ci_calls_check_and_test_and_nothing_else():
    script = ROOT / ".ci" / "run"
    lines = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["set -eu", 'cd "$(dirname "$0")/.."', "make check </dev/null", "make test </dev/null"]
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("reason", ["too old", "missing"])
def test_without_a_fitting_python_setup_says_so_in_one_sentence(tmp_path, reason):
    copy_of_scripts(tmp_path)
    python = tmp_path / "python"
    if reason == "too old":
        python.write_text("#!/bin/sh\nexit 1\n")
        python.chmod(0o755)
    result = subprocess.run(
        ["sh", "tools/setup.sh", "run"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == f"lockgate: PYTHON={python} does not run or is older than Python 3.11.\n"
    assert not (tmp_path / ".venv").exists()


def test_a_second_setup_returns_at_once(tmp_path):
    """Everything is fresh when the stamp holds the checksum of the requirements: nothing is called any more."""
    copy_of_scripts(tmp_path)
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    calls = tmp_path / "calls"
    python = binaries / "python"
    python.write_text(f'#!/bin/sh\necho "$*" >>{calls}\n')
    python.chmod(0o755)
    (binaries / "pip").touch()

    def setup() -> list[str]:
        calls.write_text("")
        subprocess.run(["sh", "tools/setup.sh", "run"], cwd=tmp_path, check=True, capture_output=True)
        return [line for line in calls.read_text().splitlines() if "pip" in line]

    first = setup()
    assert ["--require-hashes" in line for line in first] == [True, False]
    assert "--no-build-isolation" in first[1]
    assert setup() == []
    (tmp_path / "requirements" / "run.txt").write_text("changed==1\n")
    assert setup() == first


def copy_of_scripts(place: Path) -> None:
    """Lay out what setup.sh reads."""
    (place / "src" / "lockgate").mkdir(parents=True)
    for name in ("tools/setup.sh", "requirements/run.txt", "pyproject.toml", "src/lockgate/__init__.py"):
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, place / name)
