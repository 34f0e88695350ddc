"""A bar for long work, where somebody looks at it: on a terminal, beside what is printed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, Protocol

_TERMINATED = 128 + signal.SIGTERM


class Advance(Protocol):
    """Told how much is done, and of how much, where that is known only now."""

    def __call__(self, done: int, total: int | None = None, /) -> None: ...


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Advance]:
    """Show a bar while work is done; nothing outside of a terminal. ``total`` None: nobody knows.

    SIGTERM ends such work as an error does, so that what it has begun is cleaned up.
    """
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with _bar(what, total) as advance:
            yield advance
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Advance]:
    if not sys.stderr.isatty():
        yield lambda _done, _total=None: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, total=total: bar.update(task, completed=done, total=total)


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(_TERMINATED)
