"""The composition root: the only place that picks concrete transport, state and telemetry and puts them together."""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import logging
import os
import pkgutil
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

import lockgate.dialects
from lockgate.config import Document
from lockgate.dataplane.app import DataPlane
from lockgate.dialects import Dialect
from lockgate.errors import ConfigError
from lockgate.plan.compile import Sources, check_key, compile_snapshot, needs_simulator
from lockgate.plan.keys import digest_of, write_key
from lockgate.plan.snapshot import GatewayKey, Snapshot
from lockgate.providers import load_providers
from lockgate.store.config_file import ConfigFile
from lockgate.store.secrets import SecretReader
from lockgate.store.state import StateFolder, StoredKey
from lockgate.telemetry.clock import SystemClock
from lockgate.telemetry.journal import Journal
from lockgate.transport.address_guard import check_url, trusted_set
from lockgate.transport.pool import HttpPool
from lockgate.transport.server import HttpLimits, Server, bind

_log = logging.getLogger("lockgate")

_RELOAD_EVERY_S = 0.5
_KEY_BYTES = 32


class Options(Struct, frozen=True, kw_only=True):
    """What the command line and the environment say; None leaves it to the configuration."""

    config_path: Path | None = None
    home: Path
    host: str | None = None
    port: int | None = None
    simulate: bool | None = None
    environment: Mapping[str, str]


class Started(Struct, frozen=True, kw_only=True):
    """What there is to tell once Lockgate listens."""

    url: str
    new_key: str | None
    targets: tuple[tuple[str, str, bool], ...]
    """Slug, provider and whether the simulator serves it."""
    config_path: Path | None
    home: Path
    is_open: bool


class Gateway:
    """A gateway that can be started, reloaded and stopped."""

    def __init__(self, options: Options) -> None:
        """Read everything that can be wrong. Raises ConfigError; nothing listens yet."""
        self._options = options
        self.home = options.home
        self._file = ConfigFile(
            options.config_path or Path("lockgate.toml"), is_required=options.config_path is not None
        )
        self._document = self._file.read()
        self._providers = load_providers()
        self._state = StateFolder(options.home)
        self._version = 0
        self._trusted = trusted_set(self._document.server.trusted_custom_hosts)
        self._simulator_url: str | None = None
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._reload_now = asyncio.Event()
        host = options.host or self._document.server.host
        port = options.port if options.port is not None else self._document.server.port
        _refuse_open_host(self._document, host)
        self._host, self._port = host, port

    async def run(self, on_start: Callable[[Started], None]) -> int:
        """Serve until SIGTERM or SIGINT; return how many requests were cut off. Raises ConfigError."""
        listener = bind(self._host, self._port)
        async with AsyncExitStack() as stack:
            stack.callback(listener.close)
            await self._start_simulator(stack)
            new_key = self._first_key()
            plane, server = self._build(self._compile(self._document), stack)
            await server.start(listener)
            self._install_signals()
            loop = asyncio.get_running_loop()
            watcher = loop.create_task(self._watch_config(plane), name="watch-config")
            stack.callback(watcher.cancel)
            on_start(self._describe(listener, plane.snapshot, new_key))
            await self._stop.wait()
            plane.is_draining = True
            return await self._drain(plane, server)

    def stop(self) -> None:
        """End in order, at the second call at once; ``run`` returns when everything is done."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    async def _drain(self, plane: DataPlane, server: Server) -> int:
        """Let running requests finish, until the deadline or until somebody asks again."""
        limit_s = self._document.server.drain_s
        if plane.running:
            _log.info("stopping: %d requests still run (at most %g s); ask again to end now", plane.running, limit_s)
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

    def _build(self, snapshot: Snapshot, stack: AsyncExitStack) -> tuple[DataPlane, Server]:
        """Put the parts together; what must be closed goes on the stack, and is closed in reverse order."""
        document = self._document
        pool = HttpPool(
            connections_per_origin=document.limits.upstream_connections,
            environment=self._options.environment,
            trusted_hosts=self._trusted,
        )
        settings = document.journal
        journal = Journal(self._state.journal_path, fsync=settings.fsync, segment_bytes=settings.segment_bytes)
        stack.callback(journal.close)
        stack.push_async_callback(pool.aclose)
        plane = DataPlane(
            snapshot=snapshot,
            upstream=pool,
            sink=journal,
            clock=SystemClock(),
            dialects=load_dialects(),
            guard=check_url,
        )
        limits = HttpLimits(
            header_bytes=document.limits.header_bytes,
            header_s=document.limits.header_s,
            body_idle_s=document.limits.body_idle_s,
            body_bytes_per_s=document.limits.body_bytes_per_s,
        )
        return plane, Server(plane, limits=limits, refuse=plane.server_error)

    def _compile(self, document: Document) -> Snapshot:
        self._version += 1
        keys = dict(self._state.read_keys())
        given = self._options.environment.get("LOCKGATE_API_KEY")
        if given:
            check_key(given, "LOCKGATE_API_KEY")
            keys[digest_of(given)] = GatewayKey(id="key_environment", name="environment")
        sources = Sources(
            environment=self._options.environment,
            providers=self._providers,
            stored_keys=keys,
            simulator_url=self._simulator_url,
        )
        reader = SecretReader(self._options.environment, self._file.path.parent)
        try:
            snapshot = compile_snapshot(document, sources, reader, self._version)
        except ConfigError as error:
            raise self._file.locate(error) from None
        return msgspec.structs.replace(snapshot, trusted_hosts=self._trusted)

    def _first_key(self) -> str | None:
        """Make a key when there is none at all; its text is shown once and only its digest is kept."""
        if self._options.environment.get("LOCKGATE_API_KEY") or self._document.keys or self._document.server.open:
            return None
        if self._state.read_keys():
            return None
        key = write_key(os.urandom(_KEY_BYTES))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._state.add_key(StoredKey(name="first", sha256=digest_of(key).hex(), created_at=now))
        return key

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

    async def _watch_config(self, plane: DataPlane) -> None:
        """Take a changed file over as a whole, or keep what runs and say why."""
        while True:
            try:
                async with asyncio.timeout(_RELOAD_EVERY_S):
                    await self._reload_now.wait()
            except TimeoutError:
                if not self._file.has_changed():
                    continue
            self._reload_now.clear()
            self._reload(plane)

    def _reload(self, plane: DataPlane) -> None:
        try:
            document = self._file.read()
            # who may call is decided at the start: an edit must not open a gateway that the world can reach
            server = msgspec.structs.replace(
                self._document.server,
                public_url=document.server.public_url,
                trust_forwarded=document.server.trust_forwarded,
            )
            plane.snapshot = self._compile(msgspec.structs.replace(document, server=server))
        except ConfigError as error:
            _log.error("the configuration was not taken over, the old one stays: %s", error)
            return
        except Exception:  # noqa: BLE001  # the edge: a bug in here must not end the watching
            _log.exception("the configuration was not taken over, the old one stays")
            return
        _log.info("the configuration was taken over (version %d)", plane.snapshot.version)
        changed = _fixed_settings(document) != _fixed_settings(self._document)
        if changed:
            _log.warning(
                "changes in [server], [journal], [simulator] and in the connection limits of [limits] "
                "take effect at the next start"
            )

    def _install_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_now.set)

    def _describe(self, listener: socket.socket, snapshot: Snapshot, new_key: str | None) -> Started:
        host, port = listener.getsockname()[:2]
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  # only shown
        targets = tuple((slug, t.provider.name, t.is_simulated) for slug, t in sorted(snapshot.targets.items()))
        return Started(
            url=f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}",
            new_key=new_key,
            targets=targets,
            config_path=self._file.path if self._file.path.exists() else None,
            home=self.home,
            is_open=snapshot.is_open,
        )


def check_config(path: Path, environment: Mapping[str, str]) -> Document:
    """Read and compile a configuration without starting anything. Raises ConfigError."""
    file = ConfigFile(path, is_required=True)
    document = file.read()
    _refuse_open_host(document, document.server.host)
    sources = Sources(environment=environment, providers=load_providers())
    try:
        compile_snapshot(document, sources, SecretReader(environment, path.parent), 1)
    except ConfigError as error:
        raise file.locate(error) from None
    return document


def _fixed_settings(document: Document) -> tuple[object, ...]:
    """What is read at the start only."""
    limits = document.limits
    connection_limits = (limits.header_bytes, limits.header_s, limits.body_idle_s, limits.body_bytes_per_s)
    server = msgspec.structs.replace(document.server, public_url=None, trust_forwarded=False)
    return (server, document.journal, document.simulator, connection_limits, limits.upstream_connections)


def _refuse_open_host(document: Document, host: str) -> None:
    if document.server.open and not _is_loopback(host):
        raise ConfigError(f"server.open serves anybody without a key, so it needs a loopback host, not {host}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_dialects() -> dict[str, Dialect]:
    """Return every dialect by name."""
    found: dict[str, Dialect] = {}
    for info in pkgutil.iter_modules(lockgate.dialects.__path__):
        dialect: Dialect = importlib.import_module(f"lockgate.dialects.{info.name}").DIALECT
        found[dialect.name] = dialect
    return found
