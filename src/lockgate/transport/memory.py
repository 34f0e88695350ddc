"""How a serving process keeps its memory: set once, when everything is loaded.

A body of 100 KB is copied a few times on its way. By default the C library gives each such copy's pages back to the
kernel at once and gets them again for the next request, which costs more than the translation of the body. And
Python's collector would look again and again at the modules and tables that are there for good.
"""

from __future__ import annotations

import ctypes
import gc

KEPT_BYTES = 32 * 1024 * 1024
"""So much free memory at the end of the heap stays with the process."""

MAPPED_FROM_BYTES = 1024 * 1024
"""Blocks of this size get pages of their own, and give them back at once: bodies of many megabytes leave no trace."""

YOUNG_OBJECTS = 10_000
"""So many objects are made before the collector looks for cycles among them. Requests leave nearly none."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the numbers of glibc's mallopt


def settle_memory() -> None:
    """Tune the allocator, where the C library can be told, and the collector, for a process that serves from now on."""
    _keep_heap()
    settle_objects()


def settle_objects() -> None:
    """Let the collector leave alone what is there, and look seldom at what comes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


def _keep_heap() -> bool:
    """Tell whether the C library took the settings."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False  # not glibc
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    return bool(mallopt(_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, MAPPED_FROM_BYTES))
