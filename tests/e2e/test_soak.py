"""Long streams in short: the tool that runs for ten minutes by hand runs here for seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import soak


@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
def test_memory_stays_flat_while_streams_run_on_every_route(capsys: pytest.CaptureFixture[str]) -> None:
    """3,000 events in each of eight streams: what is kept of them, and not only passed on, is 0.8 MB or more on each route.

    A process may grow by as much by chance, once. What is kept is kept each time.
    """
    orders = ["--seconds", "6", "--streams", "2", "--pause", "0.002", "--limit-mb", "0.6"]
    left = 2
    while (status := soak.main(orders)) and left:
        left -= 1
        capsys.readouterr()
    output = capsys.readouterr().out
    assert status == 0, output
    assert output.count("2 arrived whole") == 4
