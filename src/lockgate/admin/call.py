"""What a handler gets: the caller, the typed input, and the doors to the store.

Handlers run in a thread. They open one transaction with ``view`` or ``change``; what a change leads to is compiled
before it is committed, so what would not run is refused and changes nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct, field, structs

from lockgate.admin.access import check_access, missing_scope
from lockgate.admin.desk import RecordDesk
from lockgate.admin.endpoint import Endpoint
from lockgate.admin.principal import Principal
from lockgate.admin.reading import Ignored, read_value
from lockgate.admin.routes import Routes
from lockgate.admin.seats import Seats
from lockgate.core.limits import Charged, Claim, Usage
from lockgate.dialects import Dialect
from lockgate.entities import Actor, Entity, Estate, Integration, Workspace
from lockgate.errors import (
    ConfigError,
    CountersUnreachable,
    Forbidden,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
)
from lockgate.plan.snapshot import Snapshot, Target
from lockgate.ports import Counters, Upstream
from lockgate.records.row import Row
from lockgate.store.directory import Directory
from lockgate.store.reading import Reading
from lockgate.store.transaction import Transaction

Body = TypeVar("Body")
Query = TypeVar("Query")
Result = TypeVar("Result")

_WAIT_S = 10.0
_PATH = re.compile(r"([a-z_]+(?:\.[a-z_]+)*): ")
"""The field of the body that a refused change is about."""
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?")


class Services(Struct, frozen=True, kw_only=True):
    """What all calls share."""

    directory: Directory
    snapshot: Callable[[], Snapshot]
    """The one that serves now; callers are looked up in it."""
    check: Callable[[Estate], None]
    """Compiles an estate and raises when it would not run."""
    lead_to: Callable[[Integration], Target]
    """Compiles what an integration leads to, whoever may use it. Raises GatewayError."""
    upstream: Upstream
    dialects: Mapping[str, Dialect]
    changed: Callable[[], Awaitable[None]]
    """Takes a committed change over in this process, before the caller hears of it."""
    counters: Counters
    drifts: Callable[[], Mapping[Charged, int]] = dict
    """What counters of budgets have that the ledger has not, as the last check found."""
    records: RecordDesk | None = None
    """None: no records are kept to be searched."""
    now: Callable[[], datetime]
    """The time, in UTC."""
    environment: Mapping[str, str] = {}
    """What ``env`` references are read from."""
    public_url: Callable[[], str | None] = lambda: None
    """Where people reach the gateway; None: as the request says."""
    is_ending: Callable[[], bool] = lambda: False
    """Whether the process is about to end: what would go on for ever stops."""
    under_way: Callable[[], Sequence[Row]] = lambda: ()
    """Requests of this process that have no record yet, the oldest first; whose they may be is for who asks."""
    seats: Seats = field(default_factory=Seats)
    """Of those who follow records as they come."""


class Call(Generic[Body, Query]):
    """One call of an endpoint."""

    def __init__(
        self,
        *,
        services: Services,
        principal: Principal | None,
        parameters: Mapping[str, str],
        body: Body,
        query: Query,
        headers: Mapping[bytes, bytes],
        method: str,
        uri: str,
        request_id: str,
        client_ip: str,
        loop: asyncio.AbstractEventLoop,
        routes: Routes,
        ignored: Sequence[Ignored] = (),
    ) -> None:
        self.services = services
        self._principal = principal
        self.parameters = parameters
        self.body = body
        self.query = query
        self.headers = headers
        self.method = method
        self.uri = uri
        self.request_id = request_id
        self.client_ip = client_ip
        self.now = services.now()
        self.has_changed = False
        """Whether something was committed."""
        self.ignored = ignored
        """What of the body nobody knows."""
        self.warnings: list[str] = []
        """What the caller should know of a request that is done, a sentence each."""
        self._loop = loop
        self._routes = routes

    # ---- who

    @property
    def principal(self) -> Principal:
        """The caller, on every endpoint that is not public."""
        if self._principal is None:
            raise Unauthenticated("This needs an API key", wire_code="AB05")
        return self._principal

    def require(self, *scopes: str) -> None:
        """Raise Forbidden unless the caller has one of the scopes."""
        if self.principal.scopes.isdisjoint(scopes):
            raise missing_scope(scopes)

    def workspace(self, view: Reading, given: str | None, path: str = "workspace_id") -> Workspace:
        """Return the workspace that a call is about: the one that is named, by id or slug, else the caller's own.

        ``path`` is where the name stands in the input.

        Raises Forbidden for one that is not there, and for a workspace's key that names another one: whether that one
        exists is not told.
        """
        own = self.principal.workspace
        if given is None or given in (own.id, own.slug):
            return own
        found = view.find(Workspace, given) if self.principal.is_organisations else None
        if found is None:
            raise Forbidden("There is no such workspace, or the key may not use it", path=path, wire_code="AB03")
        return found

    # ---- the store

    def view(self) -> AbstractContextManager[Reading]:
        """Open a transaction that only reads, as far as the caller sees."""
        return self.services.directory.read(self.principal.scope)

    @contextmanager
    def change(self) -> Iterator[Transaction]:
        """Open a transaction that changes something. It is undone when the block raises, or when the check does."""
        with self.services.directory.change(self.actor()) as tx:
            before = tx.revision()
            yield tx
            has_written = tx.revision() != before
            if has_written:
                self.check(tx.estate())
        self.has_changed = self.has_changed or has_written

    def check(self, estate: Estate) -> None:
        """Refuse what would not run. Raises InvalidRequest: it is the change that is wrong, not the gateway."""
        try:
            self.services.check(estate)
        except ConfigError as error:
            found = _PATH.match(error.message)
            raise InvalidRequest(error.message, path=found[1] if found else None) from None

    def actor(self) -> Actor:
        """Return the caller as the audit log names it; on a public endpoint that is the gateway itself."""
        if self._principal is None:
            return Actor(method=self.method, uri=self.uri, request_id=self.request_id, client_ip=self.client_ip or None)
        key = self._principal.key
        return Actor(
            kind="user" if key.user is not None else "api_key",
            id=key.user if key.user is not None else key.id,
            scope=self._principal.scope,
            method=self.method,
            uri=self.uri,
            request_id=self.request_id,
            client_ip=self.client_ip or None,
        )

    def expect(self, entity: Entity) -> int:
        """Return the version that an update must find. Raises PreconditionFailed when ``If-Match`` names another.

        A config may be named by its ``version_id`` too.
        """
        given = self.headers.get(b"if-match", b"").decode("latin-1").strip()
        if given and given != "*":
            tags = {tag.strip().removeprefix("W/").strip('"') for tag in given.split(",")}
            if tags.isdisjoint((str(entity.version), getattr(entity, "version_id", None))):
                raise PreconditionFailed(
                    f"It is at version {entity.version}, not at the one of If-Match; read it again, then change it"
                )
        return entity.version

    def perform(self, tx: Transaction, method: str, path: str, body: Mapping[str, object]) -> object:
        """Do another operation inside of a transaction of this one: with its access, reading and rules, but its check.

        Raises what that operation raises.
        """
        found = self._routes.find(path)
        endpoint = found.endpoints[method] if found is not None else None
        if found is None or endpoint is None or endpoint.is_waiting:
            raise NotFound(f"There is no operation {method} {path[:200]}")
        check_access(endpoint.access, self.principal.kind, self.principal.scopes)
        return endpoint.handler(_Inner(self, tx, endpoint, found.parameters, body))

    # ---- the rest

    def public_url(self) -> str:
        """Return where people reach the gateway, without a slash at the end."""
        known = self.services.public_url()
        if known is not None:
            return known
        host = self.headers.get(b"host", b"").decode("latin-1")
        return f"http://{host}" if _HOST.fullmatch(host) else ""

    def usage(self, claims: Sequence[Claim]) -> Mapping[str, Usage]:
        """Return how the counters of limits without groups stand, by the limit's id; nothing while they are away."""
        found = zip(claims, self.usages(claims), strict=True)
        return {claim.limit.id: usage for claim, usage in found if usage is not None}

    def usages(self, claims: Sequence[Claim]) -> Sequence[Usage | None]:
        """Return how counters stand, in the order asked; None for all of them while they are away."""
        if not claims:
            return ()
        try:
            found = self.wait(self.services.counters.usage(claims))
        except CountersUnreachable:
            return [None] * len(claims)
        drifts = self.services.drifts()
        if not drifts:
            return found
        places = [Charged(claim.limit.id, claim.group, usage.start) for claim, usage in zip(claims, found, strict=True)]
        return [structs.replace(one, extra=drifts.get(place, 0)) for one, place in zip(found, places, strict=True)]

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the gateway's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_S)


class _Inner(Call[Any, Any]):
    """A call inside of another one's transaction; it commits nothing itself, and no ``If-Match`` is meant for it."""

    def __init__(
        self,
        outer: Call[Any, Any],
        tx: Transaction,
        endpoint: Endpoint,
        parameters: Mapping[str, str],
        body: Mapping[str, object],
    ) -> None:
        super().__init__(
            services=outer.services,
            principal=outer.principal,
            parameters=parameters,
            body=read_value(_known(body, endpoint.body), endpoint.body),
            query=read_value({}, endpoint.query),
            headers={name: value for name, value in outer.headers.items() if name != b"if-match"},
            method=outer.method,
            uri=outer.uri,
            request_id=outer.request_id,
            client_ip=outer.client_ip,
            loop=outer._loop,
            routes=outer._routes,
        )
        self._tx = tx

    @contextmanager
    def view(self) -> Iterator[Reading]:
        yield self._tx

    @contextmanager
    def change(self) -> Iterator[Transaction]:
        yield self._tx


def _known(body: Mapping[str, object], kind: type[Struct]) -> dict[str, object]:
    """Return the fields of a body of our own making that the operation takes."""
    return {name: value for name, value in body.items() if name in kind.__struct_fields__}
