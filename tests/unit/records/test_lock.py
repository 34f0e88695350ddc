from __future__ import annotations

import subprocess
import sys

from lockgate.records.lock import FileLock


def test_one_holds_it_at_a_time(tmp_path):
    first, second = FileLock(tmp_path / "a" / "lock"), FileLock(tmp_path / "a" / "lock")
    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    assert (first.is_held, second.is_held) == (True, False)
    first.release()
    assert second.acquire()
    second.release()
    second.release()


def test_the_system_gives_it_back_when_its_process_dies(tmp_path):
    script = (
        "import os, sys; from lockgate.records.lock import FileLock; from pathlib import Path\n"
        f"assert FileLock(Path({str(tmp_path / 'lock')!r})).acquire(); os.kill(os.getpid(), 9)"
    )
    result = subprocess.run([sys.executable, "-c", script], check=False, timeout=30)
    assert result.returncode == -9
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()
