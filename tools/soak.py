"""Runs paced streams through Lockgate for minutes and watches its memory: python -m tools.soak --seconds 600

A simulator and ``lockgate up`` run as processes. On each route several clients read one stream each, all at once, as
long as they were told to; meanwhile the resident memory of the gateway is read. The exit status is 1 when a stream does
not arrive whole, when no memory could be read, or when the gateway grew by more than the limit. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.files import ROOT

START_S = 30
SILENCE_S = 60
LIMIT_MB = 4.0
"""What the gateway may grow by. Four streams of ten minutes that were kept, not only passed on, would cost more."""
EVENT_BYTES = 12
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
_CONFIG = """
[records]
bodies = "{bodies}"
[providers.claude]
type = "anthropic"
base_url = "http://127.0.0.1:{port}"
api_key = "soak"
[providers.gpt]
type = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "soak"
"""


@dataclass(frozen=True, kw_only=True)
class Route:
    """A path and whom it leads to."""

    name: str
    path: str
    model: str
    limit_field: str = "max_tokens"
    """How the limit of an answer is called."""


ROUTES = (
    Route(name="chat to Claude, translated", path="/v1/chat/completions", model="@claude/claude-opus-4-6"),
    Route(name="Messages to Claude, byte path", path="/v1/messages", model="@claude/claude-opus-4-6"),
    Route(name="Messages to GPT, adapter", path="/v1/messages", model="@gpt/gpt-5.2"),
    Route(
        name="chat to GPT, byte path",
        path="/v1/chat/completions",
        model="@gpt/gpt-5.2",
        limit_field="max_completion_tokens",
    ),
)


@dataclass(kw_only=True)
class Stream:
    """One stream as its client saw it."""

    route: Route
    events: int
    pause_s: float
    text_bytes: int = 0
    body_bytes: int = 0
    took_s: float = 0.0
    is_ended: bool = False
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether every byte of the text and the end of the stream arrived."""
        return not self.problem and self.is_ended and self.text_bytes == self.events * EVENT_BYTES

    def body(self) -> bytes:
        """Return the request: the simulator is told how much to say, in how many events, and how slowly."""
        orders = f"[[sim: big={self.events * EVENT_BYTES}, events={self.events}, drip={self.pause_s:g}]]"
        wanted = {
            "model": self.route.model,
            "messages": [{"role": "user", "content": f"Go on and on. {orders}"}],
            "stream": True,
            self.route.limit_field: 128_000,
        }
        return json.dumps(wanted).encode()

    def run(self, port: int, key: str) -> None:
        """Read the stream to its end; what goes wrong is noted."""
        began_s = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SILENCE_S)
        try:
            headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
            connection.request("POST", self.route.path, self.body(), headers)
            answer = connection.getresponse()
            if answer.status != 200:
                self.problem = f"status {answer.status}: {answer.read()[:300]!r}"
            for line in answer:
                self.body_bytes += len(line)
                self.read(line)
        except (OSError, http.client.HTTPException) as error:
            self.problem = repr(error)
        finally:
            connection.close()
            self.took_s = time.monotonic() - began_s

    def read(self, line: bytes) -> None:
        """Count what a line of the stream says."""
        if not line.startswith(b"data: "):
            return
        if line.startswith(b"data: [DONE]"):
            self.is_ended = True
            return
        data: dict[str, Any] = json.loads(line[6:])
        if "error" in data:
            self.problem = f"an error in the stream: {data['error']}"
        self.is_ended = self.is_ended or data.get("type") == "message_stop"
        delta = data.get("delta") or {}
        text = delta.get("text") if delta.get("type") == "text_delta" else None
        for choice in data.get("choices") or ():
            text = choice["delta"].get("content")
        self.text_bytes += len((text or "").encode())


@dataclass(kw_only=True)
class Memory:
    """The resident memory of a process in MB (10^6 bytes): before the streams, while they run, behind them."""

    start_mb: float
    samples: list[tuple[float, float]] = field(default_factory=list)
    """Pairs of seconds since the start and MB, in order."""
    end_mb: float = 0.0

    @property
    def max_mb(self) -> float:
        """The highest value that was seen."""
        return max([self.start_mb, self.end_mb, *(mb for _, mb in self.samples)])

    def after(self, part: float) -> float:
        """Return the value when this part of the time was over."""
        if not self.samples:
            return self.start_mb
        return self.samples[min(int(part * len(self.samples)), len(self.samples) - 1)][1]


def faults(streams: Sequence[Stream], memory: Memory, limit_mb: float) -> list[str]:
    """Return what was not as it must be; empty when all is well."""
    found = [
        f"{stream.route.name}: {stream.problem or f'{stream.text_bytes} bytes of text, end seen: {stream.is_ended}'}"
        for stream in streams
        if not stream.is_whole
    ]
    if not memory.samples:
        found.append("no memory was read")
    if memory.max_mb - memory.start_mb > limit_mb:
        found.append(f"memory grew by {memory.max_mb - memory.start_mb:.1f} MB, more than {limit_mb:g}")
    return found


def report(streams: Sequence[Stream], memory: Memory) -> list[str]:
    """Return the lines that say what ran and what memory did."""
    lines = []
    for route in ROUTES:
        own = [stream for stream in streams if stream.route == route]
        body_mb = sum(stream.body_bytes for stream in own) / 1e6
        lines.append(
            f"{route.name:30} {len(own)} streams of {max(stream.took_s for stream in own):.0f} s, "
            f"{own[0].events} events each, {body_mb:.1f} MB in all, "
            f"{sum(stream.is_whole for stream in own)} arrived whole"
        )
    steps = ", ".join(f"{memory.after(part / 4):.1f}" for part in (1, 2, 3))
    lines.append(
        f"resident memory: {memory.start_mb:.1f} MB at the start, {steps} at each quarter, "
        f"{memory.max_mb:.1f} at most, {memory.end_mb:.1f} at the end ({len(memory.samples)} readings)"
    )
    return lines


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


@contextmanager
def running(arguments: Sequence[str], folder: Path, **variables: str) -> Iterator[tuple[int, int]]:
    """Run ``lockgate ARGUMENTS`` on a free port; yield port and process id."""
    folder.mkdir()
    log = folder / "output.log"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    kept |= {"PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1", "LOCKGATE_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "lockgate", *arguments, "--port", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=kept | variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield _wait_for(process, log), process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        found = _ADDRESS.search(log.read_text(errors="replace"))
        if found:
            try:
                socket.create_connection(("127.0.0.1", int(found[1])), timeout=2).close()
            except OSError:
                pass
            else:
                return int(found[1])
        time.sleep(0.05)
    raise SystemExit(f"Lockgate did not start:\n{log.read_text(errors='replace')[-3000:]}")


def soak(port: int, pid: int, key: str, streams: Sequence[Stream]) -> Memory:
    """Run all streams at once and read the memory of the gateway meanwhile."""
    memory = Memory(start_mb=resident_mb(pid))
    threads = [threading.Thread(target=stream.run, args=(port, key), daemon=True) for stream in streams]
    began_s = time.monotonic()
    longest_s = max(stream.events * stream.pause_s for stream in streams)
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        memory.samples.append((time.monotonic() - began_s, resident_mb(pid)))
        threads[0].join(min(1.0, longest_s / 100))
    memory.end_mb = resident_mb(pid)
    return memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the streams and print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description="Watch memory while long streams run.")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each stream lasts, default 10")
    parser.add_argument("--streams", type=int, default=4, help="streams at once on each route, default 4")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two events, default 0.05")
    parser.add_argument("--limit-mb", type=float, default=LIMIT_MB, help=f"allowed growth in MB, default {LIMIT_MB:g}")
    parser.add_argument(
        "--bodies",
        action="store_true",
        help="keep bodies, too: of each stream up to 4 MB on each side are held until its end, so allow for them",
    )
    options = parser.parse_args(arguments)
    events, key = max(1, round(options.seconds / options.pause)), f"soak-{secrets.token_hex(16)}"
    with tempfile.TemporaryDirectory(prefix="lockgate-soak-") as name:
        folder = Path(name)
        with running(["simulate", "--seed", "7"], folder / "simulator") as (upstream, _):
            config = folder / "lockgate.toml"
            config.write_text(_CONFIG.format(port=upstream, bodies="full" if options.bodies else "off"))
            up = ["up", "--config", str(config), "--host", "127.0.0.1"]
            with running(up, folder / "gateway", LOCKGATE_API_KEY=key) as (port, pid):
                # What is imported and allocated once is not growth.
                warm = [Stream(route=route, events=100, pause_s=0) for route in ROUTES for _ in range(options.streams)]
                soak(port, pid, key, warm)
                streams = [
                    Stream(route=route, events=events, pause_s=options.pause)
                    for route in ROUTES
                    for _ in range(options.streams)
                ]
                memory = soak(port, pid, key, streams)
    print(*report(streams, memory), sep="\n")
    found = faults([*warm, *streams], memory, options.limit_mb)
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
