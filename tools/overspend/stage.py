"""The processes and what is in them: a simulator, a gateway of one or more workers, keys and limits at every level."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from tools.files import ROOT

START_S = 40
NANOS = 10**9
PROVIDERS = {"claude": "anthropic", "gpt": "openai"}
USERS = 12
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
_WORKER = re.compile(r"worker (\d+) listens \(process (\d+)\)")
_BLIND = re.compile(r"admitted unasked \((\d+) so far")
_KEYS = (("first", 0.2), ("second", 0.4), ("third", 0.6), ("fourth", 0.8))
_LEAST_DOLLARS = Decimal("0.01")
_CONFIG = """
[server]
trusted_custom_hosts = ["127.0.0.1"]
drain_s = {drain_s}
[limits]
connections = 30000
upstream_connections = 8000
[simulator]
enabled = false
"""


@dataclass(kw_only=True)
class Process:
    """A running ``lockgate``, its log and its port."""

    arguments: list[str]
    folder: Path
    environment: dict[str, str]
    port: int = 0
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, again on the same port where it had one, and wait until it listens."""
        self.spawn()
        self.port = self._wait()
        return self

    def spawn(self) -> None:
        """Start it, and do not wait."""
        self.folder.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        kept |= {"PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1", "LOCKGATE_HOME": str(self.home)}
        command = [sys.executable, "-m", "lockgate", *self.arguments, "--port", str(self.port)]
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                command,
                cwd=self.folder,
                env=kept | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def home(self) -> Path:
        """Its state folder."""
        return self.folder / "home"

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / "output.log"

    def workers(self) -> dict[int, int]:
        """Return the process of each worker, by its number; without workers nothing."""
        return {int(number): int(pid) for number, pid in _WORKER.findall(self.log.read_text(errors="replace"))}

    def blind(self) -> int:
        """Return how many requests were admitted while the counters did not answer, about."""
        return sum(map(int, _BLIND.findall(self.log.read_text(errors="replace"))))

    def kill_one(self) -> int:
        """Kill a worker without warning, or the process itself where it has no workers; return which."""
        assert self.popen is not None
        workers = self.workers()
        pid = workers[max(workers)] if workers else self.popen.pid
        os.kill(pid, signal.SIGKILL)
        if not workers:
            self.popen.wait(10)
        return pid

    def stop(self) -> int:
        """End it in order; return its exit status."""
        assert self.popen is not None
        if self.popen.poll() is None:
            self.popen.terminate()
        try:
            return self.popen.wait(60)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait(10)

    def _wait(self) -> int:
        assert self.popen is not None
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s and self.popen.poll() is None:
            found = _ADDRESS.search(self.log.read_text(errors="replace"))
            if found:
                try:
                    socket.create_connection(("127.0.0.1", int(found[1])), timeout=2).close()
                except OSError:
                    pass
                else:
                    return int(found[1])
            time.sleep(0.05)
        raise RuntimeError(f"Lockgate did not start:\n{self.log.read_text(errors='replace')[-3000:]}")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A budget that was set: what it is called in the table, and its cap in nanos, tokens or requests."""

    id: str
    level: str
    unit: str
    cap: int


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key that calls models."""

    id: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What was set up. ``limits`` are by their ids."""

    keys: tuple[Key, ...]
    workspace_id: str
    limits: dict[str, Limit]


class Api:
    """The control plane of a gateway."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer as data; money in it is exact. Raises RuntimeError for a refusal."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            headers = {"x-portkey-api-key": self._key, "content-type": "application/json"}
            connection.request(method, f"/v1{path}", json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            data = answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: status {answer.status}: {data[:500]!r}")
            return json.loads(data, parse_float=Decimal) if data else None
        finally:
            connection.close()


class Stage:
    """Simulator and gateway, started; ``close`` ends both."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int,
        seed: int,
        latency_s: float,
        token_delay_s: float,
        drain_s: float = 20.0,
    ) -> None:
        self.admin_key = f"admin-{secrets.token_hex(16)}"
        slow = ["--latency-s", str(latency_s), "--token-delay-s", str(token_delay_s)]
        self.simulator = Process(
            arguments=["simulate", "--seed", str(seed), *slow], folder=folder / "simulator", environment={}
        )
        config = folder / "lockgate.toml"
        config.write_text(_CONFIG.format(drain_s=drain_s))
        arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--workers", str(workers)]
        keys = {"LOCKGATE_API_KEY": f"unused-{secrets.token_hex(16)}", "LOCKGATE_ADMIN_KEY": self.admin_key}
        self.gateway = Process(arguments=arguments, folder=folder / "gw", environment=keys)
        self.simulator.start()
        try:
            self.gateway.start()
        except BaseException:
            self.simulator.stop()
            raise

    @property
    def api(self) -> Api:
        """The control plane."""
        return Api(self.gateway.port, self.admin_key)

    def close(self) -> None:
        """End both processes."""
        for process in (self.gateway, self.simulator):
            if process.popen is not None:
                process.stop()

    def simulated(self) -> dict[str, int]:
        """Return the simulator's own counters."""
        connection = http.client.HTTPConnection("127.0.0.1", self.simulator.port, timeout=30)
        try:
            connection.request("GET", "/_simulator/counters")
            counters: dict[str, int] = json.loads(connection.getresponse().read())
            return counters
        finally:
            connection.close()

    def prepare(self, calls: int) -> Scene:
        """Make providers, keys and budgets of far less than so many calls would cost."""
        dollars = max(Decimal("0.03"), Decimal(calls) * Decimal("0.000015"))
        limits: dict[str, Limit] = {}
        workspace = self.api.ask("GET", "/admin/workspaces")["data"][0]["id"]
        self._provide(limits, workspace, calls, dollars)
        self.api.ask("PUT", f"/admin/workspaces/{workspace}", {"usage_limits": [_cost(dollars)]})
        shown = self.api.ask("GET", f"/admin/workspaces/{workspace}")["usage_limits"][0]
        limits[shown["id"]] = Limit(id=shown["id"], level="workspace", unit="cost", cap=_nanos(dollars))
        keys = tuple(
            self._key(limits, workspace, name, max(_LEAST_DOLLARS, dollars * share)) for name, share in _SHARES
        )
        self._policies(limits, workspace, calls, dollars)
        return Scene(keys=keys, workspace_id=workspace, limits=limits)

    def _key(self, limits: dict[str, Limit], workspace: str, name: str, dollars: Decimal) -> Key:
        body = {
            "name": name,
            "workspace_id": workspace,
            "scopes": ["completions.write"],
            "usage_limits": [_cost(dollars)],
            "rate_limits": [{"type": "requests", "unit": "rpd", "value": 10_000_000}],
        }
        made = self.api.ask("POST", "/api-keys/workspace/service", body)
        limit = self.api.ask("GET", f"/api-keys/{made['id']}")["usage_limits"]
        limits[limit["id"]] = Limit(id=limit["id"], level=f"key {name}", unit="cost", cap=_nanos(dollars))
        return Key(id=made["id"], text=made["key"])

    def _policies(self, limits: dict[str, Limit], workspace: str, calls: int, dollars: Decimal) -> None:
        requests = max(12, calls // 60)
        for name, type_, cap, group in (
            ("requests of a person", "requests", requests, "metadata._user"),
            ("dollars by provider", "cost", dollars * Decimal("0.7"), "provider"),
        ):
            credit = float(cap) if type_ == "cost" else int(cap)
            body = {"name": name, "workspace_id": workspace, "type": type_, "credit_limit": credit}
            made = self.api.ask(
                "POST",
                "/policies/usage-limits",
                {**body, "conditions": [{"key": group, "value": "*"}], "group_by": [{"key": group}]},
            )
            seen = self._evaluate(workspace, None, "claude", "user0")
            limit = next(one for one in seen if one["name"] == name)
            amount = _nanos(Decimal(cap)) if type_ == "cost" else int(cap)
            limits[limit["id"]] = Limit(id=limit["id"], level=f"policy {name}", unit=type_, cap=amount)
            assert made["id"]

    def _provide(self, limits: dict[str, Limit], workspace: str, calls: int, dollars: Decimal) -> None:
        """Make an integration and a provider for each kind of target, both with budgets."""
        tokens = max(4000, calls * 4)
        budgets = {"claude": _cost(dollars * Decimal("0.6")), "gpt": {"type": "tokens", "credit_limit": tokens}}
        for slug, provider in PROVIDERS.items():
            url = f"http://127.0.0.1:{self.simulator.port}" + ("/v1" if slug == "gpt" else "")
            integration = {
                "name": slug,
                "slug": f"{slug}-account",
                "ai_provider_id": provider,
                "workspace_id": workspace,
                "key": f"upstream-{secrets.token_hex(16)}",
                "configurations": {"custom_host": url},
                "create_default_provider": False,
                "usage_limits": [_cost(dollars * Decimal("0.9"))],
            }
            made = self.api.ask("POST", "/integrations", integration)
            record = {"name": slug, "slug": slug, "integration_id": made["id"], "workspace_id": workspace}
            self.api.ask("POST", "/providers", {**record, "usage_limits": budgets[slug]})
            for limit in self._evaluate(workspace, None, slug, "user0"):
                if limit["scope"] in ("provider", "integration"):
                    cap = _amount(limit["limit"], limit["type"])
                    level = f"{limit['scope']} {limit['name']}"
                    limits[limit["id"]] = Limit(id=limit["id"], level=level, unit=limit["type"], cap=cap)

    def _evaluate(self, workspace: str, key: Key | None, provider: str, user: str) -> list[dict[str, Any]]:
        body: dict[str, Any] = {"workspace_id": workspace, "provider": provider, "metadata": {"_user": user}}
        if key is not None:
            body["key_id"] = key.id
        found: list[dict[str, Any]] = self.api.ask("POST", "/policies/evaluate", body)["limits"]
        return found

    def counters(self, scene: Scene) -> dict[tuple[str, str], tuple[int, int]]:
        """Return what each budget has used and reserves, by its id and group, as the control plane shows it."""
        found: dict[tuple[str, str], tuple[int, int]] = {}
        asks = [(key, slug, "user0") for key in scene.keys for slug in PROVIDERS]
        asks += [(scene.keys[0], "claude", f"user{number}") for number in range(USERS)]
        for key, slug, user in asks:
            for limit in self._evaluate(scene.workspace_id, key, slug, user):
                if limit["kind"] == "budget":
                    amounts = [_amount(limit[name], limit["type"]) for name in ("used", "reserved")]
                    found[limit["id"], limit["value_key"] or ""] = (amounts[0], amounts[1])
        return found

    def wait(self, is_done: Callable[[], bool], limit_s: float) -> float | None:
        """Wait until something is true; return how long it took, None when it never was."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < limit_s:
            if is_done():
                return time.monotonic() - began_s
            time.sleep(0.1)
        return None


_SHARES = tuple((name, Decimal(str(share))) for name, share in _KEYS)


def _cost(dollars: Decimal) -> dict[str, object]:
    return {"type": "cost", "credit_limit": float(dollars)}


def _nanos(dollars: Decimal) -> int:
    return int(Decimal(str(float(dollars))) * NANOS)


def _amount(value: Any, type_: str) -> int:
    if value is None:
        raise RuntimeError("the counters do not answer")
    return int(Decimal(value) * NANOS) if type_ == "cost" else int(value)
