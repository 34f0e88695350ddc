"""Starts Lockgate and its simulator as users do, as processes, and keeps what they wrote for the leak check."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any

import httpx
import redis

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
START_S = 60
STOP_S = 30
BODY_LIMIT_BYTES = 1024 * 1024

# Three canaries: none of them may ever show in a log, in the state folder or in an error.
GATEWAY_KEY = f"gateway-canary-{secrets.token_hex(16)}"
SECOND_KEY = f"second-canary-{secrets.token_hex(16)}"
UPSTREAM_KEY = f"sk-ant-api03-upstream-canary-{secrets.token_hex(16)}"
CANARIES = {"gateway key": GATEWAY_KEY, "second gateway key": SECOND_KEY, "upstream key": UPSTREAM_KEY}

CONFIG = """
[simulator]
enabled = true

[server]
trusted_custom_hosts = ["127.0.0.1"]

[limits]
body_bytes = {body_limit_bytes}

[keys.second]
key = "env:E2E_SECOND_KEY"

[providers.sim-anthropic]
type = "anthropic"
base_url = "{simulator}"
api_key = "env:E2E_UPSTREAM_KEY"

[providers.sim-openai]
type = "openai"
base_url = "{simulator}/v1"
api_key = "env:E2E_UPSTREAM_KEY"

[providers.hasty-anthropic]
type = "anthropic"
base_url = "{simulator}"
api_key = "env:E2E_UPSTREAM_KEY"
timeouts = {{ first_byte_s = 2, idle_s = 1 }}

[providers.hasty-openai]
type = "openai"
base_url = "{simulator}/v1"
api_key = "env:E2E_UPSTREAM_KEY"
timeouts = {{ first_byte_s = 2, idle_s = 1 }}

[providers.rec-anthropic]
type = "anthropic"
base_url = "{recorder}"
api_key = "{upstream_key}"

[providers.rec-openai]
type = "openai"
base_url = "{recorder}/v1"
api_key = "{upstream_key}"

[providers.rec-compatible]
type = "openai-compatible"
base_url = "{recorder}/v1"

[providers.slow-anthropic]
type = "anthropic"
base_url = "{recorder}"
api_key = "{upstream_key}"
timeouts = {{ first_byte_s = 0.5, idle_s = 0.5 }}

[providers.slow-openai]
type = "openai"
base_url = "{recorder}/v1"
api_key = "{upstream_key}"
timeouts = {{ first_byte_s = 0.5, idle_s = 0.5 }}

[providers.dead-anthropic]
type = "anthropic"
base_url = "http://127.0.0.1:1"
api_key = "{upstream_key}"

[providers.dead-openai]
type = "openai"
base_url = "http://127.0.0.1:1/v1"
api_key = "{upstream_key}"
"""


def clean_environment(**extra: str) -> dict[str, str]:
    """Return an environment without credentials, proxies or settings of the machine that could change a result."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE") if name in os.environ
    }
    return kept | {"PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"} | extra


@dataclass
class Evidence:
    """Everything in which a credential could have leaked: texts that tests collected, and folders of logs and state."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    canaries: dict[str, str] = field(default_factory=lambda: dict(CANARIES))

    def add(self, where: str, text: object) -> None:
        """Keep a text, or anything that JSON can hold, for the check at the end."""
        self.texts.append((where, text if isinstance(text, str) else json.dumps(text, default=str)))

    def hide(self, name: str, secret: str) -> str:
        """Watch for one more secret from now on; return it."""
        self.canaries[name] = secret
        return secret

    def leaks(self) -> list[str]:
        """Return a line for each place that holds a canary, as it is or in base64."""
        found = [f"{name} in {where}" for where, text in self.texts for name in self._in(text.encode())]
        for folder in self.folders:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                found += [f"{name} in {path}" for name in self._in(path.read_bytes())]
        return found

    def _in(self, content: bytes) -> list[str]:
        return [name for name, key in self.canaries.items() if any(form in content for form in _forms(key))]


@cache
def _forms(secret: str) -> tuple[bytes, ...]:
    """Return what gives a secret away: its text, and base64 of it, wherever it begins in a longer text."""
    data = secret.encode()
    # of each shift only the middle is the same whatever stands around
    shifted = (base64.b64encode(b"x" * shift + data)[4:-4] for shift in range(3))
    return (data, *shifted)


@dataclass(frozen=True)
class Server:
    """A running process of ours."""

    url: str
    """Its origin, without a path."""
    home: Path
    log: Path
    process: subprocess.Popen[bytes]


@contextmanager
def running(
    arguments: list[str], *, folder: Path, environment: dict[str, str], home: str | None = None
) -> Iterator[Server]:
    """Run ``python -m lockgate ARGUMENTS`` until the block ends; its output goes to ``folder/output.log``.

    ``home`` is the state folder as the process is told it, ``folder/home`` when left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    with log.open("wb") as output:
        process = start(arguments, folder, environment, output, home)
        try:
            yield Server(url=wait_for_address(process, log), home=folder / "home", log=log, process=process)
        finally:
            stop(process)
            if process.returncode == -signal.SIGKILL:
                end_left_over(folder / (home or "home"))


def end_left_over(home: Path) -> None:
    """End the private Valkey of a gateway that was killed, as its next start would."""
    path = home / "valkey.sock"
    if path.exists():
        with redis.Redis(unix_socket_path=str(path)) as client, suppress(redis.RedisError):
            client.shutdown(nosave=True)


def start(
    arguments: list[str], folder: Path, environment: dict[str, str], output: IO[bytes], home: str | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "lockgate", *arguments],
        cwd=folder,
        env=environment | {"LOCKGATE_HOME": home or str(folder / "home")},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        found = ADDRESS.search(log.read_text(errors="replace"))
        if found and is_listening(found.group(0)):
            return found.group(0)
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(
        f"{process.args!r} did not start (exit status {process.poll()}):\n{log.read_text(errors='replace')}"
    )


def is_listening(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False, timeout=2)
    except httpx.TransportError:
        return False
    return True


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
        raise RuntimeError("the process did not end in time after SIGTERM") from None


def running_simulator(folder: Path) -> Any:
    """Run the simulator alone. Its log of requests is at ``/_simulator/requests``."""
    return running(["simulate", "--port", "0", "--seed", "7"], folder=folder, environment=clean_environment())


def running_gateway(folder: Path, *, simulator: str, recorder: str) -> Any:
    """Run the gateway with the providers of ``CONFIG``, plus the built-in simulator as @anthropic and @openai."""
    folder.mkdir(parents=True, exist_ok=True)
    text = CONFIG.format(
        simulator=simulator, recorder=recorder, upstream_key=UPSTREAM_KEY, body_limit_bytes=BODY_LIMIT_BYTES
    )
    # The file holds a credential on purpose, so it lies outside the folder that is searched for leaks.
    config = folder.parent / f"{folder.name}.toml"
    config.write_text(text)
    environment = clean_environment(
        LOCKGATE_API_KEY=GATEWAY_KEY, E2E_SECOND_KEY=SECOND_KEY, E2E_UPSTREAM_KEY=UPSTREAM_KEY
    )
    arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", "0"]
    return running(arguments, folder=folder, environment=environment)


def simulator_log(simulator: Server) -> list[str]:
    """Return the bodies that the simulator was sent, oldest first. It keeps the newest thousand."""
    answer = httpx.get(f"{simulator.url}/_simulator/requests", trust_env=False, timeout=30)
    answer.raise_for_status()
    return [base64.b64decode(entry["body_base64"]).decode() for entry in answer.json()["requests"]]
