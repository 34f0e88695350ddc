"""The control plane without a gateway: the command line's way to the database, by the API's own operations.

A gateway that runs takes a change over through the change feed, within a second. The caller is the operator of the
machine, who may everything; the audit log names the command line. Credentials that are references are not read here:
the gateway's environment need not be that of a shell.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, structs

from lockgate.admin.app import AdminApp, create_app
from lockgate.admin.call import Services
from lockgate.admin.scopes import ORGANISATION
from lockgate.app.counting import counters_left, take_up_batches
from lockgate.app.gateway import load_dialects
from lockgate.app.options import REDIS_VARIABLE
from lockgate.app.reconciling import Reconciler
from lockgate.app.snapshots import Snapshots
from lockgate.core.limits import Drift
from lockgate.core.secret import Secret
from lockgate.entities import Actor, AuditAction, Scope
from lockgate.errors import ConfigError, Conflict, Unavailable
from lockgate.plan.keys import digest_of, write_key
from lockgate.plan.snapshot import GatewayKey, Snapshot
from lockgate.ports import Counters
from lockgate.providers import load_providers
from lockgate.store.batch_book import DatabaseBatchBook
from lockgate.store.bootstrap import FirstStart, begin
from lockgate.store.config_file import ConfigFile
from lockgate.store.directory import open_directory, utc_now
from lockgate.store.state import StateFolder
from lockgate.telemetry.clock import SystemClock
from lockgate.telemetry.drift_file import NAME as DRIFTS
from lockgate.telemetry.drift_file import DriftFile
from lockgate.transport.address_guard import trusted_set
from lockgate.transport.pool import HttpPool

_KEY_ID = "command-line"
_KEY_BYTES = 32


class Reply(Struct, frozen=True):
    """What an operation answered."""

    status: int
    body: dict[str, Any]

    @property
    def is_done(self) -> bool:
        """Whether it was done, rather than refused."""
        return self.status < 300  # success


class Office:
    """Performs operations of the control plane. ``close`` ends it; as a context manager it closes itself."""

    def __init__(self, *, config_path: Path | None, home: Path, environment: Mapping[str, str]) -> None:
        """Open the database, which is made when there is none. Raises ConfigError."""
        self.home = home
        self._environment = environment
        file = ConfigFile(config_path or Path("lockgate.toml"), is_required=config_path is not None)
        self._document = document = file.read()
        self._folder = StateFolder(home)
        self._stack = ExitStack()
        with ExitStack() as stack:
            directory = open_directory(url=document.database.url, home=home, environment=environment)
            stack.callback(directory.close)
            self.is_new = directory.revision() == 0
            begun = begin(directory, _NO_KEYS)
            self._snapshots = Snapshots(
                file=file,
                document=document,
                environment=environment,
                providers=load_providers(),
                directory=directory,
                trusted=trusted_set(document.server.trusted_custom_hosts),
                simulator_url=None,
                read_secret=_unread,
            )
            self._runner = stack.enter_context(asyncio.Runner())
            self._text = write_key(os.urandom(_KEY_BYTES))
            self._key = GatewayKey(
                id=_KEY_ID,
                name="command line",
                kind="organisation-service",
                organisation=begun.organisation_id,
                workspace=begun.workspace_id,
                scopes=ORGANISATION,
            )
            self._directory = directory
            self._app: AdminApp = self._runner.run(self._make_app(stack))
            self._stack = stack.pop_all()

    def __enter__(self) -> Office:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End threads and close the database."""
        self._stack.close()

    def ask(self, method: str, path: str, body: object = None, **query: str | int | None) -> Reply:
        """Perform one operation; ``path`` is below ``/v1``."""
        return self._runner.run(self._ask(method, path, body, {k: v for k, v in query.items() if v is not None}))

    def check_budgets(self, *, repairs: bool) -> list[Drift]:
        """Return how each budget's counter stands beside the ledger. ``repairs``: shared counters get what they lack.

        Raises GatewayError.
        """
        return self._runner.run(self._check_budgets(repairs=repairs))

    def note(self, action: AuditAction, resource_type: str, resource_id: str) -> None:
        """Write an audit entry about something that was done without an operation. Raises GatewayError."""
        actor = Actor(kind="api_key", id=_KEY_ID, scope=Scope(organisation_id=self._key.organisation))
        with self._directory.change(actor) as tx:
            tx.note(action, resource_type, resource_id)

    async def _check_budgets(self, *, repairs: bool) -> list[Drift]:
        clock, url = SystemClock(), self._shared_url()
        if url is None and (self.home / "appendonlydir").exists() and not (self.home / "counters.json").exists():
            raise Unavailable("The counters are on the server of the gateway's workers, which does not run")
        shared = self._counters() if url else None
        reconciler = Reconciler(
            self.home,
            lambda: shared or counters_left(self._folder.journal_path, clock),
            clock,
            lambda: self._snapshots.current,
            is_whole=url is None or url.startswith("unix:"),
        )
        found = await reconciler.check(keeps=False)
        if repairs and shared is None and any(one.missing > 0 and one.matters for one in found):
            raise Conflict(
                "Counters in memory are the gateway's own: with repair = true in [counters] it makes up for them "
                "when it starts, and once an hour"
            )
        return [await reconciler.make_up(one) if repairs and one.missing > 0 and one.matters else one for one in found]

    async def _make_app(self, stack: ExitStack) -> AdminApp:
        pool = HttpPool(environment=self._environment, trusted_hosts=self._snapshots.current.trusted_hosts)
        services = Services(
            directory=self._directory,
            snapshot=self._snapshot,
            check=self._snapshots.check,
            lead_to=self._snapshots.lead_to,
            upstream=pool,
            dialects=load_dialects(),
            changed=self._snapshots.take_changes,
            counters=self._counters(),
            drifts=DriftFile(self.home / DRIFTS),
            now=utc_now,
            environment=self._environment,
        )
        app = create_app(services)
        stack.callback(lambda: self._runner.run(pool.aclose()))
        stack.callback(app.close)
        return app

    def _snapshot(self) -> Snapshot:
        current = self._snapshots.current
        return structs.replace(current, keys={**current.keys, digest_of(self._text): self._key})

    def _counters(self) -> Counters:
        """Return counters that can be read: as journal and batches have them, or those of the server.

        What requests under way reserve in a gateway's memory is not in them. Raises ConfigError.
        """
        clock = SystemClock()
        url = self._shared_url()
        if url:
            try:
                from lockgate.store.counters_redis import RedisCounters
            except ImportError:
                raise ConfigError("counters on a server need the extra: pip install 'lockgate[redis]'") from None
            return RedisCounters(url, clock)
        counters = counters_left(self._folder.journal_path, clock)
        take_up_batches(counters, DatabaseBatchBook(self._directory), clock)
        return counters

    def _shared_url(self) -> str | None:
        """Return where counters are on a server: the one that is set, or that of several workers while it runs."""
        private = self.home.absolute() / "valkey.sock"
        own = f"unix://{private}" if private.exists() else None
        return self._environment.get(REDIS_VARIABLE) or self._document.counters.url or own

    async def _ask(self, method: str, path: str, body: object, query: Mapping[str, str | int]) -> Reply:
        sent = msgspec.json.Encoder(decimal_format="number").encode(body) if body is not None else b""
        parts: list[bytes] = []
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.append(message.get("body", b""))

        scope = {
            "type": "http",
            "method": method,
            "path": f"/v1{path}",
            "query_string": urlencode(query).encode("ascii"),
            "headers": [(b"x-portkey-api-key", self._text.encode("ascii"))],
        }
        await self._app(scope, receive, send)
        return Reply(status, msgspec.json.decode(b"".join(parts)))


_NO_KEYS = FirstStart(service_scopes=(), admin_scopes=(), makes_service_key=False, makes_admin_key=False)


def _unread(reference: str) -> Secret:
    """Stand in for a secret; each reference has another, since keys are told apart by their texts."""
    return Secret(f"unread {reference}")
