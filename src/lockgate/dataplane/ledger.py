"""What an exchange notes down as it goes, and the one record that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.core.chat import Reply, Usage
from lockgate.core.record import SCHEMA_VERSION, Attempt, Record, Stages, TokenCounts
from lockgate.dataplane.headers import decode
from lockgate.dialects import Summary, Written
from lockgate.errors import ClientGone, GatewayError, Unauthenticated, UpstreamError
from lockgate.plan.resolve import Choice

if TYPE_CHECKING:
    from lockgate.dataplane.app import DataPlane
    from lockgate.dataplane.exchange import Exchange

_MAX_TEXT = 256


class Ledger:
    """Marks of time and facts of one exchange. ``close`` writes the record, once; later calls do nothing."""

    def __init__(self, plane: DataPlane, exchange: Exchange) -> None:
        self._now = plane.clock.monotonic
        self._sink = plane.sink
        self._may_record_refusal = plane.may_record_refusal
        self._exchange = exchange
        self._is_closed = False
        self.started_at = plane.clock.unix()
        self._t_start = self._now()
        self._t_received = self._t_sent = self._t_first = self._t_done = self._t_first_event = 0.0
        self.key_id: str | None = None
        self.model_asked: str | None = None
        self.is_stream = False
        self.status = 0
        self.error: GatewayError | None = None
        self.bytes_in = 0
        self.bytes_out = 0
        self.dropped: tuple[str, ...] = ()
        self.adjusted: tuple[str, ...] = ()
        self.model: str | None = None
        self.usage = Usage()
        self.stop_reason: str | None = None
        self._upstream_status: int | None = None
        self._upstream_id: str | None = None

    # ---- marks

    def received(self, size_bytes: int) -> None:
        """The client's body is there."""
        self.bytes_in = size_bytes
        self._t_received = self._now()

    def prepared(self, written: Written) -> None:
        """The upstream request is written."""
        self.dropped, self.adjusted = written.dropped, written.adjusted

    def sending(self) -> None:
        """The upstream request goes out now."""
        self._t_sent = self._now()

    def answered(self, status: int, request_id: bytes | None) -> None:
        """The head of the provider's answer is there."""
        self._t_first = self._now()
        self._upstream_status = status
        self._upstream_id = decode(request_id)[:_MAX_TEXT] if request_id else None

    def upstream_done(self) -> None:
        """The last byte of the provider's answer is there."""
        self._t_done = self._now()

    def first_event(self) -> None:
        """The first bytes of a streamed answer go to the client now."""
        self._t_first_event = self._now()

    def replied(self, reply: Reply) -> None:
        """A translated whole reply was read."""
        self.model, self.usage, self.stop_reason = reply.model, reply.usage, reply.stop_reason

    def learned(self, summary: Summary) -> None:
        """A listener read this from a reply that was relayed as it came."""
        self.model, self.usage, self.stop_reason = summary.model, summary.usage, summary.stop_reason

    def fail(self, error: GatewayError) -> None:
        """The exchange ends in an error; the first one counts."""
        self.error = self.error or error

    # ---- the record

    def close(self, error: GatewayError | None = None) -> None:
        """Write the record, if it is not written yet."""
        if self._is_closed:
            return
        self._is_closed = True
        if error is not None:
            self.fail(error)
        if isinstance(self.error, Unauthenticated) and not self._may_record_refusal():
            return
        self._sink.write(self._record())

    def _record(self) -> Record:
        exchange, error = self._exchange, self.error
        choice = exchange.choice
        target = choice.target if choice else None
        end = self._now()
        is_gone = isinstance(error, ClientGone)
        attempts: tuple[Attempt, ...] = (self._attempt(choice, end),) if self._t_sent and choice else ()
        agent = exchange.headers.get(b"user-agent")
        return Record(
            schema_version=SCHEMA_VERSION,
            id="rec_" + exchange.request_id.replace("-", ""),
            trace_id=decode(exchange.trace_id),
            started_at=self.started_at,
            method=exchange.client.scope["method"],
            route=exchange.route,
            dialect=exchange.dialect.name,
            status=error.status if is_gone and error else self.status or (error.status if error else 0),
            key_id=self.key_id,
            provider=target.provider.name if target else None,
            slug=target.slug if target else None,
            model_asked=self.model_asked[:_MAX_TEXT] if self.model_asked else None,
            model=self.model,
            is_stream=self.is_stream,
            is_client_gone=is_gone,
            is_simulated=exchange.is_simulated,
            error=error.code if error else None,
            error_origin=_origin_of(error) if error else None,
            stop_reason=self.stop_reason,
            attempts=attempts,
            tokens=_tokens(self.usage),
            stages=self._stages(end),
            duration_ms=_ms(end - self._t_start),
            first_event_ms=_ms(self._t_first_event - self._t_start) if self._t_first_event else None,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            dropped=self.dropped,
            adjusted=self.adjusted,
            user_agent=decode(agent)[:_MAX_TEXT] if agent else None,
        )

    def _attempt(self, choice: Choice, end: float) -> Attempt:
        target = choice.target
        return Attempt(
            provider=target.provider.name,
            slug=target.slug,
            model=choice.model,
            status=self._upstream_status,
            error=self.error.code if isinstance(self.error, UpstreamError) else None,
            duration_ms=_ms((self._t_done or end) - self._t_sent),
            first_byte_ms=_ms(self._t_first - self._t_sent) if self._t_first else None,
            upstream_request_id=self._upstream_id,
            is_byte_path=self._exchange.is_byte_path,
            is_simulated=self._exchange.is_simulated,
        )

    def _stages(self, end: float) -> Stages:
        """Cut the time into stages that add up to the whole; marks that were not reached take no time."""
        received = self._t_received or end
        sent = self._t_sent or end
        first = self._t_first or (end if self._t_sent else sent)
        done = max(self._t_done or end, first)
        return Stages(
            receive=_ms(received - self._t_start),
            prepare=_ms(sent - received),
            upstream_first=_ms(first - sent),
            upstream_rest=_ms(done - first),
            finish=_ms(end - done),
        )


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
    )


def _ms(seconds: float) -> float:
    """Whole microseconds, as milliseconds: cheaper than rounding, and this runs eight times a request."""
    return int(seconds * 1e6) / 1e3
