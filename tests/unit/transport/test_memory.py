"""What is set is set in the process that runs, so each test looks from a process of its own."""

from __future__ import annotations

import subprocess
import sys

_SETTLED = "import gc; from lockgate.transport import memory as m; {0}; m.settle_memory(); {1}"


def _run(before: str, after: str) -> str:
    code = _SETTLED.format(before, after)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_what_is_loaded_is_collected_no_more() -> None:
    frozen, threshold = _run("pass", "print(gc.get_freeze_count(), gc.get_threshold()[0])").split()
    assert int(frozen) > 1000
    assert int(threshold) == 10_000


def test_cycles_are_still_collected() -> None:
    made = "l = []; l.append(l); w = type('W', (), {})(); w.me = w; import weakref; r = weakref.ref(w); del w"
    assert _run("pass", f"{made}; gc.collect(); print(r() is None)").strip() == "True"


def test_freed_bodies_leave_no_trace_when_they_are_large() -> None:
    rss = "open('/proc/self/statm').read().split()[1]"
    if not sys.platform.startswith("linux"):
        return
    small, after = _run(f"a = int({rss})", f"b = [bytes(8 << 20) for _ in range(8)]; del b; print(a, {rss})").split()
    assert (int(after) - int(small)) * 4096 < 8 << 20


def test_a_large_block_goes_back_even_below_one_that_stays() -> None:
    """The C library's own limit rises with the blocks that it sees; ours does not."""
    rss = "int(open('/proc/self/statm').read().split()[1])"
    if not sys.platform.startswith("linux"):
        return
    large = "b = [bytes(b'x') * 30_000_000 for _ in range(3)]; del b"
    pair = "low, top = bytes(b'x') * 30_000_000, bytes(b'x') * 2_000_000; del low"
    assert int(_run("pass", f"{large}; a = {rss}; {pair}; print({rss} - a)")) * 4096 < 10_000_000


def test_a_c_library_without_the_setting_is_left_alone() -> None:
    fake = "import ctypes; ctypes.CDLL = lambda name: object()"
    assert _run(fake, "print(m._keep_heap())").strip() == "False"
