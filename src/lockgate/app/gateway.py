"""The composition root: the only place that picks concrete transport, state and telemetry and puts them together."""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import logging
import os
import pkgutil
import random
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

import lockgate.dialects
from lockgate.admin.app import create_app
from lockgate.admin.call import Services
from lockgate.admin.scopes import ORGANISATION, WORKSPACE
from lockgate.app.alerts import Alerts
from lockgate.app.counting import (
    local_counters,
    look_after,
    private_server,
    shared_cache,
    shared_circuits,
    shared_counters,
    take_up_batches,
)
from lockgate.app.gauges import gauges_of, price_book_age_s
from lockgate.app.key_watch import KeyWatch
from lockgate.app.needed import needed_by_memory, needed_by_shared
from lockgate.app.options import (
    ADMIN_KEY_VARIABLE,
    API_KEY_VARIABLE,
    CACHE_VARIABLE,
    REDIS_VARIABLE,
    WORKER_VARIABLE,
    Options,
    Started,
    Worker,
)
from lockgate.app.reconciling import LEDGER, Reconciler, Reconciliation
from lockgate.app.records import Desk
from lockgate.app.snapshots import Snapshots, given_keys
from lockgate.app.under_way import rows_under_way
from lockgate.config import Document
from lockgate.core.addresses import full_address, hashed_address, truncated_address
from lockgate.core.limits import Drift
from lockgate.dataplane.app import NO_BODIES, DataPlane
from lockgate.dataplane.purse import RENEW_S
from lockgate.dialects import Dialect
from lockgate.errors import ConfigError, ConfigFaults, GatewayError, raise_all
from lockgate.plan.compile import Sources, compile_snapshot, needs_simulator
from lockgate.plan.snapshot import GatewayKey, Snapshot
from lockgate.policy.answers import Listener
from lockgate.ports import CacheStore, Counters
from lockgate.providers import load_providers
from lockgate.records.redacting_sink import RedactingSink
from lockgate.routing.breaker import CircuitBook
from lockgate.store.batch_book import DatabaseBatchBook
from lockgate.store.bootstrap import Begun, FirstStart, begin
from lockgate.store.cache_memory import MemoryCache
from lockgate.store.config_file import ConfigFile
from lockgate.store.daily_salt import DailySalt
from lockgate.store.directory import Directory, open_directory, utc_now
from lockgate.store.outbox import Outbox
from lockgate.store.secrets import SecretReader
from lockgate.store.state import StateFolder
from lockgate.store.told_book import ToldBook
from lockgate.telemetry.clock import SystemClock
from lockgate.telemetry.drift_file import NAME as DRIFTS
from lockgate.telemetry.drift_file import DriftFile
from lockgate.telemetry.journal import Journal
from lockgate.telemetry.ledger_book import needed_by_ledger
from lockgate.telemetry.metrics import PUBLISH_S, LogNumbers, MeteredSink, Metrics
from lockgate.transport.address_guard import check_url, trusted_set
from lockgate.transport.pool import HttpPool
from lockgate.transport.server import HttpLimits, Server, bind

_log = logging.getLogger("lockgate")

_RETRY_EVERY_S = 1.0
_LOOK_EVERY_S = 0.5
"""How long it may take until a change elsewhere is seen here."""


class Gateway:
    """A gateway that can be started, reloaded and stopped."""

    def __init__(self, options: Options) -> None:
        """Read everything that can be wrong. Raises ConfigError; nothing listens yet."""
        self._options = options
        self.home = options.home.absolute()
        self._file = ConfigFile(
            options.config_path or Path("lockgate.toml"), is_required=options.config_path is not None
        )
        self._document = self._file.read()
        self._providers = load_providers()
        self._state = StateFolder(self.home)
        self._trusted = trusted_set(self._document.server.trusted_custom_hosts)
        self._simulator_url: str | None = None
        self._counters_url: str | None = None
        self._begun: Begun | None = None
        self._metrics_folder: str | None = None
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._reload_now = asyncio.Event()
        told = options.environment.get(WORKER_VARIABLE)
        self._worker = msgspec.json.decode(told, type=Worker) if told else None
        host = options.host or self._document.server.host
        port = options.port if options.port is not None else self._document.server.port
        if self._worker is not None:
            host, port = self._worker.host, self._worker.port
            self._simulator_url = self._worker.simulator_url
        _refuse_open_host(self._document, host, self._file)
        self.host, self.port = host, port

    async def run(self, on_start: Callable[[Started], None]) -> int:
        """Serve until SIGTERM or SIGINT; return how many requests were cut off. Raises ConfigError."""
        listener = bind(self.host, self.port, is_shared=self._worker is not None)
        async with AsyncExitStack() as stack:
            stack.callback(listener.close)
            if self._worker is None:
                stack.callback(os.close, self._state.own())
            directory = self._open(stack)
            if self._worker is None:
                await self.prepare(stack, directory)
            plane, server = await self._build(directory, stack)
            await server.start(listener)
            self._install_signals()
            loop = asyncio.get_running_loop()
            works: list[tuple[str, Coroutine[None, None, None]]] = [
                ("watch", self._watch()),
                ("renew-grants", _renew_grants(plane)),
                ("metrics", _publish(self._metrics)),
                ("journal", _retry(self._journal)),
            ]
            if self._worker is None or self._worker.number == 0:
                works.append(("reconciliation", self._reconciliation.run()))
                works.append(("key-watch", self._key_watch.run()))
            for name, work in works:
                stack.callback(loop.create_task(work, name=name).cancel)
            on_start(self.describe(listener, plane.snapshot))
            if self._worker is not None:
                self._report(self._worker)
            await self._stop.wait()
            plane.is_draining = True
            return await self._drain(plane, server)

    def _open(self, stack: AsyncExitStack) -> Directory:
        directory = open_directory(
            url=self._document.database.url, home=self.home, environment=self._options.environment
        )
        stack.callback(directory.close)
        return directory

    async def prepare(self, stack: AsyncExitStack, directory: Directory | None = None) -> None:
        """Do what is done once, however many processes serve."""
        await self._start_simulator(stack)
        directory = directory or self._open(stack)
        self._begun = begin(directory, self._first_start(), self._state)
        outdated = directory.outdated_keys()
        if outdated:
            _log.warning(
                "%d data keys of stored credentials still need the previous master key; "
                "run lockgate secrets rotate before it goes",
                outdated,
            )

    @property
    def made_keys(self) -> tuple[str | None, str | None]:
        """The texts of the service and of the admin key that this start made; their digests alone are stored."""
        service, admin = (self._begun.service_key, self._begun.admin_key) if self._begun else (None, None)
        return service.reveal() if service else None, admin.reveal() if admin else None

    def _first_start(self) -> FirstStart:
        """Say which keys the first start makes: none where somebody has one already, or nobody needs one."""
        environment, document = self._options.environment, self._document
        has_key = bool(environment.get(API_KEY_VARIABLE) or document.keys or document.server.open)
        return FirstStart(
            service_scopes=tuple(sorted(WORKSPACE)),
            admin_scopes=tuple(sorted(ORGANISATION)),
            makes_service_key=not has_key,
            makes_admin_key=not has_key and not environment.get(ADMIN_KEY_VARIABLE),
        )

    def _report(self, worker: Worker) -> None:
        """Tell the supervisor that this worker listens, and end when there is no supervisor any more."""
        os.write(worker.report_to, b"1")
        os.close(worker.report_to)
        loop = asyncio.get_running_loop()

        def is_alone() -> None:
            loop.remove_reader(sys.stdin.fileno())
            _log.error("the supervisor is gone; ending")
            self.stop()

        loop.add_reader(sys.stdin.fileno(), is_alone)

    def worker(self, number: int, port: int, report_to: int) -> Worker:
        """Return what a process beside this one must be told."""
        return Worker(
            number=number,
            host=self.host,
            port=port,
            report_to=report_to,
            simulator_url=self._simulator_url,
            counters_url=self._counters_url,
            metrics_folder=self._metrics_folder,
        )

    def stop(self) -> None:
        """End in order, at the second call at once; ``run`` returns when everything is done."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    async def _drain(self, plane: DataPlane, server: Server) -> int:
        """Let running requests finish, until the deadline or until somebody asks again."""
        limit_s = self._document.server.drain_s
        if plane.exchanges:
            _log.info(
                "stopping: %d requests still run (at most %g s); ask again to end now", len(plane.exchanges), limit_s
            )
        loop = asyncio.get_running_loop()
        drain = loop.create_task(server.drain(limit_s), name="drain")
        hurry = loop.create_task(self._stop_now.wait(), name="stop-now")
        await asyncio.wait((drain, hurry), return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not drain.done():
            drain.cancel()
            return await server.drain(0)
        return await drain

    # ---- building

    async def _build(self, directory: Directory, stack: AsyncExitStack) -> tuple[DataPlane, Server]:
        """Put the parts together; what must be closed goes on the stack, and is closed in reverse order."""
        document = self._document
        self._snapshots = snapshots = self._snapshots_of(directory)
        pool = HttpPool(
            connections_per_origin=document.limits.upstream_connections,
            environment=self._options.environment,
            trusted_hosts=self._trusted,
        )
        settings = document.journal
        self._journal = journal = Journal(
            self._state.journal_path, fsync=settings.fsync, segment_bytes=settings.segment_bytes
        )
        stack.callback(journal.close)
        stack.push_async_callback(pool.aclose)
        clock = SystemClock()
        alerts = Alerts(pool, clock, lambda: snapshots.current, Outbox(self._state.path / "alerts"))
        stack.push_async_callback(alerts.close)
        if self._worker is None or self._worker.number == 0:
            alerts.start()
        counters = await self._counters(journal, clock, stack, alerts.limit)
        batch_book = DatabaseBatchBook(directory)
        take_up_batches(counters, batch_book, clock)
        dialects = load_dialects()
        desk = self._desk(journal, dialects, stack)
        admin = create_app(
            Services(
                directory=directory,
                snapshot=lambda: snapshots.current,
                check=snapshots.check,
                lead_to=snapshots.lead_to,
                upstream=pool,
                dialects=dialects,
                changed=snapshots.take_changes,
                counters=counters,
                drifts=DriftFile(self._state.path / DRIFTS),
                records=desk,
                now=utc_now,
                environment=self._options.environment,
                public_url=lambda: snapshots.current.public_url,
                is_ending=lambda: plane.is_draining,
                under_way=lambda: rows_under_way(tuple(plane.exchanges), plane.clock.unix()),
            )
        )
        stack.callback(admin.close)
        beside = self._worker.metrics_folder if self._worker is not None else None
        self._metrics = metrics = Metrics(
            workspace_name=snapshots.workspace_slug,
            running=lambda: Counter(exchange.route for exchange in tuple(plane.exchanges)),
            gauges=lambda: gauges_of(pool, plane.cache, plane.snapshot),
            price_book_age_s=lambda: price_book_age_s(clock.unix()),
            on_unpriced=alerts.unpriced,
            lost=lambda: journal.lost,
            shed_bodies=lambda: desk.shed + desk.status.shed_bodies if desk is not None else 0,
            log=lambda: _log_numbers(journal, desk),
            folder=Path(beside) if beside else None,
        )
        if desk is not None:
            desk.on_feedback = lambda item: metrics.told(item.workspace_id, item.source, item.value * item.weight)
        plane = DataPlane(
            snapshot=snapshots.current,
            upstream=pool,
            sink=RedactingSink(MeteredSink(journal, metrics), snapshots.rules_of),
            clock=clock,
            dialects=dialects,
            guard=check_url,
            counters=counters,
            batch_book=batch_book,
            cache=self._cache(clock, stack),
            control=admin,
            roll=random.SystemRandom().random,
            expose=metrics.expose,
            node_id=f"{socket.gethostname()[:64]}-{os.getpid()}",
            shown_address=_address_rule(document.records.client_ip, self._state.path),
            bodies=desk or NO_BODIES,
            circuits=self._circuits(clock, stack),
        )
        snapshots.publish = plane.take
        self._key_watch = KeyWatch(
            lambda: snapshots.api_keys,
            lambda: [key for key in snapshots.current.keys.values() if key.source is not None],
            ToldBook(directory).first,
            alerts.key,
            utc_now,
        )
        self._reconciliation = self._reconcile(counters, clock, alerts)
        limits = HttpLimits(
            header_bytes=document.limits.header_bytes,
            header_s=document.limits.header_s,
            body_idle_s=document.limits.body_idle_s,
            body_bytes_per_s=document.limits.body_bytes_per_s,
        )
        return plane, Server(plane, limits=limits, refuse=plane.server_error)

    async def _counters(
        self, journal: Journal, clock: SystemClock, stack: AsyncExitStack, on_event: Listener
    ) -> Counters:
        """Count in memory, or where the settings or the supervisor say."""
        url = self._shared_url()
        folder = self._state.journal_path
        if url:
            return await shared_counters(url, folder, journal, clock, stack, on_event)
        return local_counters(folder, journal, clock, stack, on_event)

    def _reconcile(self, counters: Counters, clock: SystemClock, alerts: Alerts) -> Reconciliation:
        """Return the work that compares counters with the ledger."""

        def tell(drift: Drift) -> None:
            self._metrics.drifted(drift)
            alerts.drift(drift)

        is_own = not self._shared_url() or bool(self._worker is not None and self._worker.counters_url)
        reconciler = Reconciler(
            self._state.path, lambda: counters, clock, lambda: self._snapshots.current, is_whole=is_own
        )
        return Reconciliation(
            reconciler,
            tell,
            lambda: self._journal.held > 0,
            self._state.path / DRIFTS,
            repairs=self._document.counters.repair,
        )

    def _shared_url(self) -> str | None:
        """Return where counters are shared; None: they are in memory."""
        told = self._worker.counters_url if self._worker is not None else None
        return told or self._options.environment.get(REDIS_VARIABLE) or self._document.counters.url

    def _circuits(self, clock: SystemClock, stack: AsyncExitStack) -> CircuitBook | None:
        """Share circuits where counters are shared."""
        url = self._shared_url()
        return shared_circuits(url, clock, stack) if url else None

    def _desk(self, journal: Journal, dialects: Mapping[str, Dialect], stack: AsyncExitStack) -> Desk | None:
        """Begin to ship records. The counters have settled what ended processes left in the journal."""
        settings = self._document.records
        if not settings.enabled:
            return None
        path = self._state.journal_path
        needed = needed_by_shared if self._shared_url() else needed_by_memory
        ledger = self._state.path / LEDGER

        def first_needed() -> int | None:
            return min((n for n in (needed(path), needed_by_ledger(ledger, path)) if n is not None), default=None)

        desk = Desk(self._state.path, journal, path, settings, dialects, first_needed=first_needed)
        stack.callback(desk.close)
        desk.start()
        return desk

    def _cache(self, clock: SystemClock, stack: AsyncExitStack) -> CacheStore:
        settings = self._document.cache
        url = self._options.environment.get(CACHE_VARIABLE) or settings.url
        if url:
            return shared_cache(url, settings, clock, stack)
        return MemoryCache(clock, most_bytes=settings.memory_bytes, most_entry_bytes=settings.entry_bytes)

    def _snapshots_of(self, directory: Directory) -> Snapshots:
        return Snapshots(
            file=self._file,
            document=self._document,
            environment=self._options.environment,
            providers=self._providers,
            directory=directory,
            trusted=self._trusted,
            simulator_url=self._simulator_url,
        )

    async def _start_simulator(self, stack: AsyncExitStack) -> None:
        sources = Sources(environment=self._options.environment, providers=self._providers)
        is_wanted = self._options.simulate
        if is_wanted is None:
            is_wanted = needs_simulator(self._document, sources)
        if not is_wanted:
            return
        from lockgate.simulator.app import Simulator
        from lockgate.simulator.serve import start
        from lockgate.simulator.settings import SimulatorSettings

        running = await start(Simulator(SimulatorSettings(seed=self._document.simulator.seed)))
        stack.push_async_callback(running.stop)
        self._simulator_url = running.url

    # ---- living

    async def _watch(self) -> None:
        """Take over what changes, in the file or in the database, or keep what runs and say why."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._reload_now.wait()
            except TimeoutError:
                pass
            try:
                if self._reload_now.is_set() or self._file.has_changed():
                    self._reload_now.clear()
                    await self._reload()
                elif await asyncio.to_thread(self._snapshots.has_news):
                    await self._snapshots.take_changes()
            except GatewayError as error:
                self._metrics.reloaded(is_taken=False)
                _log.error("the configuration was not taken over, the old one stays: %s", error)
            except Exception:  # noqa: BLE001  # the edge: a bug in here must not end the watching
                self._metrics.reloaded(is_taken=False)
                _log.exception("the configuration was not taken over, the old one stays")

    async def _reload(self) -> None:
        document = self._file.read()
        # who may call is decided at the start: an edit must not open a gateway that the world can reach
        server = msgspec.structs.replace(
            self._document.server,
            public_url=document.server.public_url,
            trust_forwarded=document.server.trust_forwarded,
        )
        await self._snapshots.take_document(msgspec.structs.replace(document, server=server))
        self._metrics.reloaded(is_taken=True)
        _log.info("the configuration was taken over (version %d)", self._snapshots.current.version)
        if _fixed_settings(document) != _fixed_settings(self._document):
            _log.warning(
                "changes in [server], [journal], [simulator], [database], in what [records] says of time, room and "
                "addresses, and in the connection limits of [limits] take effect at the next start"
            )

    def _install_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_now.set)

    def describe(self, listener: socket.socket, snapshot: Snapshot) -> Started:
        """Tell where and for whom it serves."""
        new_key, new_admin_key = self.made_keys
        host, port = listener.getsockname()[:2]
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  # only shown
        targets = tuple((slug, t.provider.name, t.is_simulated) for slug, t in sorted(snapshot.targets.items()))
        return Started(
            url=f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}",
            new_key=new_key,
            new_admin_key=new_admin_key,
            targets=targets,
            config_path=self._file.path if self._file.path.exists() else None,
            home=self.home,
            is_open=snapshot.is_open,
        )

    async def overview(self, listener: socket.socket, stack: AsyncExitStack) -> Started:
        """Prepare, and tell what workers beside this process will serve. Raises ConfigError."""
        stack.callback(os.close, self._state.own())
        directory = self._open(stack)
        await self.prepare(stack, directory)
        self._metrics_folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lockgate-metrics-"))
        if not (self._options.environment.get(REDIS_VARIABLE) or self._document.counters.url):
            server = private_server(self.home, stack)
            look_after(server, stack)
            self._counters_url = server.url
        return self.describe(listener, self._snapshots_of(directory).current)


async def _renew_grants(plane: DataPlane) -> None:
    """Keep the reservations of long answers alive."""
    while True:
        await asyncio.sleep(RENEW_S)
        plane.renew_grants()


async def _publish(metrics: Metrics) -> None:
    """Count what waits, and let the processes beside this one know."""
    now = asyncio.get_running_loop().time
    while True:
        due_s = now() + PUBLISH_S
        await asyncio.sleep(PUBLISH_S)
        metrics.lagged(max(0.0, now() - due_s))
        metrics.settle()
        metrics.publish()


async def _retry(journal: Journal) -> None:
    """Write what the disk did not take."""
    while True:
        await asyncio.sleep(_RETRY_EVERY_S)
        journal.retry()


def _log_numbers(journal: Journal, desk: Desk | None) -> LogNumbers:
    """Return how records fare on their way into the store."""
    if desk is None:
        return LogNumbers(held=journal.held)
    status = desk.status
    return LogNumbers(
        held=journal.held,
        waiting_bytes=status.waiting_row_bytes + status.waiting_body_bytes,
        damaged=status.damaged,
        failures=status.failures,
        restored=status.restored,
        blocked=int(status.blocked is not None),
    )


def check_config(path: Path, environment: Mapping[str, str]) -> Document:
    """Read and compile a configuration without starting anything. Raises ConfigError, of the environment's keys too."""
    file = ConfigFile(path, is_required=True)
    document = file.read()
    faults: list[ConfigError] = []
    try:
        _refuse_open_host(document, document.server.host, file)
    except ConfigError as error:
        faults.append(error)
    stored: Mapping[bytes, GatewayKey] = {}
    try:
        stored = given_keys(environment)
    except ConfigError as error:
        faults.append(error)
    sources = Sources(environment=environment, providers=load_providers(), key_scopes=WORKSPACE, stored_keys=stored)
    try:
        compile_snapshot(document, sources, SecretReader(environment, path.parent), 1)
    except ConfigFaults as error:
        faults = [*map(file.locate, error.faults), *faults]
    except ConfigError as error:
        faults = [file.locate(error), *faults]
    raise_all(faults)
    return document


def _fixed_settings(document: Document) -> tuple[object, ...]:
    """What is read at the start only."""
    limits = document.limits
    connection_limits = (limits.header_bytes, limits.header_s, limits.body_idle_s, limits.body_bytes_per_s)
    server = msgspec.structs.replace(document.server, public_url=None, trust_forwarded=False)
    kept = document.records
    records = (kept.enabled, kept.apart, kept.days, kept.body_days, kept.body_bytes, kept.disk_share, kept.client_ip)
    return (
        server,
        document.journal,
        records,
        document.simulator,
        document.database,
        connection_limits,
        limits.upstream_connections,
    )


def _refuse_open_host(document: Document, host: str, file: ConfigFile) -> None:
    if document.server.open and not _is_loopback(host):
        what = f"server.open: it serves anybody without a key, so it needs a loopback host, not {host}"
        raise file.locate(ConfigError(what))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address_rule(mode: str, folder: Path) -> Callable[[str, float], str | None]:
    """Return what says how much of a client's address is kept."""
    match mode:
        case "full":
            return lambda address, _now_s: full_address(address)
        case "truncated":
            return lambda address, _now_s: truncated_address(address)
        case "hashed":
            salt = DailySalt(folder / "address-salt")
            return lambda address, now_s: hashed_address(address, salt.at(now_s))
        case _:
            return lambda _address, _now_s: None


def load_dialects() -> dict[str, Dialect]:
    """Return every dialect by name."""
    found: dict[str, Dialect] = {}
    for info in pkgutil.iter_modules(lockgate.dialects.__path__):
        dialect: Dialect = importlib.import_module(f"lockgate.dialects.{info.name}").DIALECT
        found[dialect.name] = dialect
    return found
