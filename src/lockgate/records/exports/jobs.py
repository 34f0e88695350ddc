"""Exports as jobs: done in the background, one after the other in each process, by whichever process has time.

A job's result lies in a folder of its own. A process that ends in the middle leaves the job under way and nothing of
its result; the next one to look begins it again, over the same records up to the same moment. So does a result that was
made before records were deleted: it is made again without them. Of a job that fails, the parts that are whole stay.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lockgate.errors import GatewayError, InvalidRequest
from lockgate.records.exports.book import DONE, UNDER_WAY, WAITING, ExportBook, Job
from lockgate.records.exports.export import DEFAULT_LIMITS, PartLimits, ReadBodies, Scanned, Source, export_to_file
from lockgate.records.exports.manifest import Part, asked_of
from lockgate.records.exports.portkey import fields_of
from lockgate.records.lock import FileLock
from lockgate.records.query.language import parse
from lockgate.records.query.portkey import KNOWN, read_parameters
from lockgate.records.query.tree import all_of
from lockgate.records.row import FAR_FUTURE_US
from lockgate.records.store import Entry, PageQuery, RecordReader, Scope

KEEP_DAYS = 30
"""After so many days a job and its result are forgotten: the same as bodies, of which it may hold copies."""
LINK_S = 900
"""How long a link to a result holds, in seconds."""
_DAY_US = 86_400_000_000
_LOOK_EVERY_S = 30.0
_TELL_EVERY_S = 0.5
_END_S = 10.0
_FILTERS = KNOWN | {"query", "page_size", "current_page"}
_LOCK = ".lock"
NO_RESULT: Mapping[str, tuple[()] | None] = {
    "file": None, "size_bytes": None, "sha256": None, "parts": (), "manifest": None,
}  # fmt: skip
"""What is said of a job of which nothing is written."""
_log = logging.getLogger("lockgate.exports")


class _Stopped(Exception):
    """Somebody stopped the job."""


class _Ending(Exception):
    """The process ends; the job goes on in the next one."""


class Exports:
    """The jobs of a state folder. ``start`` begins to work on them in a thread; without it ``work`` does it."""

    def __init__(
        self, folder: Path, reader: RecordReader, bodies_of: ReadBodies, now_us: Callable[[], int], *,
        limits: PartLimits = DEFAULT_LIMITS,
    ) -> None:  # fmt: skip
        """``limits``: after what a result goes on in another part."""
        self.book = ExportBook(folder)
        self._folder = folder
        self._reader = reader
        self._bodies_of = bodies_of
        self._now_us = now_us
        self._limits = limits
        self._ending = threading.Event()
        self._news = threading.Event()
        self._told_s = 0.0
        self._thread = threading.Thread(target=self._run, name="exports", daemon=True)

    def create(self) -> None:
        """Make what is missing in the folder."""
        self.book.create()

    def start(self) -> None:
        """Begin to work, with what an ended process left first."""
        self._news.set()
        self._thread.start()

    def close(self) -> None:
        """Leave the job under way to the next process."""
        self._ending.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join(_END_S)

    def wake(self) -> None:
        """Say that there is a job to do."""
        self._news.set()

    def path_of(self, job: Job, part: int = 1) -> Path | None:
        """Return where a part of the result of a job lies, counted from 1; 0: its manifest. None: there is none."""
        if part == 0:
            name = job.manifest
        elif job.parts:
            name = job.parts[part - 1].name if 1 <= part <= len(job.parts) else None
        else:
            name = job.file if part == 1 else None
        return self._folder / job.id / name if name is not None else None

    def parts_of(self, job: Job) -> Sequence[Part]:
        """Return the parts of a result."""
        if job.parts or job.file is None:
            return job.parts
        return [Part(name=job.file, rows=job.done, size_bytes=job.size_bytes or 0, sha256=job.sha256 or "")]

    def remove(self, job: Job) -> None:
        """Forget a job and its result."""
        self.book.remove(job.id)
        shutil.rmtree(self._folder / job.id, ignore_errors=True)

    def sign(self, id: str, expires_s: int, part: int = 1) -> str:
        """Return the proof that a link to a part was given by us."""
        what = f"{id}:{expires_s}" if part == 1 else f"{id}:{expires_s}:{part}"
        return hmac.new(self.book.secret(), what.encode(), hashlib.sha256).hexdigest()

    def is_signed(self, id: str, expires_s: int, signature: str, part: int = 1) -> bool:
        """Tell whether a link to a part was given by us and still holds."""
        is_ours = hmac.compare_digest(self.sign(id, expires_s, part).encode(), signature.encode("utf-8", "replace"))
        return is_ours and self._now_us() < expires_s * 1_000_000

    def work(self) -> None:
        """Do the jobs that no other process does, and forget old ones."""
        for job in self.book.created_before(self._now_us() - KEEP_DAYS * _DAY_US):
            if job.status != "in_progress":
                self.remove(job)
        deleted_us = max((each.created_us for each in self._reader.receipts() if each.rows_hidden), default=-1)
        for job in (*self.book.kept_before(deleted_us), *self.book.under_way()):
            if self._ending.is_set():
                return
            (self._folder / job.id).mkdir(mode=0o700, exist_ok=True)
            lock = FileLock(self._folder / job.id / _LOCK)
            if not lock.acquire():
                continue
            try:
                # it may have ended between the look and the lock
                again = self._taken_back(job.id, deleted_us)
                if again is not None and again.status == "in_progress":
                    self._do(again)
            finally:
                lock.release()

    def _taken_back(self, id: str, deleted_us: int) -> Job | None:
        """Return a job as it is; a result that may hold what was deleted since is taken back, to be made again."""
        job = self.book.get(id)
        if job is None or job.begun_us > deleted_us or job.status not in ("success", "failed"):
            return job
        self._clear(job)
        if job.status == "failed":
            return self.book.change(id, WAITING, **NO_RESULT)
        return self.book.change(id, DONE, status="in_progress", done=0, **NO_RESULT)

    def _clear(self, job: Job) -> None:
        """Remove all that a job has written."""
        for left in (self._folder / job.id).iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != _LOCK:
                left.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._news.wait(_LOOK_EVERY_S)
            self._news.clear()
            try:
                self.work()
            except (OSError, sqlite3.Error) as error:
                _log.error("exports wait: %s", error)

    def _do(self, job: Job) -> None:
        name = f"{job.id}.{job.format}" + (".gz" if job.is_gzipped and job.format != "parquet" else "")
        path = self._folder / job.id / name
        self._clear(job)
        whole: list[Part] = []
        self.book.change(job.id, UNDER_WAY, begun_us=self._now_us())
        try:
            query, reader = selected(job, self._reader)
            source = Source(reader, self._bodies_of)
            self._told_s = -_TELL_EVERY_S
            made = export_to_file(
                source, query, fields_of(job.fields), path, job.format, progress=lambda done: self._tell(job, done),
                limits=self._limits, placed=whole.append, asked=asked_of(query, filters=job.filters),
            )  # fmt: skip
        except _Ending:
            return
        except _Stopped:
            self._clear(job)
            return
        except (GatewayError, OSError, sqlite3.Error, MemoryError) as error:
            _log.warning("export %s failed: %s", job.id, error)
            self._end(job, status="failed", error=_reason(error, whole), parts=tuple(whole))
            return
        done = self._end(
            job, status="success", done=made.rows, total=made.rows, file=made.parts[0].name, error=None,
            size_bytes=made.size_bytes, sha256=made.sha256, manifest=made.manifest,
            parts=made.parts if len(made.parts) > 1 else (),
        )  # fmt: skip
        if done is None:
            self._clear(job)

    def _tell(self, job: Job, done: int) -> None:
        """Say how far a job is. Raises _Ending, _Stopped."""
        if self._ending.is_set():
            raise _Ending
        now_s = time.monotonic()
        if now_s - self._told_s < _TELL_EVERY_S:
            return
        self._told_s = now_s
        if self.book.change(job.id, UNDER_WAY, done=done) is None:
            raise _Stopped

    def _end(self, job: Job, **changes: object) -> Job | None:
        return self.book.change(job.id, UNDER_WAY, updated_us=self._now_us(), **changes)


def _reason(error: Exception, whole: Sequence[Part]) -> str:
    reason = str(error) or type(error).__name__
    if not whole:
        return reason
    return f"{reason}; {len(whole)} parts with {sum(part.rows for part in whole)} records are whole"


def check_filters(filters: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for a filter that does not exist: without it more would be written than was meant."""
    strange = [name for name in filters if name not in _FILTERS]
    if strange:
        near = get_close_matches(strange[0][:100], sorted(_FILTERS), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(_FILTERS))}"
        names = ", ".join(name[:100] for name in strange[:10])
        raise InvalidRequest(f"filters: there is no filter {names}; {hint}", path=f"filters.{strange[0][:100]}")


def selected(job: Job, reader: RecordReader) -> tuple[PageQuery, Scanned]:
    """Return the query of a job, and what reads the part of it that the job is about. Raises InvalidRequest."""
    filters = job.filters
    selection = read_parameters(filters, now_us=job.created_us, skip=frozenset({"workspace_slug"}))
    text = filters.get("query")
    if text is not None and not isinstance(text, str):
        raise InvalidRequest("query: it is a line of the search box", path="filters.query")
    query = PageQuery(
        scope=Scope(
            workspaces=frozenset(job.workspaces),
            api_keys=None if job.api_keys is None else frozenset(job.api_keys),
        ),
        filter=all_of(selection.filter, parse(text or "", now_us=job.created_us)),
        from_us=selection.from_us,
        to_us=min(selection.to_us + 1, job.until_us or FAR_FUTURE_US, FAR_FUTURE_US),
    )
    return query, _part(reader, filters)


def _part(reader: RecordReader, filters: Mapping[str, Any]) -> Scanned:
    numbers = []
    for name, default in (("page_size", None), ("current_page", 0)):
        given = filters.get(name, default)
        text = str(given).removesuffix(".0")
        if given is not None and (not text.isdigit() or len(text) > 9):
            raise InvalidRequest(f"{name}: it is a whole number", path=f"filters.{name}")
        numbers.append(None if given is None else int(text))
    size, page = numbers
    return reader if size is None else Window(reader, size * (page or 0), size)


class Window:
    """A part of what a reader finds: after the first ``skip``, at most ``take``."""

    def __init__(self, reader: RecordReader, skip: int, take: int) -> None:
        self._reader = reader
        self._skip = skip
        self._take = take

    def count(self, query: PageQuery) -> int:
        """Return how many rows of a query are in the part."""
        return max(0, min(self._reader.count(query) - self._skip, self._take))

    def scan(self, query: PageQuery) -> Iterator[Sequence[Entry]]:
        """Yield the rows of a query that are in the part."""
        skip, take = self._skip, self._take
        for batch in self._reader.scan(query):
            kept = batch[skip : skip + take]
            skip = max(0, skip - len(batch))
            take -= len(kept)
            if kept:
                yield kept
            if take == 0:
                return
