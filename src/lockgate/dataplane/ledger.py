"""What an exchange notes down as it goes, and the one record that comes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import structs

import lockgate
from lockgate.catalog.prices_cost import Cost
from lockgate.core.billable import place_of, speed_of, units_of
from lockgate.core.cached import CachedReply
from lockgate.core.chat import Call, Reply, ToolUseBlock, Usage
from lockgate.core.limits import Charge
from lockgate.core.record import (
    NO_UNITS,
    REUSED,
    SCHEMA_VERSION,
    Attempt,
    CostLine,
    Opened,
    Record,
    Stages,
    TokenCounts,
)
from lockgate.core.trace import Span, replay_of, span_of
from lockgate.dataplane.headers import decode, text_of
from lockgate.dataplane.purse import Purse
from lockgate.dialects import Summary, Written
from lockgate.errors import (
    ClientGone,
    Draining,
    GatewayError,
    LimitReached,
    Rejected,
    TimedOut,
    Unauthenticated,
    UpstreamError,
)
from lockgate.plan.keys import PREFIX
from lockgate.plan.resolve import Choice
from lockgate.ports import UpstreamResponse

if TYPE_CHECKING:
    from lockgate.dataplane.app import DataPlane
    from lockgate.dataplane.exchange import Exchange
    from lockgate.dataplane.walk import Walk

_MAX_TEXT = 256
_KEY = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9]{16,}")
_OK = 200
_CONFIG = b"x-portkey-config"
_NAMESPACE = b"x-portkey-cache-namespace"
_MOST_TOOLS = 64
_EVENT_OVERHEAD_BYTES = {"anthropic_messages": 120, "openai_chat": 230}
"""What an event of a stream holds beside its text, about."""
_BYTES_PER_TOKEN = 4


class Ledger:
    """Marks of time and facts of one exchange. ``close`` writes the record, once; later calls do nothing."""

    # What is not known yet is the class's: most requests never set most of it.
    key_id: str | None = None
    model_asked: str | None = None
    is_stream = False
    status = 0
    error: GatewayError | None = None
    bytes_in = 0
    bytes_out = 0
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    model: str | None = None
    usage = Usage()
    stop_reason: str | None = None
    response_id: str | None = None
    cost: Cost | None = None
    """What all attempts cost, once the record is written."""
    likely_input = 0
    """About how many tokens the request holds, for answers that are cut before the provider says."""
    content_bytes = 0
    """About how much text of a streamed answer went to the client."""
    chunk_count = 0
    """Events of it: all that were relayed as they came, else those with content."""
    tool_names: tuple[str, ...] = ()
    """Tools that a translated answer called."""
    _call: Call | None = None
    _opened: Opened | None = None
    _is_closed = False
    _is_sampled = False
    _t_received = _t_sent = _t_first = _t_done = _t_first_event = 0.0
    _upstream_status: int | None = None
    _upstream_id: str | None = None
    _earlier: tuple[Attempt, ...] = ()
    """Attempts that failed, before the one under way."""
    _earlier_cost: Cost | None = None
    _t_first_attempt = _t_attempt = 0.0
    _path, _kind, _waited_s = "config", "primary", 0.0
    _kept: CachedReply | None = None
    _saved_nanos = 0

    def __init__(self, plane: DataPlane, exchange: Exchange) -> None:
        self._now = plane.clock.monotonic
        self._sink = plane.sink
        self._may_record_refusal = plane.may_record_refusal
        self._exchange = exchange
        self.started_at = plane.clock.unix()
        self.started_s = self._t_start = self._now()
        self.purse = Purse(plane)
        self._overhead_bytes = _EVENT_OVERHEAD_BYTES.get(exchange.dialect.name, 0)

    # ---- marks

    def received(self, size_bytes: int) -> None:
        """The client's body is there."""
        self.bytes_in = size_bytes
        self._t_received = self._now()

    def begin_attempt(self, path: str, kind: str, wait_s: float) -> None:
        """A target of the config is tried, after a wait that is over."""
        self._t_attempt = self._now()
        self._t_first_attempt = self._t_first_attempt or self._t_attempt
        self._path, self._kind, self._waited_s = path, kind, wait_s

    @property
    def attempt_number(self) -> int:
        """The place of the attempt under way among those of the record, from 0 on."""
        return len(self._earlier)

    def repeat_attempt(self, error: GatewayError) -> None:
        """The attempt under way was in vain, and the same target is asked in another way."""
        self.end_attempt(error)
        self.begin_attempt(self._path, "retry", 0.0)

    def end_attempt(self, error: GatewayError | None) -> None:
        """The attempt under way was in vain, and another one may follow."""
        end, choice = self._now(), self._exchange.choice
        cost = None
        if self._t_sent:
            usage, is_estimated = self._billed(error)
            cost = self.purse.attempted(usage, is_estimated=is_estimated)
            if cost.nanos:
                earlier = self._earlier_cost
                self._earlier_cost = cost if earlier is None else sum_costs(earlier, cost)
        if choice is not None:
            self._earlier += (self._attempt(choice, end, error, cost.nanos or None if cost else None),)
        self._t_sent = self._t_first = self._t_done = 0.0
        self._upstream_status = self._upstream_id = self._opened = None
        self.usage, self.model, self.stop_reason, self.content_bytes = Usage(), None, None, 0
        self.chunk_count, self.tool_names = 0, ()
        self.dropped = self.adjusted = ()

    def translating(self, call: Call) -> None:
        """The request was read, to be written in another dialect."""
        self._call = call

    def prepared(self, written: Written) -> None:
        """The upstream request is written."""
        self.dropped, self.adjusted = written.dropped, written.adjusted

    def sending(self) -> None:
        """The upstream request goes out now."""
        self._t_sent = self._now()

    def answered(self, response: UpstreamResponse, request_id: bytes | None) -> None:
        """The head of the provider's answer is there."""
        self._t_first = self._now()
        self._upstream_status, self._opened = response.status, response.opened
        self._upstream_id = decode(request_id)[:_MAX_TEXT] if request_id else None

    def upstream_done(self) -> None:
        """The last byte of the provider's answer is there."""
        self._t_done = self._now()

    def first_event(self) -> None:
        """The first bytes of a streamed answer go to the client now."""
        self._t_first_event = self._now()

    def relayed(self, events: bytes) -> None:
        """Whole events go to the client as they came; what they hold is only guessed by their size."""
        count = events.count(b"\n\n")
        self.chunk_count += count
        self.content_bytes += max(0, len(events) - self._overhead_bytes * count)

    def replied(self, reply: Reply) -> None:
        """A translated whole reply was read."""
        self.model, self.usage, self.stop_reason = reply.model, reply.usage, reply.stop_reason
        self.response_id = reply.id
        if reply.stop_reason == "tool_use":
            self.called(*(block.name for block in reply.content if isinstance(block, ToolUseBlock)))
        self.lost(reply.dropped)

    def called(self, *tools: str) -> None:
        """The answer calls tools of the client."""
        self.tool_names = (*self.tool_names, *tools)[:_MOST_TOOLS]

    def lost(self, parts: Sequence[str]) -> None:
        """Parts of the provider's answer have no place in the client's dialect."""
        if parts:
            self.dropped = (*self.dropped, *parts)

    def learned(self, summary: Summary) -> None:
        """A listener read this from a reply that was relayed as it came."""
        self.model, self.usage, self.stop_reason = summary.model, summary.usage, summary.stop_reason
        self.response_id = summary.id

    def hit(self, kept: CachedReply, saved_nanos: int) -> None:
        """The answer comes from the cache."""
        self.model, self._kept, self._saved_nanos = kept.model, kept, saved_nanos
        self.dropped, self.adjusted = kept.dropped, kept.adjusted

    def fail(self, error: GatewayError) -> None:
        """The exchange ends in an error; the first one counts."""
        self.error = self.error or error

    def refuse(self, error: GatewayError) -> None:
        """The request is refused before anybody asks for a key; not every such refusal is recorded."""
        self.fail(error)
        self._is_sampled = True

    # ---- the record

    def close(self, error: GatewayError | None = None) -> None:
        """Write the record, if it is not written yet."""
        if self._is_closed:
            return
        self._is_closed = True
        if error is not None:
            self.fail(error)
        is_sampled = self._is_sampled or isinstance(self.error, Unauthenticated)
        if is_sampled and self.error is not None and not self._may_record_refusal(self.error.code):
            return
        purse, was_sent = self.purse, self._t_sent > 0 or self.purse.has_spent
        usage, is_estimated = self._billed(self.error)
        cost = purse.cost(usage, self.model, is_estimated=is_estimated) if self._is_model_call() else None
        self.cost = self._total(cost) if cost is not None else None
        charges: tuple[Charge, ...] = ()
        if purse.grant.holds:
            has_answered = self._upstream_status == _OK and not isinstance(self.error, UpstreamError)
            charges = purse.charges(usage, cost or Cost(), was_sent=was_sent, has_answered=has_answered)
        try:
            self._sink.write(self._record(usage, charges))
        finally:
            purse.close()

    def end(self) -> None:
        """Close, and let go of the exchange.

        Each holds the other; parted, all that the request held is freed now and not when the collector comes by.
        """
        self.close()
        if self.error is not None:
            self.error.__traceback__ = None  # its frames hold the exchange
        del self._exchange
        self.error = None  # its traceback holds the exchange as well

    def _is_model_call(self) -> bool:
        return self._exchange.is_charged and (self._t_sent > 0 or bool(self._earlier))

    def _billed(self, error: GatewayError | None) -> tuple[Usage, bool]:
        """Return what the provider will bill, and whether that is our estimate: of answers that were cut."""
        usage = self.usage
        if error is None or not self._t_sent or not self._is_model_call():
            return usage, False
        has_begun = self._upstream_status == _OK and (self.content_bytes > 0 or usage.input is not None)
        if not has_begun and not (_is_cut_here(error) and self._upstream_status in (None, _OK)):
            return usage, False
        output = max(usage.output or 0, self.content_bytes // _BYTES_PER_TOKEN)
        fresh = usage.input if usage.input is not None else self.likely_input
        return structs.replace(usage, input=fresh, output=output), True

    def _total(self, cost: Cost) -> Cost:
        """Return what all attempts cost; ``cost`` is that of the one under way, if there is one."""
        if self._earlier_cost is None:
            return cost
        return sum_costs(self._earlier_cost, cost) if self._t_sent else self._earlier_cost

    def _record(self, usage: Usage, charges: tuple[Charge, ...]) -> Record:
        exchange, error = self._exchange, self.error
        choice = exchange.choice
        target = choice.target if choice else None
        end = self._now()
        is_gone = isinstance(error, ClientGone)
        attempts = self._earlier
        if self._t_sent and choice:
            attempts += (self._attempt(choice, end, error if isinstance(error, UpstreamError) else None),)
        caller = exchange.caller
        key = caller.key if caller is not None else None
        workspace = exchange.workspace if caller is not None else None
        address = exchange.client.address(trusts_forwarded=exchange.snapshot.trusts_forwarded)
        agent = exchange.headers.get(b"user-agent")
        method: str = exchange.client.scope["method"]
        path: str = exchange.client.scope["path"]
        span = span_of(exchange.headers, exchange.request_id[-17:].replace("-", ""), f"{method} {path}")
        # each member that is named costs time, so that here are only those that most requests have
        return Record(
            schema_version=SCHEMA_VERSION,
            id=exchange.record_id,
            trace_id=decode(exchange.trace_id),
            started_at=self.started_at,
            method=method,
            request_path=path[:_MAX_TEXT],
            span_id=span.id,
            response_id=self.response_id,
            route=exchange.route,
            dialect=exchange.dialect.name,
            status=error.status if is_gone and error else self.status or (error.status if error else 0),
            key_id=self.key_id,
            key_name=key.name if key is not None else None,
            key_kind=key.kind if key is not None else None,
            workspace_id=workspace.id if workspace is not None else None,
            workspace_slug=workspace.slug if workspace is not None else None,
            provider=target.provider.name if target else None,
            slug=target.slug if target else None,
            model_asked=_asked(self.model_asked) if self.model_asked else None,
            model=self.model,
            is_stream=self.is_stream,
            stop_reason=self.stop_reason,
            attempts=attempts,
            tokens=_tokens(usage),
            cost=cost_line(self.cost) if self.cost is not None else None,
            stages=self._stages(end),
            duration_ms=_ms(end - self._t_start),
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            log_mode=exchange.recording.rules.mode if caller is not None else None,
            log_mode_reason=exchange.recording.source if caller is not None else None,
            user_agent=decode(agent)[:_MAX_TEXT] if agent else None,
            client_ip=exchange.plane.shown_address(address, self.started_at) if address is not None else None,
            node_id=exchange.plane.node_id,
            gateway_version=lockgate.__version__,
            **self._rare(exchange, span, charges),
        )

    def _rare(self, exchange: Exchange, span: Span, charges: tuple[Charge, ...]) -> dict[str, Any]:
        """Return what most requests have not."""
        found: dict[str, Any] = {}
        if self.error is not None:
            _tell_failure(found, self.error)
        walk, call = exchange.walk, self._call
        if walk is not None and walk.has_config:
            self._tell_routing(found, exchange, walk)
        if call is not None:
            found["message_count"], found["tool_count"] = len(call.messages), len(call.tools)
            if call.tool_choice is not None:
                found["tool_choice"] = call.tool_choice.mode
            if self.tool_names:
                found["tool_names"] = self.tool_names
        if self._t_first_event:
            found["first_event_ms"] = _ms(self._t_first_event - self._t_start)
        if self.chunk_count:
            found["chunk_count"] = self.chunk_count
        if charges:
            found["charges"], found["grant"] = charges, self.purse.grant.id
        if self.dropped or self.adjusted:
            found["dropped"], found["adjusted"] = self.dropped, self.adjusted
        if exchange.is_simulated:
            found["is_simulated"] = True
        _tell_rest(found, exchange, span)
        return found

    def _tell_routing(self, found: dict[str, Any], exchange: Exchange, walk: Walk) -> None:
        """Put in what a config brought, its cache included."""
        found["config_id"], found["config_version"] = walk.config_id, walk.config_version
        found["config_source"], found["path"] = _config_source(exchange), walk.path
        found["cache_status"] = exchange.cache_status.lower()
        keeping, kept = exchange.keeping, self._kept
        if keeping is not None:
            found["cache_key_hash"] = keeping.key
            if _NAMESPACE in exchange.headers:
                found["cache_namespace"] = _cut(text_of(exchange.headers, _NAMESPACE))
        if kept is not None:
            found["cache_age_s"] = int(max(0.0, self.started_at - kept.created_at))
            found["cache_source_id"], found["cache_source_ms"] = kept.record_id, kept.took_ms
            found["cache_saved_nanos"] = self._saved_nanos

    def _attempt(
        self, choice: Choice, end: float, error: GatewayError | None, cost_nanos: int | None = None
    ) -> Attempt:
        target, opened = choice.target, self._opened
        attempt = Attempt(
            provider=target.provider.name,
            slug=target.slug,
            model=choice.model,
            status=self._upstream_status,
            duration_ms=_ms((self._t_done or end) - self._t_sent) if self._t_sent else 0.0,
            first_byte_ms=_ms(self._t_first - self._t_sent) if self._t_first else None,
            upstream_request_id=self._upstream_id,
            is_byte_path=self._exchange.is_byte_path,
            kind=self._kind,
            path=self._path,
            started_ms=_ms((self._t_attempt or self._t_sent) - self._t_start),
            host=None if target.origin.guarded else target.origin.host,
            is_reused=opened is REUSED,
        )
        rare: dict[str, Any] = {}
        if error is not None:
            wait_s = self._exchange.retry_after_s
            rare["error"], rare["error_type"] = error.code, error.kind
            rare["retry_after_ms"] = _ms(wait_s) if wait_s is not None else None
        if opened is not None and opened is not REUSED:
            rare["opened"] = opened
        if self._waited_s:
            rare["waited_ms"] = _ms(self._waited_s)
        if cost_nanos is not None:
            rare["cost_nanos"] = cost_nanos
        if self._exchange.is_simulated:
            rare["is_simulated"] = True
        return structs.replace(attempt, **rare) if rare else attempt

    def _stages(self, end: float) -> Stages:
        """Cut the time into stages that add up to the whole; marks that were not reached take no time."""
        received = self._t_received or end
        earlier = self._t_attempt - self._t_first_attempt
        sent = self._t_sent or end
        first = self._t_first or (end if self._t_sent else sent)
        done = max(self._t_done or end, first)
        # ``_ms`` six times, without the calls
        return Stages(
            receive=int((received - self._t_start) * 1e6) / 1e3,
            earlier=int(earlier * 1e6) / 1e3 if earlier else 0.0,
            prepare=int((sent - received - earlier) * 1e6) / 1e3,
            upstream_first=int((first - sent) * 1e6) / 1e3,
            upstream_rest=int((done - first) * 1e6) / 1e3,
            finish=int((end - done) * 1e6) / 1e3,
        )


def _tell_failure(found: dict[str, Any], error: GatewayError) -> None:
    """Put in what an error that ended the exchange says."""
    found["error"], found["error_origin"], found["error_type"] = error.code, _origin_of(error), error.kind
    found["is_client_gone"] = isinstance(error, ClientGone)
    if isinstance(error, Rejected):
        found["provider_error_code"] = _cut(error.wire_code)
    elif isinstance(error, LimitReached):
        found["error_message"] = _cut(error.message)


def _tell_rest(found: dict[str, Any], exchange: Exchange, span: Span) -> None:
    """Put in what the request, its key and its target say beside what all of them do."""
    if exchange.metadata:
        found["metadata"], found["is_metadata_cut"] = exchange.metadata, exchange.is_metadata_cut
    elif exchange.is_metadata_cut:
        found["is_metadata_cut"] = True
    key = exchange.caller.key if exchange.caller is not None else None
    if key is not None and (key.organisation or key.user):
        found["org_id"], found["user_id"] = key.organisation or None, key.user
    if exchange.choice is not None and exchange.choice.target.integration:
        found["integration_id"] = exchange.choice.target.integration
    asked_id = exchange.headers.get(b"x-request-id")
    if asked_id:
        found["client_request_id"] = decode(asked_id)[:_MAX_TEXT]
    if span.parent or span.name:
        found["parent_span_id"], found["span_name"] = span.parent, span.name
    replayed = replay_of(exchange.headers)
    if replayed:
        found["source"], found["replay_of"] = "replay", replayed


def _config_source(exchange: Exchange) -> str:
    """Say who named the config."""
    if exchange.client_headers.get(_CONFIG, b"").strip():
        return "header"
    key = exchange.caller.key if exchange.caller is not None else None
    return "key_default" if key is not None and key.config_id is not None else "workspace_default"


def _is_cut_here(error: GatewayError) -> bool:
    """Tell whether the provider would have answered: the client left, or its time or ours was over."""
    return isinstance(error, ClientGone | Draining) or (isinstance(error, TimedOut) and error.phase == "request")


def _origin_of(error: GatewayError) -> str:
    if isinstance(error, ClientGone):
        return "client"
    return "provider" if isinstance(error, UpstreamError) else "gateway"


def _tokens(usage: Usage) -> TokenCounts:
    return TokenCounts(
        input=usage.input,
        output=usage.output,
        cache_read=usage.cache_read,
        cache_write=usage.cache_write,
        cache_write_1h=usage.cache_write_1h,
        reasoning=usage.reasoning,
        input_audio=usage.input_audio,
        output_audio=usage.output_audio,
        units=units_of(usage) if usage.extra else NO_UNITS,
        service_tier=_cut(usage.service_tier),
        speed=_cut(speed_of(usage)) if usage.extra else None,
        inference_geo=_cut(place_of(usage)) if usage.extra else None,
    )


def sum_costs(one: Cost, other: Cost) -> Cost:
    """Return what two answers cost together, under the words of the later one."""
    parts = dict(one.parts)
    for name, nanos in other.parts.items():
        parts[name] = parts.get(name, 0) + nanos
    status = one.status if one.status == "estimated" else other.status
    return structs.replace(other, nanos=one.nanos + other.nanos, parts=parts, status=status)


def cost_line(cost: Cost) -> CostLine:
    """Return a cost as the record has it."""
    return CostLine(
        nanos=cost.nanos,
        status=cost.status,
        parts=cost.parts,
        version=cost.version,
        source=cost.source,
        multiplier=cost.multiplier,
    )


def _asked(model: str) -> str:
    """Return a model as a client named it, but not a gateway key that it put there."""
    if PREFIX in model:
        model = _KEY.sub(PREFIX + "***", model)
    return model[:_MAX_TEXT]


def _cut(text: str | None) -> str | None:
    return text[:_MAX_TEXT] if text else None


def _ms(seconds: float) -> float:
    """Whole microseconds, as milliseconds: cheaper than rounding, and this runs eight times a request."""
    return int(seconds * 1e6) / 1e3
