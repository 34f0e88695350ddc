"""Metrics in Prometheus' format, all fed from records, so that they and the records never disagree.

A record costs the hot path one append; the arithmetic is done in bulk. The number of series of a metric is bounded:
beyond it the values of its open labels become ``_other``, and that is counted. Several processes of one machine write
their numbers to a folder; whichever is asked adds them up.
Source: observability specification, section 3.1.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import msgspec
from msgspec import Struct

import lockgate
from lockgate.core.limits import Drift
from lockgate.core.record import Attempt, Record
from lockgate.ports import RecordSink

if TYPE_CHECKING:
    # the library costs 0.1 s to import, so only who asks for numbers pays for it
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector

_log = logging.getLogger("lockgate.metrics")

Labels: TypeAlias = tuple[str, ...]

PUBLISH_S = 1.0
"""How often somebody should call ``settle`` and ``publish``."""
MAX_SERIES = 2000
"""Series of one metric in one process."""
OTHER = "_other"
_BULK = 512
_PREFIX = "aigw_"
_CONTENT_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_CONTENT_OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_DURATION = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600)
_FIRST = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 30, 60, 120)
_OWN = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1)
_RATES = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000)
_COUNTS = (16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)
_OPINIONS = (-10, -5, -2, -1, 0, 1, 2, 5, 10)
_BYTES = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8)

_C = ("workspace", "endpoint", "provider", "model", "stream")
_NANOS = 1e9
_MS = 1e3
_OK, _ERRORS = 200, 400
_MIN_STREAM_S = 0.05
"""Of shorter streams no speed is told."""
_RECEIVE, _PREPARE, _FINISH = ("receive",), ("prepare",), ("finish",)
_UNCACHED, _CACHE_READ = ("input", "uncached"), ("input", "cache_read")
_CACHE_WRITE_5M, _CACHE_WRITE_1H = ("input", "cache_write_5m"), ("input", "cache_write_1h")
_TEXT, _REASONING = ("output", "text"), ("output", "reasoning")
_INLINE = "inline"
_DROPPED = "metrics_series_dropped"
"""Its labels are names of metrics, which are few."""


class _Kind(Struct, frozen=True):
    """One metric: what it counts, by which labels, in which buckets (none: a counter)."""

    name: str
    help: str
    labels: Labels
    buckets: tuple[float, ...] = ()


_KINDS = {
    kind.name: kind
    for kind in (
        _Kind("requests", "Requests of clients.", (*_C, "status", "outcome", "cache")),
        _Kind("request_duration_seconds", "From a request's start to its last byte.", (*_C, "outcome"), _DURATION),
        _Kind("time_to_first_token_seconds", "Until the first bytes of a stream went out.", _C, _FIRST),
        _Kind("output_tokens_per_second", "How fast streams came, from their first bytes on.", _C, _RATES),
        _Kind("stage_duration_seconds", "Our own work, in stages.", ("stage",), _OWN),
        _Kind("upstream_connect_seconds", "How long it took to open connections.", ("provider", "phase"), _OWN),
        _Kind("target_selected", "Answers by the target of the config that gave them.", ("config", "target")),
        _Kind("upstream_requests", "Attempts at providers.", (*_C, "status", "attempt_kind")),
        _Kind("upstream_duration_seconds", "How long attempts took.", _C, _DURATION),
        _Kind("gateway_overhead_seconds", "Our own work on a request.", ("endpoint", "stream", "cache"), _OWN),
        _Kind("retries", "Attempts made again at the same target.", (*_C, "reason")),
        _Kind(
            "fallbacks",
            "Attempts made at another target.",
            ("workspace", "config", "from_provider", "to_provider", "reason"),
        ),
        _Kind("rescued_requests", "Good answers after a failed attempt.", (*_C, "by")),
        _Kind("tokens", "Tokens, in disjoint parts.", (*_C, "type", "part")),
        _Kind("tokens_per_request", "Tokens of one request.", (*_C, "type"), _COUNTS),
        _Kind(
            "provider_cache_tokens", "Tokens read from and written to providers' caches.", ("provider", "model", "op")
        ),
        _Kind("cost_usd", "Cost in US dollars.", (*_C, "part")),
        _Kind("unpriced_requests", "Answers of models without a price.", ("provider", "model")),
        _Kind("cache_lookups", "Requests whose config has a cache.", ("workspace", "mode", "result")),
        _Kind("cache_saved_usd", "What answers from the cache would have cost.", ("workspace", "mode")),
        _Kind(
            "cache_saved_seconds",
            "How much longer first answers took than those from the cache.",
            ("workspace", "mode"),
        ),
        _Kind("budget_blocks", "Requests that a budget refused.", ("workspace",)),
        _Kind("budget_drifts", "Counters of budgets that differed from the ledger.", ("scope", "direction")),
        _Kind("ratelimit_blocks", "Requests that a rate limit refused.", ("workspace",)),
        _Kind("client_disconnects", "Clients that left.", (*_C, "phase")),
        _Kind("stream_errors", "Streams that broke after they had begun.", (*_C, "reason")),
        _Kind("request_body_bytes", "Sizes of requests.", ("endpoint",), _BYTES),
        _Kind("response_body_bytes", "Sizes of answers.", ("endpoint",), _BYTES),
        _Kind("feedback", "Feedback that was given.", ("workspace", "name")),
        _Kind("feedback_value", "What it said.", ("workspace", "name"), _OPINIONS),
        _Kind("event_loop_lag_seconds", "How late the process came to what was due.", (), _OWN),
        _Kind("config_reloads", "Configurations that were taken over, or were not.", ("result",)),
        _Kind("metrics_series_dropped", "Series that became _other.", ("metric",)),
    )
}


class _Series(Struct):
    """The numbers of one metric: a value for each set of labels; a histogram has counts by bucket, and the sum."""

    values: dict[Labels, list[float]] = {}


class _Gauge(Struct, frozen=True):
    """Something that is as it is now, added up over processes."""

    help: str
    labels: Labels


GAUGES = {
    "upstream_connections": _Gauge("Connections to providers.", ("provider", "state")),
    "cache_entries": _Gauge("Answers in the cache of answers.", ("backend",)),
    "cache_bytes": _Gauge("What they take, about.", ("backend",)),
}


class LogNumbers(Struct):
    """How records fare on their way into the store."""

    held: int = 0
    """Records in memory, because the disk does not take them."""
    waiting_bytes: int = 0
    """Of the journal, not shipped yet."""
    damaged: int = 0
    """Lines and bodies of the journal that were damaged and put aside."""
    failures: int = 0
    """How often the store failed."""
    restored: int = 0
    """Files of the store that were damaged, put aside and made again."""
    blocked: int = 0
    """1 while nothing can be shipped."""


class Numbers(Struct):
    """The numbers of one process, as it writes them to the folder."""

    metrics: dict[str, list[tuple[Labels, list[float]]]]
    workers: int = 1
    running: dict[str, int] = {}
    """Requests under way, by endpoint."""
    gauges: list[tuple[str, Labels, float]] = []
    lost_records: int = 0
    shed_bodies: int = 0
    log: LogNumbers = msgspec.field(default_factory=LogNumbers)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Numbers).decode


class Metrics:
    """The numbers of this process, and of those beside it."""

    def __init__(
        self,
        *,
        workspace_name: Callable[[str], str] = lambda id: id,
        running: Callable[[], Mapping[str, int]] = dict,
        gauges: Callable[[], Iterable[tuple[str, Labels, float]]] = lambda: (),
        price_book_age_s: Callable[[], float | None] = lambda: None,
        lost: Callable[[], int] = lambda: 0,
        shed_bodies: Callable[[], int] = lambda: 0,
        on_unpriced: Callable[[Record], None] = lambda record: None,
        log: Callable[[], LogNumbers] = LogNumbers,
        folder: Path | None = None,
    ) -> None:
        """``running`` returns requests under way by endpoint, ``gauges`` those of ``GAUGES``: name, labels, value.

        ``on_unpriced`` is told of answers that have no price; ``folder`` is where several processes put their
        numbers, None: there is only this one."""
        self._workspace_name = workspace_name
        self._running = running
        self._gauges = gauges
        self._price_book_age_s = price_book_age_s
        self._lost = lost
        self._shed_bodies = shed_bodies
        self._on_unpriced = on_unpriced
        self._log = log
        self._folder = folder
        self._waiting: list[Record] = []
        self._series = {name: _Series() for name in _KINDS}
        self._timed = {name: (kind.buckets, self._series[name].values) for name, kind in _KINDS.items()}

    def observe(self, record: Record) -> None:
        """Count a record, now or a little later. Never raises."""
        self._waiting.append(record)
        if len(self._waiting) >= _BULK:
            self.settle()

    def drifted(self, drift: Drift) -> None:
        """Count a budget's counter that lacked something, or had too much."""
        self._add("budget_drifts", (drift.limit.scope, "short" if drift.missing > 0 else "over"), 1)

    def lagged(self, seconds: float) -> None:
        """Note how late something came that was due."""
        self._time("event_loop_lag_seconds", (), seconds)

    def reloaded(self, *, is_taken: bool) -> None:
        """Count a configuration that was read again."""
        self._add("config_reloads", ("taken" if is_taken else "refused",), 1)

    def told(self, workspace_id: str | None, name: str, value: float) -> None:
        """Count feedback; ``name`` says where it came from."""
        labels = (self._workspace_name(workspace_id) if workspace_id else "", name)
        self._add("feedback", labels, 1)
        self._time("feedback_value", labels, value)

    def settle(self) -> None:
        """Count what is waiting."""
        waiting, self._waiting = self._waiting, []
        for record in waiting:
            try:
                self._count(record)
            except Exception:  # noqa: BLE001  # the edge: a number that is wrong must not cost an answer
                _log.exception("a record was not counted")

    # ---- reading

    def expose(self, accept: str = "") -> tuple[str, bytes]:
        """Return content type and text of all numbers."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
        from prometheus_client.openmetrics.exposition import generate_latest as generate_open

        registry = CollectorRegistry(auto_describe=False)
        registry.register(cast("Collector", _Collector(self._all(), self._price_book_age_s())))
        ProcessCollector(registry=registry)
        if "application/openmetrics-text" in accept:
            return _CONTENT_OPEN, generate_open(registry)  # type: ignore[no-untyped-call]  # the library has no types there
        return _CONTENT_TEXT, generate_latest(registry)

    def publish(self) -> None:
        """Write this process's numbers where those beside it find them. Does not raise."""
        if self._folder is None:
            return
        self.settle()
        path = self._folder / f"{os.getpid()}.bin"
        beside = path.with_suffix(".new")
        try:
            beside.write_bytes(_encode(self.numbers()))
            os.replace(beside, path)
        except OSError as error:
            _log.error("cannot write %s: %s", path, error.strerror)

    def numbers(self) -> Numbers:
        """Return this process's numbers."""
        self.settle()
        return Numbers(
            metrics={name: list(series.values.items()) for name, series in self._series.items() if series.values},
            running=dict(self._running()),
            gauges=list(self._gauges()),
            lost_records=self._lost(),
            shed_bodies=self._shed_bodies(),
            log=self._log(),
        )

    def _all(self) -> list[Numbers]:
        found = [self.numbers()]
        if self._folder is None:
            return found
        for path in self._folder.glob("*.bin"):
            if path.stem == str(os.getpid()):
                continue
            try:
                numbers = _decode(path.read_bytes())
            except (OSError, msgspec.MsgspecError):
                continue
            if not _is_alive(int(path.stem)):
                # what it counted stays counted; it runs nothing any more
                numbers.workers, numbers.running, numbers.gauges = 0, {}, []
                numbers.log.held = numbers.log.waiting_bytes = numbers.log.blocked = 0
            found.append(numbers)
        return found

    # ---- counting

    def _count(self, record: Record) -> None:
        workspace = self._workspace_name(record.workspace_id) if record.workspace_id else ""
        stream = "true" if record.is_stream else "false"
        outcome = _outcome(record)
        cache = record.cache_status or "disabled"
        common = (workspace, record.route, record.provider or "", _model_of(record), stream)
        self._add("requests", (*common, str(record.status), outcome, cache), 1)
        self._time("request_duration_seconds", (*common, outcome), record.duration_ms / _MS)
        if record.first_event_ms is not None:
            self._time("time_to_first_token_seconds", common, record.first_event_ms / _MS)
        stages = record.stages
        self._time("stage_duration_seconds", _RECEIVE, stages.receive / _MS)
        self._time("stage_duration_seconds", _PREPARE, stages.prepare / _MS)
        self._time("stage_duration_seconds", _FINISH, stages.finish / _MS)
        own_s = (stages.prepare + stages.finish) / _MS
        self._time("gateway_overhead_seconds", (record.route, stream, cache), own_s)
        self._time("request_body_bytes", (record.route,), record.bytes_in)
        self._time("response_body_bytes", (record.route,), record.bytes_out)
        if record.config_id and record.path and record.attempts:
            # what a request brings along could have any number of targets
            is_inline = record.config_id.startswith("inline-")
            self._add("target_selected", (_INLINE, "") if is_inline else (record.config_id, record.path), 1)
        self._count_attempts(record, workspace, stream)
        self._count_money(record, common)
        self._count_faults(record, common, workspace)
        if cache != "disabled":
            self._add("cache_lookups", (workspace, "simple", cache), 1)
            if record.cache_saved_nanos:
                self._add("cache_saved_usd", (workspace, "simple"), record.cache_saved_nanos / _NANOS)
            if record.cache_source_ms is not None:
                saved_s = max(0.0, record.cache_source_ms - record.duration_ms) / _MS
                self._add("cache_saved_seconds", (workspace, "simple"), saved_s)

    def _count_attempts(self, record: Record, workspace: str, stream: str) -> None:
        before: Attempt | None = None
        for attempt in record.attempts:
            labels = (workspace, record.route, attempt.provider, attempt.model or "", stream)
            self._add("upstream_requests", (*labels, str(attempt.status or 0), attempt.kind), 1)
            self._time("upstream_duration_seconds", labels, attempt.duration_ms / _MS)
            if attempt.opened is not None:
                for phase in ("dns", "tcp", "tls"):
                    ms = getattr(attempt.opened, phase + "_ms")
                    if ms is not None:
                        self._time("upstream_connect_seconds", (attempt.provider, phase), ms / _MS)
            if before is not None and attempt.kind == "retry":
                self._add("retries", (*labels, before.error or str(before.status or 0)), 1)
            elif before is not None:
                reason = before.error or str(before.status or 0)
                config = record.config_id or ""
                config = "inline" if config.startswith("inline-") else config
                self._add("fallbacks", (workspace, config, before.provider, attempt.provider, reason), 1)
            before = attempt
        if len(record.attempts) > 1 and record.error is None and before is not None:
            labels = (workspace, record.route, before.provider, before.model or "", stream)
            self._add("rescued_requests", (*labels, before.kind), 1)

    def _count_money(self, record: Record, common: Labels) -> None:
        cost, tokens = record.cost, record.tokens
        if cost is None:
            return
        if cost.status == "unpriced" and record.error is None:
            self._add("unpriced_requests", (common[2], record.model or ""), 1)
            self._on_unpriced(record)
        for part, nanos in cost.parts.items():
            self._add("cost_usd", (*common, part), nanos / _NANOS)
        written, hour = tokens.cache_write or 0, tokens.cache_write_1h or 0
        for labels, count in (
            (_UNCACHED, tokens.input),
            (_CACHE_READ, tokens.cache_read),
            (_CACHE_WRITE_5M, written - hour),
            (_CACHE_WRITE_1H, hour),
            (_TEXT, (tokens.output or 0) - (tokens.reasoning or 0)),
            (_REASONING, tokens.reasoning),
        ):
            if count:
                self._add("tokens", common + labels, count)
        given = (tokens.input or 0) + (tokens.cache_read or 0) + written
        if given:
            self._time("tokens_per_request", (*common, "input"), given)
        if tokens.output:
            self._time("tokens_per_request", (*common, "output"), tokens.output)
        if tokens.cache_read:
            self._add("provider_cache_tokens", (common[2], common[3], "read"), tokens.cache_read)
        if written:
            self._add("provider_cache_tokens", (common[2], common[3], "write"), written)
        if record.is_stream and record.first_event_ms is not None and tokens.output:
            stream_s = (record.duration_ms - record.first_event_ms) / _MS
            if stream_s >= _MIN_STREAM_S:
                self._time("output_tokens_per_second", common, tokens.output / stream_s)

    def _count_faults(self, record: Record, common: Labels, workspace: str) -> None:
        error = record.error
        if error is None:
            return
        if error == "budget_exceeded":
            self._add("budget_blocks", (workspace,), 1)
        elif error in ("rate_limit_exceeded", "budget_reserved"):
            self._add("ratelimit_blocks", (workspace,), 1)
        elif record.is_client_gone:
            phase = "streaming" if record.first_event_ms is not None else "before_first_token"
            self._add("client_disconnects", (*common, phase), 1)
        elif record.is_stream and record.status == _OK:
            self._add("stream_errors", (*common, error), 1)

    def _add(self, name: str, labels: Labels, amount: float) -> None:
        row = self._series[name].values.get(labels)
        if row is None:
            row = self._row(name, labels, 1)
        row[0] += amount

    def _time(self, name: str, labels: Labels, value: float) -> None:
        buckets, values = self._timed[name]
        row = values.get(labels)
        if row is None:
            row = self._row(name, labels, len(buckets) + 2)
        row[bisect_left(buckets, value)] += 1
        row[-1] += value

    def _row(self, name: str, labels: Labels, width: int) -> list[float]:
        values = self._series[name].values
        row = values.get(labels)
        if row is None:
            if len(values) >= MAX_SERIES and name != _DROPPED:
                self._row(_DROPPED, (name,), 1)[0] += 1
                labels = tuple(OTHER for _ in labels)
                row = values.get(labels)
            if row is None:
                row = values[labels] = [0.0] * width
        return row


class MeteredSink:
    """A RecordSink that also counts. The record is kept first."""

    def __init__(self, sink: RecordSink, metrics: Metrics) -> None:
        self._sink = sink
        self._metrics = metrics

    def write(self, record: Record) -> None:
        """Keep the record, and count it."""
        self._sink.write(record)
        self._metrics.observe(record)


class _Collector:
    """Hands the numbers of all processes to the library that writes them."""

    def __init__(self, numbers: list[Numbers], price_book_age_s: float | None) -> None:
        self._numbers = numbers
        self._price_book_age_s = price_book_age_s

    def collect(self) -> Iterator[Metric]:
        """Return a family for each metric that has numbers."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        build = GaugeMetricFamily(_PREFIX + "build_info", "The version that runs.", labels=["version"])
        build.add_metric([lockgate.__version__], 1)
        yield build
        if self._price_book_age_s is not None:
            age_s = self._price_book_age_s
            yield GaugeMetricFamily(_PREFIX + "price_book_age_seconds", "Since the prices were read.", value=age_s)
        in_flight = GaugeMetricFamily(_PREFIX + "requests_in_flight", "Requests under way.", labels=["endpoint"])
        for labels, row in _merged(
            [((endpoint,), [float(count)]) for endpoint, count in one.running.items()] for one in self._numbers
        ).items():
            in_flight.add_metric(labels, row[0])
        yield in_flight
        for name, gauge in GAUGES.items():
            family = GaugeMetricFamily(_PREFIX + name, gauge.help, labels=gauge.labels)
            for labels, row in _merged(
                [(labels, [value]) for named, labels, value in one.gauges if named == name] for one in self._numbers
            ).items():
                family.add_metric(labels, row[0])
            yield family
        workers = sum(one.workers for one in self._numbers)
        yield GaugeMetricFamily(_PREFIX + "workers", "Processes that serve.", value=workers)
        lost = sum(one.lost_records for one in self._numbers)
        records = CounterMetricFamily(_PREFIX + "log_records", "Records, by what became of them.", labels=["result"])
        made = sum(row[0] for one in self._numbers for _, row in one.metrics.get("requests", ()))
        records.add_metric(["written"], max(0.0, made - lost))
        records.add_metric(["dropped"], lost)
        yield records
        yield CounterMetricFamily(_PREFIX + "log_records_lost", "Records that could not be written.", value=lost)
        shed = sum(one.shed_bodies for one in self._numbers)
        yield CounterMetricFamily(_PREFIX + "log_bodies_dropped", "Requests whose bodies were not kept.", value=shed)
        yield from self._log()
        for name, kind in _KINDS.items():
            merged = _merged(one.metrics.get(name, ()) for one in self._numbers)
            if kind.buckets:
                histogram = HistogramMetricFamily(_PREFIX + name, kind.help, labels=kind.labels)
                for labels, row in merged.items():
                    histogram.add_metric(labels, _cumulative(kind.buckets, row), row[-1])
                yield histogram
            else:
                counter = CounterMetricFamily(_PREFIX + name, kind.help, labels=kind.labels)
                for labels, row in merged.items():
                    counter.add_metric(labels, row[0])
                yield counter

    def _log(self) -> Iterator[Metric]:
        """Return how records fare on their way into the store."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        logs = [one.log for one in self._numbers]
        for name, help_, value in (
            ("records_held", "Records in memory, because the disk does not take them.", sum(o.held for o in logs)),
            ("spool_bytes", "Of the journal, not shipped into the store.", sum(o.waiting_bytes for o in logs)),
            ("store_blocked", "1 while nothing can be shipped.", max(o.blocked for o in logs)),
        ):
            yield GaugeMetricFamily(f"{_PREFIX}log_{name}", help_, value=value)
        for name, help_, value in (
            (
                "damaged",
                "Records and bodies in the journal that were damaged and put aside.",
                sum(o.damaged for o in logs),
            ),
            ("store_failures", "How often the record store failed.", sum(o.failures for o in logs)),
            (
                "store_files_restored",
                "Files of the record store that were damaged, put aside and made again.",
                sum(o.restored for o in logs),
            ),
        ):
            yield CounterMetricFamily(f"{_PREFIX}log_{name}", help_, value=value)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _merged(parts: Iterable[Iterable[tuple[Labels, list[float]]]]) -> dict[Labels, list[float]]:
    merged: dict[Labels, list[float]] = {}
    for part in parts:
        for labels, row in part:
            known = merged.get(labels)
            merged[labels] = list(row) if known is None else [a + b for a, b in zip(known, row, strict=True)]
    return merged


def _cumulative(buckets: tuple[float, ...], row: list[float]) -> list[tuple[str, float]]:
    total, found = 0.0, []
    for index, bound in enumerate((*map(str, map(float, buckets)), "+Inf")):
        total += row[index]
        found.append((bound, total))
    return found


def _outcome(record: Record) -> str:
    if record.is_client_gone:
        return "client_disconnected"
    if record.cache_status == "hit":
        return "cache_hit"
    if record.error is None:
        return "success"
    if record.is_stream and record.status == _OK:
        return "stream_error"
    return record.error if record.error_origin == "gateway" else "provider_error"


def _model_of(record: Record) -> str:
    """Return a model's name only where it has a price: clients choose names, and could make any number of them."""
    if record.cost is None or record.cost.status == "unpriced" or not record.attempts:
        return "" if record.cost is None else OTHER
    return record.attempts[-1].model or OTHER
