"""What batches cost: reserved when one is created, charged once when results pass, to the key that created it.

What is reserved stays until all results have passed, or until ``HOLD_S`` is over: a batch may take a day.

Results are read line by line on their way. A download that breaks off is charged up to where it came; the next one goes
on from there. Shape of a line: ``{"result": {"type": "succeeded", "message": {...}}}`` (Anthropic) or
``{"response": {"status_code": 200, "body": {...}}}`` (OpenAI).
Source: control-plane specification, section 3.4.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct, structs

from lockgate.catalog.prices_cost import Cost, price
from lockgate.core.batches import BatchOwner, read_hold
from lockgate.core.billable import has_counts, total_tokens
from lockgate.core.body import Peek, peek
from lockgate.core.chat import Usage
from lockgate.core.limits import (
    MAX_AMOUNT,
    MAX_RATE,
    NO_GRANT,
    Budget,
    Claim,
    Demand,
    Grant,
    Refusal,
    Spent,
    charges_of,
)
from lockgate.core.record import SCHEMA_VERSION, Record
from lockgate.dataplane.headers import decode
from lockgate.dataplane.ids import new_request_id
from lockgate.dataplane.ledger import cost_line, sum_costs
from lockgate.dataplane.purse import Asked, demand_of, refuse_unpriced
from lockgate.dataplane.refusal import refusal_error
from lockgate.dialects import Dialect
from lockgate.errors import InvalidRequest, Unavailable
from lockgate.plan.resolve import Choice
from lockgate.plan.snapshot import GatewayKey

if TYPE_CHECKING:
    from lockgate.dataplane.stored import StoredExchange

_log = logging.getLogger("lockgate.batches")

MODE = "batch"
HOLD_S = 26 * 3600.0
"""How long a batch's reservation holds: providers end a batch after a day, and somebody has to ask for the results."""
_TRIES = 3
_OK = 200


class _Result(Struct, frozen=True):
    message: Raw = Raw(b"")


class _Response(Struct, frozen=True):
    status_code: int = 0
    body: Raw = Raw(b"")


class _Line(Struct, frozen=True):
    result: _Result | None = None
    response: _Response | None = None


_read_line = msgspec.json.Decoder(_Line).decode


class ResultMeter:
    """Adds up what the lines of a body of results used. ``price_of`` prices the usage of a model."""

    def __init__(self, dialect: Dialect, price_of: Callable[[str | None, Usage], Cost]) -> None:
        self._dialect = dialect
        self._price_of = price_of
        self._rest: list[bytes] = []
        self._results: list[tuple[Cost, int] | None] = []

    @property
    def lines(self) -> int:
        """How many lines there were."""
        return len(self._results)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        first, *others = data.split(b"\n")
        self._rest.append(first)
        for line in others:
            self._read(b"".join(self._rest))
            self._rest = [line]

    def close(self) -> None:
        """The body is over; its last line needs no end."""
        self._read(b"".join(self._rest))
        self._rest = []

    def since(self, line: int) -> tuple[Spent, Cost]:
        """Return what the lines from this number on cost together."""
        nanos = tokens = requests = 0
        total: Cost | None = None
        for found in self._results[line:]:
            if found is not None:
                cost, used = found
                nanos, tokens, requests = nanos + cost.nanos, tokens + used, requests + 1
                total = cost if total is None else sum_costs(total, cost)
        return Spent(nanos=nanos, tokens=tokens, requests=requests), total or Cost()

    def _read(self, line: bytes) -> None:
        if line.strip():
            self._results.append(self._used(line))

    def _used(self, line: bytes) -> tuple[Cost, int] | None:
        """Return cost and tokens of a result, None for one that failed or that nobody can read."""
        try:
            found = _read_line(line)
        except (msgspec.MsgspecError, RecursionError):
            return None
        body = b""
        if found.result is not None:
            body = bytes(found.result.message)
        elif found.response is not None and found.response.status_code == _OK:
            body = bytes(found.response.body)
        summary = self._dialect.read_summary(body) if body else None
        if summary is None or not has_counts(summary.usage):
            return None
        return self._price_of(summary.model, summary.usage), total_tokens(summary.usage)


class Charger:
    """Reads results along and charges them at their end. A Tap of ``relay_body``."""

    def __init__(self, exchange: StoredExchange, choice: Choice, owner: BatchOwner) -> None:
        self._exchange = exchange
        self._choice = choice
        self._owner = owner
        dialect = exchange.plane.dialects[choice.target.provider.dialect]
        self._meter = ResultMeter(dialect, self._price)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        self._meter.feed(data)

    async def close(self, *, is_whole: bool) -> None:
        """Charge what has passed. Without the book nothing is charged now, and all of it at the next download."""
        if is_whole:
            self._meter.close()
        try:
            await self._charge_new()
        except Unavailable:
            _log.error("the results of batch %s could not be charged; the next download is", self._owner.id)
        else:
            if is_whole and self._owner.hold is not None:
                await self._give_back(self._owner.hold)

    async def _charge_new(self) -> None:
        book, owner = self._exchange.plane.batch_book, self._owner
        for _ in range(_TRIES):
            if self._meter.lines <= owner.charged_lines:
                return
            if await book.charge(owner, self._meter.lines):
                self._charge(owner)
                return
            owner = await book.find(owner.workspace_id, owner.id) or owner

    async def _give_back(self, hold: str) -> None:
        """End the reservation: all results are charged."""
        plane = self._exchange.plane
        try:
            await plane.batch_book.drop_hold(self._owner)
            plane.counters.release(read_hold(hold))
        except (Unavailable, msgspec.MsgspecError):
            _log.error("what batch %s reserved could not be given back; it ends by itself", self._owner.id)

    def _price(self, model: str | None, usage: Usage) -> Cost:
        target, plane = self._choice.target, self._exchange.plane
        now_s = plane.clock.unix()
        rates = plane.snapshot.prices.find(target.provider.name, model, now_s, target.price_terms) if model else None
        return price(usage, rates, mode=MODE)

    def _charge(self, owner: BatchOwner) -> None:
        """Write the record, then settle; there is no await in between."""
        exchange, plane = self._exchange, self._exchange.plane
        spent, cost = self._meter.since(owner.charged_lines)
        if not spent.requests:
            return
        key = key_of(exchange, owner.key_id)
        claims = budgets_of(exchange, self._choice, key)
        grant = plane.counters.owe(f"{owner.workspace_id}.{owner.id}.{owner.charged_lines}-1", claims)
        charges = charges_of(grant, spent)
        target, now_s = self._choice.target, plane.clock.unix()
        plane.sink.write(
            Record(
                schema_version=SCHEMA_VERSION,
                id="rec_" + new_request_id(now_s).replace("-", ""),
                trace_id=decode(exchange.trace_id),
                started_at=now_s,
                method=exchange.method,
                route="batch_results",
                dialect=exchange.dialect.name,
                status=_OK,
                key_id=owner.key_id,
                key_name=key.name if key is not None else None,
                workspace_id=owner.workspace_id,
                user_id=key.user if key is not None else None,
                provider=target.provider.name,
                slug=target.slug,
                is_simulated=exchange.is_simulated,
                cost=cost_line(cost),
                grant=grant.id if charges else "",
                charges=charges,
            )
        )
        plane.counters.settle(grant, spent)


async def charger_for(exchange: StoredExchange, choice: Choice, batch_id: str) -> Charger:
    """Return what charges a batch's results; one that nobody knows is its reader's. Raises Unavailable."""
    book, workspace = exchange.plane.batch_book, exchange.workspace.id
    owner = await book.find(workspace, batch_id)
    if owner is None:
        await book.keep(owner_of(exchange, choice, batch_id))
        owner = await book.find(workspace, batch_id) or owner_of(exchange, choice, batch_id)
    return Charger(exchange, choice, owner)


def owner_of(exchange: StoredExchange, choice: Choice, batch_id: str) -> BatchOwner:
    """Return the entry of a batch that the caller creates."""
    key = exchange.caller.key if exchange.caller is not None else None
    return BatchOwner(
        workspace_id=exchange.workspace.id,
        id=batch_id,
        slug=exchange.kept_by(choice) or "",
        key_id=key.id if key is not None else None,
    )


def key_of(exchange: StoredExchange, key_id: str | None) -> GatewayKey | None:
    """Return a key that still opens."""
    return next((key for key in exchange.snapshot.keys.values() if key.id == key_id), None)


def budgets_of(exchange: StoredExchange, choice: Choice, key: GatewayKey | None) -> tuple[Claim, ...]:
    """Return the budgets under which a batch falls."""
    claims = _asked(exchange, choice, key, b"{}").claims()
    return tuple([claim for claim in claims if isinstance(claim.limit, Budget)])


async def admit_batch(exchange: StoredExchange, choice: Choice, bodies: Sequence[tuple[bytes, str | None]]) -> Grant:
    """Reserve what a batch may cost, and return that; refuse one that may cost more than is left.

    ``bodies`` are the requests and their models, where they can be read. Raises as ``Purse.admit`` does.
    """
    key = exchange.caller.key if exchange.caller is not None else None
    claims = budgets_of(exchange, choice, key)
    if not claims:
        return NO_GRANT
    nanos = tokens = 0
    for index, (body, model) in enumerate(bodies):
        one = structs.replace(choice, model=model)
        target, now_s = one.target, exchange.plane.clock.unix()
        rates = exchange.snapshot.prices.find(target.provider.name, model, now_s, target.price_terms) if model else None
        try:
            asked = _asked(exchange, one, key, body)
            if rates is None:
                refuse_unpriced(asked, claims)
            demand = demand_of(asked, claims, [rates] if rates is not None else [])
        except InvalidRequest as error:
            raise _of_request(index, error) from None
        nanos, tokens = nanos + demand.nanos, tokens + demand.tokens
    wanted = Demand(
        claims=claims,
        nanos=min(nanos, MAX_AMOUNT),
        tokens=min(tokens, MAX_RATE),
        requests=len(bodies),
        lease_s=HOLD_S,
    )
    name = f"batch.{new_request_id(exchange.plane.clock.unix())}".replace("-", "")
    answer = await exchange.plane.counters.hold(name, wanted)
    if isinstance(answer, Refusal):
        raise refusal_error(answer)
    return answer


def _of_request(index: int, error: InvalidRequest) -> InvalidRequest:
    """Return what is wrong with one of the requests as an error of the batch."""
    where = f"requests[{index}].params"
    return InvalidRequest(f"{where}.{error}", path=f"{where}.{error.path}" if error.path else where)


def _asked(exchange: StoredExchange, choice: Choice, key: GatewayKey | None, body: bytes) -> Asked:
    return Asked(
        exchange.plane,
        route="batches",
        workspace=exchange.workspace,
        key=key,
        choice=choice,
        metadata=exchange.metadata,
        body=body,
        seen=Peek() if body == b"{}" else peek(body),
        facts=exchange.snapshot.facts,
    )
