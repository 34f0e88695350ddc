"""The two C programs, fake provider and load: compiled on this machine when they are first needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "bench" / "c"
BUILD = ROOT / ".build" / "bench"
PEERS = ROOT / ".build" / "peers"


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Where the compiled programs are."""

    upstream: Path
    load: Path


def build() -> Programs:
    """Compile what is missing or older than its source. Raises BenchError without a C compiler."""
    BUILD.mkdir(parents=True, exist_ok=True)
    return Programs(upstream=_build_one("mock_upstream"), load=_build_one("load"))


def _build_one(name: str) -> Path:
    source, program = SOURCES / f"{name}.c", BUILD / name
    newest = max(source.stat().st_mtime, (SOURCES / "buffer.h").stat().st_mtime)
    if program.exists() and program.stat().st_mtime > newest:
        return program
    command = [*_compiler(), "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", str(program), str(source)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode:
        raise BenchError(f"The C compiler could not build {source.name}: {result.stderr.strip()[-400:]}")
    return program


def _compiler() -> list[str]:
    if chosen := os.environ.get("CC"):
        return chosen.split()
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    raise BenchError("No C compiler found: install one (Debian: apt-get install gcc libc6-dev) or name it in CC.")
