"""One system while it runs: started in a fresh folder, asked until it answers, ended."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.machine import Cores
from bench.payloads import Shape, write_body
from bench.processes import Children, free_port
from bench.programs import BUILD, Programs
from bench.systems import Launch, Place, System
from bench.upstream import FakeProvider

START_LIMIT_S = 90.0
PROBE_LIMIT_S = 20.0
REFUSING_LIMIT_S = 15.0
"""A system that listens and still refuses after this time will not get better."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all measurements share."""

    programs: Programs
    children: Children
    cores: Cores
    provider: FakeProvider


@dataclass(frozen=True, kw_only=True)
class Running:
    """A system that answers. ``pid`` is the root of the process tree whose cost is measured."""

    system: System
    launch: Launch
    place: Place
    process: subprocess.Popen[bytes]
    start_s: float

    @property
    def pid(self) -> int:
        """The first process of the system; for ``direct`` that of the fake provider."""
        return self.process.pid

    @property
    def log(self) -> Path:
        """What the system wrote to its output."""
        return BUILD / f"{self.system.name}.log"

    def body_file(self, shape: Shape) -> tuple[str, Path]:
        """The path to call and the file that holds the request for this shape."""
        path, sent, model = self.system.request(shape)
        file = self.place.folder / f"{sent.name}.json"
        if not file.exists():
            file.write_bytes(write_body(sent, model))
        return path, file


@contextmanager
def running(bench: Bench, system: System, first: Shape) -> Iterator[Running]:
    """Start a system, wait for its first good answer to ``first``, end it afterwards."""
    folder = BUILD / "run" / system.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    place = Place(port=free_port(), upstream_port=bench.provider.port, folder=folder)
    launch = system.launch(place)
    if not launch.command:
        place = Place(port=bench.provider.port, upstream_port=bench.provider.port, folder=folder)
        yield Running(system=system, launch=launch, place=place, process=bench.provider.process, start_s=0.0)
        return
    began_s = time.monotonic()
    log = BUILD / f"{system.name}.log"
    process = bench.children.start(launch.command, core=bench.cores.gateway, log=log, env=launch.env, folder=folder)
    try:
        start_s = _wait(
            Running(system=system, launch=launch, place=place, process=process, start_s=0.0), first, began_s
        )
        yield Running(system=system, launch=launch, place=place, process=process, start_s=start_s)
    finally:
        bench.children.stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def ask(target: Running, shape: Shape) -> tuple[int, bytes]:
    """Send one request and return status and body."""
    path, file = target.body_file(shape)
    headers = dict(line.split(": ", 1) for line in target.launch.headers)
    connection = http.client.HTTPConnection("127.0.0.1", target.place.port, timeout=PROBE_LIMIT_S)
    try:
        connection.request("POST", path, file.read_bytes(), {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _wait(target: Running, first: Shape, began_s: float) -> float:
    """Seconds from the start until the first good answer. Raises BenchError when it ends or never gets ready."""
    limit_s, last = START_LIMIT_S, "it never accepted a connection"
    while time.monotonic() - began_s < limit_s:
        if target.process.poll() is not None:
            raise BenchError(f"it ended with status {target.process.returncode}: {_tail(target.log)}")
        try:
            status, body = ask(target, first)
        except (OSError, http.client.HTTPException):
            time.sleep(0.005)
            continue
        if status == 200:
            return time.monotonic() - began_s
        last = f"the last answer was {status}: {body[:200].decode(errors='replace')}"
        limit_s = min(limit_s, time.monotonic() - began_s + REFUSING_LIMIT_S) if limit_s == START_LIMIT_S else limit_s
        time.sleep(0.05)
    raise BenchError(f"not ready in time; {last}")


def _tail(log: Path) -> str:
    """The last line that says something; for a Python program that is the error itself."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it wrote nothing"
