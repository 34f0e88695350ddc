"""Child processes: started, watched and always ended. CPU time and memory come from the system's own accounting."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from bench.machine import on_core

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_BESIDE = b"lockgate.recorder"
"""In the command of a process that serves no request."""
_SETTLE_S, _IDLE_PART = 0.3, 0.05
_NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "NODE_OPTIONS")
_NOT_INHERITED_STARTS = ("LOCKGATE_", "ANTHROPIC_", "OPENAI_", "AWS_", "GOOGLE_")
_NOT_INHERITED_ENDS = ("_PROXY", "_API_KEY", "_AUTH_TOKEN")


class Children:
    """Every process that the benchmark has running. Leaving the block ends them all, whatever the reason."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in reversed(self._running[:]):
            self.stop(child, grace_s=1.0)

    def start(
        self,
        command: Sequence[str],
        *,
        core: int | None,
        log: Path,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own, so that Ctrl-C reaches only us, and pin it."""
        with log.open("wb") as out, on_core(core):
            child = subprocess.Popen(
                command, env={**clean_env(os.environ), **(env or {})}, stdout=out, stderr=out, cwd=folder,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._running.append(child)
        return child

    def stop(self, child: subprocess.Popen[bytes], *, grace_s: float = 5.0) -> None:
        """Ask the process to end; after the grace, end it and all that it started."""
        started_by_it = tree(child.pid)[1:]
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(grace_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for pid in started_by_it:
            _kill(pid, group=child.pid)
        if child in self._running:
            self._running.remove(child)


def _kill(pid: int, *, group: int) -> None:
    """End a left-over process, if that number still belongs to the session of ours."""
    try:
        if os.getsid(pid) == group:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def clean_env(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would change a measurement: settings, proxies, real keys, byte code off."""
    return {
        name: value
        for name, value in env.items()
        if name not in _NOT_INHERITED
        and not name.startswith(_NOT_INHERITED_STARTS)
        and not name.upper().endswith(_NOT_INHERITED_ENDS)
    }


def free_port() -> int:
    """A TCP port on loopback that nobody uses now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def tree(pid: int) -> list[int]:
    """The process and all its descendants, itself first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat_fields(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def beside(pid: int) -> list[int]:
    """Of the process tree, those that serve no request: what tends the records of a gateway."""
    return [p for p in tree(pid) if _BESIDE in _command_of(p)]


def cpu_s(pid: int) -> float:
    """CPU seconds used so far by what serves in the process tree, user and system time of all threads."""
    return sum(_cpu_of_one(p) for p in _serving(pid))


def cpu_beside_s(pid: int) -> float:
    """The same of what serves no request."""
    return sum(map(_cpu_of_one, beside(pid)))


def settle_beside(pid: int, most_s: float = 5.0) -> None:
    """Wait until what serves no request has caught up, so that its work is counted where it belongs."""
    ends_s, used_s = time.monotonic() + most_s, -1.0
    while time.monotonic() < ends_s and (now_s := cpu_beside_s(pid)) - used_s > _IDLE_PART * _SETTLE_S:
        used_s = now_s
        time.sleep(_SETTLE_S)


def _serving(pid: int) -> list[int]:
    others = beside(pid)
    return [p for p in tree(pid) if p not in others]


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def memory_mb(pid: int, field: str = "VmHWM") -> float:
    """Memory of what serves in the process tree in MB (10^6 bytes): ``VmHWM`` the peak, ``VmRSS`` the present."""
    return sum(_status_kib(p, field) for p in _serving(pid)) * 1024 / 1e6


def memory_beside_mb(pid: int, field: str = "VmHWM") -> float:
    """The same of what serves no request."""
    return sum(_status_kib(p, field) for p in beside(pid)) * 1024 / 1e6


def choose_cpu_s(from_ticks_s: float, from_threads_s: float) -> float:
    """Prefer the finer clock, which counts living threads only, where the coarse one agrees with it."""
    if from_threads_s and abs(from_threads_s - from_ticks_s) < 0.1 + 0.02 * from_ticks_s:
        return from_threads_s
    return from_ticks_s


def _cpu_of_one(pid: int) -> float:
    fields = _stat_fields(pid)
    if fields is None:
        return 0.0
    from_ticks_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    from_threads_ns = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            from_threads_ns += int((task / "schedstat").read_text().split()[0])
    except OSError:
        return from_ticks_s
    return choose_cpu_s(from_ticks_s, from_threads_ns / 1e9)


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on (state, parent, ...); None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def _status_kib(pid: int, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field + ":")), 0)
