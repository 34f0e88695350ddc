"""Behaviour that no speed may cost, tried for real: keep-alive, cancelling, back-pressure, large bodies, draining.

What the provider's side saw is read from the fake provider's counters, not guessed from ours.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.client import Client, write_request
from bench.errors import BenchError
from bench.payloads import FIRST_TOKEN, Api, Shape
from bench.processes import memory_mb
from bench.running import Bench, Running, running
from bench.systems import System

LEAVING_CLIENTS = 20
CANCEL_LIMIT_S = 0.1
HELD_LIMIT_BYTES = 32_000_000
"""Socket buffers of two connections and our own: a reader that stalls must not cost more."""
STALL_S = 2.0
GROWTH_LIMIT_BYTES = 1_000_000
DROP_LIMIT_S = 1.0
FIRST_TOKEN_LIMIT_S = 5.0
DRAIN_LIMIT_S = 10.0
APIS: tuple[Api, ...] = ("chat", "messages")
_END = {"chat": b"[DONE]", "messages": b'message_stop"}'}
_WHOLE_END = {"chat": b"finish_reason", "messages": b"stop_reason"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check saw."""

    name: str
    is_met: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class _Site:
    """What a check works with."""

    bench: Bench
    target: Running

    def count(self, name: str) -> float:
        """One of the fake provider's counters."""
        return self.bench.provider.counters()[name]

    def wait_for(self, name: str, least: float, limit_s: float) -> float:
        """Wait until a counter reaches a value and return it, or what it is when time runs out."""
        deadline_s = time.monotonic() + limit_s
        while (value := self.count(name)) < least and time.monotonic() < deadline_s:
            time.sleep(0.005)
        return value


def run_checks(bench: Bench, system: System, say: Callable[[str], None]) -> list[Finding]:
    """Run every check on one system and say what each saw."""
    findings = []
    try:
        with running(bench, system, Shape(api="chat")) as target:
            for finding in _all_findings(_Site(bench=bench, target=target)):
                say(f"{'ok    ' if finding.is_met else 'FAILED'} {system.name}: {finding.name}: {finding.text}")
                findings.append(finding)
    except BenchError as error:
        say(f"FAILED {system.name}: {error}")
        findings.append(Finding(name="start", is_met=False, text=str(error)))
    return findings


def _all_findings(site: _Site) -> Iterator[Finding]:
    for check in (_keep_alive, _cancel, _back_pressure, _huge_body):
        for api in APIS:
            try:
                yield check(site, api)
            except OSError as error:
                yield Finding(
                    name=f"{check.__name__.strip('_').replace('_', ' ')}, {api}", is_met=False, text=str(error)
                )
    try:
        yield _drain(site)
    except OSError as error:
        yield Finding(name="SIGTERM in a stream", is_met=False, text=str(error))


def _await_first_token(client: Client) -> None:
    """Read up to the first token. Raises OSError when the answer is not such a stream."""
    token = FIRST_TOKEN.strip().encode()
    begin = client.read_until(token, FIRST_TOKEN_LIMIT_S)
    if token not in begin:
        raise OSError(f"it did not stream: {begin[:80]!r}")


def _keep_alive(site: _Site, api: Api) -> Finding:
    client, good = Client(site.target), 0
    for _ in range(3):
        client.send(write_request(site.target, Shape(api=api)))
        good += b" 200 " in client.read_until(b"\r\n")
        client.read_until(_WHOLE_END[api])
        time.sleep(0.05)  # the rest of the answer
        client.read_until(b"}}", limit_s=0.1)
    client.close()
    return Finding(name=f"keep-alive, {api}", is_met=good == 3, text=f"{good} of 3 requests on one connection")


def _cancel(site: _Site, api: Api) -> Finding:
    aborted = site.count("streams_aborted")
    clients = [Client(site.target) for _ in range(LEAVING_CLIENTS)]
    request = write_request(site.target, Shape(api=api, model="claude-paced", is_stream=True))
    for client in clients:
        client.send(request)
    for client in clients:
        _await_first_token(client)
    left_s = time.monotonic()
    for client in clients:
        client.close()
    gone = site.wait_for("streams_aborted", aborted + LEAVING_CLIENTS, limit_s=2.0) - aborted
    took_s = site.count("last_abort_s") - left_s if gone else 0.0
    return Finding(
        name=f"cancel, {api}",
        is_met=gone == LEAVING_CLIENTS and took_s <= CANCEL_LIMIT_S,
        text=f"{gone:.0f} of {LEAVING_CLIENTS} upstreams dropped within {took_s * 1e3:.1f} ms",
    )


def _back_pressure(site: _Site, api: Api) -> Finding:
    sent, aborted = site.count("bytes_sent"), site.count("streams_aborted")
    before_mb = memory_mb(site.target.pid, "VmRSS")
    client = Client(site.target, receive_buffer_bytes=16384)
    client.send(write_request(site.target, Shape(api=api, model="claude-flood", is_stream=True)))
    _await_first_token(client)
    time.sleep(STALL_S)
    held = site.count("bytes_sent") - sent
    time.sleep(1.0)
    growth = site.count("bytes_sent") - sent - held
    more_mb = memory_mb(site.target.pid, "VmRSS") - before_mb
    client.close()
    is_dropped = site.wait_for("streams_aborted", aborted + 1, DROP_LIMIT_S) > aborted
    return Finding(
        name=f"back-pressure, {api}",
        is_met=0 < held <= HELD_LIMIT_BYTES and growth <= GROWTH_LIMIT_BYTES and is_dropped,
        text=(
            f"{held / 1e6:.1f} MB taken for a stalled reader, {growth / 1e6:.1f} MB in the next second, "
            f"memory {more_mb:+.0f} MB, upstream {'dropped' if is_dropped else 'NOT dropped'} when it left"
        ),
    )


def _huge_body(site: _Site, api: Api) -> Finding:
    before_mb, began_s = memory_mb(site.target.pid), time.monotonic()
    client = Client(site.target)
    client.send(write_request(site.target, Shape(api=api, size="huge")))
    status = client.read_until(b"\r\n")[9:12].decode(errors="replace")
    took_s = time.monotonic() - began_s
    client.close()
    peak_mb = memory_mb(site.target.pid)
    text = f"status {status or 'none'} after {took_s:.2f} s, peak memory {peak_mb:.0f} MB (before {before_mb:.0f})"
    return Finding(name=f"32 MB request, {api}", is_met=status == "200", text=text)


def _drain(site: _Site) -> Finding:
    """SIGTERM in the middle of two streams: both must end properly, then the process, with status 0."""
    clients = {api: Client(site.target) for api in APIS}
    for api, client in clients.items():
        client.send(write_request(site.target, Shape(api=api, model="claude-paced", is_stream=True)))
    for client in clients.values():
        _await_first_token(client)
    began_s = time.monotonic()
    site.target.process.terminate()
    finished = [api for api, client in clients.items() if _END[api] in client.read_until(_END[api], DRAIN_LIMIT_S)]
    for client in clients.values():
        client.close()
    try:
        status = str(site.target.process.wait(DRAIN_LIMIT_S))
    except subprocess.TimeoutExpired:
        status = f"none within {DRAIN_LIMIT_S:.0f} s"
    return Finding(
        name="SIGTERM in a stream",
        is_met=len(finished) == len(APIS) and status == "0",
        text=f"finished: {', '.join(finished) or 'none'}; exit {status} after {time.monotonic() - began_s:.1f} s",
    )
