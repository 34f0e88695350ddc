"""A simulator, and a gateway in front of it on a state folder that outlives it, with a key whose budget is counted."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tools.overspend.stage import NANOS, Api, Process

_CONFIG = """
[server]
drain_s = {drain_s}
[simulator]
enabled = false
[journal]
segment_bytes = {segment_bytes}
[providers.claude]
type = "anthropic"
base_url = "http://127.0.0.1:{port}"
api_key = "outage"
[providers.gpt]
type = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "outage"
"""


class Stage:
    """The processes; the simulator runs from the beginning, the gateway when it is started. ``close`` ends both."""

    def __init__(
        self, folder: Path, *, workers: int = 1, seed: int = 7, drain_s: float = 10, segment_bytes: int = 256 * 1024
    ) -> None:
        self.key = ""
        """What clients call with, once the gateway has started."""
        self.admin_key = f"admin-{secrets.token_hex(16)}"
        folder.mkdir(exist_ok=True)
        self.simulator = Process(
            arguments=["simulate", "--seed", str(seed)], folder=folder / "simulator", environment={}
        ).start()
        config = folder / "lockgate.toml"
        config.write_text(_CONFIG.format(port=self.simulator.port, drain_s=drain_s, segment_bytes=segment_bytes))
        keys = {"LOCKGATE_API_KEY": f"unused-{secrets.token_hex(16)}", "LOCKGATE_ADMIN_KEY": self.admin_key}
        arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--workers", str(workers)]
        self.gateway = Process(arguments=arguments, folder=folder / "gw", environment=keys)
        self._simulator_seen = 0
        self._workspace = self._key_id = ""

    @property
    def journal(self) -> Path:
        """Where the gateway's journal lies."""
        return self.gateway.home / "journal"

    @property
    def records(self) -> Path:
        """Where the gateway's record store lies."""
        return self.gateway.home / "records"

    @property
    def api(self) -> Api:
        """The control plane."""
        return Api(self.gateway.port, self.admin_key)

    def start(self) -> None:
        """Start the gateway; the first time, make a key with a budget that is never used up."""
        self.gateway.start()
        if self.key:
            return
        self._workspace = self.api.ask("GET", "/admin/workspaces")["data"][0]["id"]
        made = self.api.ask(
            "POST",
            "/api-keys/workspace/service",
            {
                "name": "load",
                "workspace_id": self._workspace,
                "scopes": ["completions.write"],
                "usage_limits": [{"type": "cost", "credit_limit": 100_000}],
            },
        )
        self.key, self._key_id = made["key"], made["id"]
        time.sleep(1.0)  # the change feed of every worker

    def close(self) -> None:
        """End both processes."""
        for process in (self.gateway, self.simulator):
            if process.popen is not None:
                process.stop()

    def kill(self, pid: int) -> None:
        """Kill a process of the gateway without warning."""
        os.kill(pid, signal.SIGKILL)
        popen = self.gateway.popen
        if popen is not None and popen.pid == pid:
            popen.wait(10)

    def received(self) -> list[dict[str, Any]]:
        """Return what the simulator received since the last call, once nothing of it is under way any more."""
        found: list[dict[str, Any]] = []

        def is_quiet() -> bool:
            found[:] = self._ask(f"/_simulator/requests?after={self._simulator_seen}&limit=1000")["requests"]
            return all(entry["outcome"] != "open" for entry in found)

        if wait(is_quiet, 20) is None:
            raise RuntimeError("the simulator still answers requests of a gateway that is gone")
        self._simulator_seen = max((entry["id"] for entry in found), default=self._simulator_seen)
        return found

    def simulated(self) -> dict[str, int]:
        """Return the simulator's own counters."""
        counters: dict[str, int] = self._ask("/_simulator/counters")
        return counters

    def spent(self) -> int:
        """Return what the counter of the key says was spent, in nano-dollars."""
        body = {"workspace_id": self._workspace, "key_id": self._key_id, "provider": "claude"}
        (limit,) = self.api.ask("POST", "/policies/evaluate", body)["limits"]
        return int(Decimal(limit["used"]) * NANOS)

    def metrics(self) -> dict[str, float]:
        """Return the numbers of ``/metrics``, by name with labels."""
        text = self._get(self.gateway.port, "/metrics", {"x-portkey-api-key": self.admin_key}).decode()
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def memory_mb(self) -> float:
        """Return the resident memory of the gateway and of all that it started, in MB (10^6 bytes)."""
        popen = self.gateway.popen
        assert popen is not None
        return sum(map(_resident, family(popen.pid))) / 1e6

    def _ask(self, path: str) -> Any:
        return json.loads(self._get(self.simulator.port, path, {}))

    @staticmethod
    def _get(port: int, path: str, headers: dict[str, str]) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            data = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"GET {path}: status {answer.status}: {data[:300]!r}")
            return data
        finally:
            connection.close()


def wait(is_done: Callable[[], bool], limit_s: float) -> float | None:
    """Wait until something is true; return how long it took, None when it never was."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < limit_s:
        if is_done():
            return time.monotonic() - began_s
        time.sleep(0.05)
    return None


def family(pid: int) -> set[int]:
    """Return a process with all that it started, and what those started."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
