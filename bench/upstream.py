"""The fake provider as a running process, and its counters."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from dataclasses import dataclass

from bench.errors import BenchError
from bench.processes import Children, free_port
from bench.programs import BUILD, Programs


@dataclass(frozen=True, kw_only=True)
class FakeProvider:
    """A running ``mock_upstream``."""

    process: subprocess.Popen[bytes]
    port: int

    def counters(self) -> dict[str, float]:
        """What it has counted so far; the names are those of ``/stats``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/stats")
            counters: dict[str, float] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return counters


def start_fake_provider(programs: Programs, children: Children, core: int | None, *, pace_ms: int = 20) -> FakeProvider:
    """Start the fake provider on a free port and wait until it answers."""
    port = free_port()
    command = [str(programs.upstream), "--port", str(port), "--pace-ms", str(pace_ms)]
    provider = FakeProvider(process=children.start(command, core=core, log=BUILD / "upstream.log"), port=port)
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s:
        try:
            provider.counters()
        except OSError:
            time.sleep(0.01)
        else:
            return provider
    raise BenchError(f"The fake provider did not start; see {BUILD / 'upstream.log'}.")
