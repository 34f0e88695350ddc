"""One client request from start to end: the walk that every model route takes.

Authenticate, read the body, choose the target, prepare the request (client's bytes, or a translation), send, answer,
and write exactly one record. Nothing here knows a vendor; dialects and targets are data.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lockgate.core.body import Peek, is_error_object, model_name, peek
from lockgate.core.chat import Call
from lockgate.core.estimate import estimate_tokens
from lockgate.core.http import Headers, UpstreamRequest
from lockgate.dataplane import encoding
from lockgate.dataplane.auth import Caller, authenticate, holds_key
from lockgate.dataplane.client import ClientConnection
from lockgate.dataplane.custom_host import with_custom_host
from lockgate.dataplane.headers import (
    flag_of,
    forwarded_headers,
    header_in,
    is_strict,
    provider_of,
    read_headers,
    relayed_headers,
    retry_headers,
    text_of,
)
from lockgate.dataplane.ids import new_request_id, trace_id_of
from lockgate.dataplane.relay import relay_bytes, relay_chunks
from lockgate.dataplane.threads import Thread, ThreadLedger, identity_of, read_thread, unsupported
from lockgate.dialects import Dialect, TargetInfo, View, Written
from lockgate.errors import (
    ClientGone,
    Draining,
    GatewayError,
    Internal,
    InvalidRequest,
    Malformed,
    Rejected,
    Unsupported,
)
from lockgate.plan.resolve import Choice, Signals, choose_target
from lockgate.plan.snapshot import Target
from lockgate.ports import UpstreamResponse

if TYPE_CHECKING:
    from lockgate.dataplane.app import DataPlane

_log = logging.getLogger("lockgate.exchange")

_JSON = b"application/json"
_SSE = b"text/event-stream; charset=utf-8"
MULTIPLE_CHOICES = 300
"""Statuses from here on are not answers."""
_BAD_REQUEST, _SERVER_ERROR = 400, 500
_MAX_NAMES, _MAX_LISTED_BYTES = 40, 2000
_USER_AGENT = (b"user-agent", b"lockgate")
_IDENTITY = (b"accept-encoding", b"identity")


class Exchange:
    """The state of one request. ``run`` never raises but for cancellation from outside."""

    def __init__(self, plane: DataPlane, client: ClientConnection, route: str, dialect: Dialect) -> None:
        self.plane = plane
        self.client = client
        self.route = route
        self.dialect = dialect
        self.snapshot = plane.snapshot
        self.headers: Mapping[bytes, bytes] = read_headers(client.scope["headers"])
        self.request_id = new_request_id(plane.clock.unix())
        self.trace_id = trace_id_of(self.headers, self.request_id)
        self.ledger = ThreadLedger(plane, self)
        self.choice: Choice | None = None
        self.is_byte_path = False
        self.is_simulated = False

    # ---- the walk

    async def run(self) -> None:
        """Serve the request and write its record, whatever happens."""
        try:
            await self._serve()
        except asyncio.CancelledError:
            await self._cancelled()
        except GatewayError as error:
            await self._fail(error)
        except Exception:  # noqa: BLE001  # the edge: a bug must end in an answer and a record
            _log.exception("request %s failed", self.request_id)
            await self._fail(Internal("Something went wrong"))
        finally:
            self.client.unwatch()
            self.ledger.close()

    async def _cancelled(self) -> None:
        """End after a cancellation: the client left, or the time for draining ran out."""
        if self.client.is_gone:
            self.client.absolve()
            self.ledger.close(error=ClientGone("the client left"))
        elif self.plane.is_draining:
            self.client.absolve()
            await self._fail(Draining("The gateway is shutting down; try again"))
        else:
            self.ledger.close(error=Internal("cancelled"))
            raise asyncio.CancelledError

    async def _serve(self) -> None:
        caller = self.identify()
        body = await self.client.read_body(self.snapshot.limits.body_bytes)
        self.ledger.received(len(body))
        seen = peek(body)
        self.ledger.is_stream = seen.is_stream
        choice = self._choose(caller, seen)
        await self.answer(choice, body, seen)

    def identify(self) -> Caller:
        """Find out who is calling. Raises Unauthenticated, and InvalidRequest for what this version would ignore."""
        caller = authenticate(self.snapshot, self.headers)
        self.ledger.key_id = caller.key.id if caller.key else None
        self._refuse_configs()
        return caller

    async def answer(self, choice: Choice, body: bytes, seen: Peek) -> None:
        """Prepare, send and answer one model call."""
        target = choice.target
        dialect = self.plane.dialects[target.provider.dialect]
        self.is_byte_path = dialect is self.dialect
        thread = self._thread(seen)
        estimate = 0
        if self.is_byte_path:
            written = dialect.forward(body, seen, choice.model, self.headers)
        else:
            written, call = self._translate(dialect, choice, body)
            if self.route == "messages":
                estimate = estimate_tokens(call)
        self.ledger.prepared(written)
        request = self.request(target, target.provider.chat.path, written, is_stream=seen.is_stream)
        if thread is not None:
            owner = identity_of(request, self.ledger.key_id)
            self.plane.threads.check(thread, owner)
            self.ledger.holds_thread(self.plane.threads, owner)
        self.client.watch()
        response = await self.send(request)
        try:
            await self._relay(response, dialect, written, seen, estimate)
        finally:
            response.close()

    def _thread(self, seen: Peek) -> Thread | None:
        """Return the request's thread. Raises InvalidRequest for a target that could not hold it.

        A host of the caller's choice may speak the dialect without keeping anything, and would answer half a question.
        """
        if self.route != "messages":
            return None
        thread = read_thread(seen.thread)
        if thread is not None and (not self.is_byte_path or b"x-portkey-custom-host" in self.headers):
            raise unsupported()
        return thread

    def _refuse_configs(self) -> None:
        """Configs come with a later version; one that is ignored would be worse than one that is refused."""
        if b"x-portkey-config" in self.headers:
            raise InvalidRequest(
                "x-portkey-config: configs are not supported by this version; name the provider with "
                "x-portkey-provider or in the model",
                path="x-portkey-config",
            )

    def _choose(self, caller: Caller, seen: Peek) -> Choice:
        model = model_name(seen)
        self.ledger.model_asked = model
        choice = self.choose(caller, self.signals(caller, model))
        if choice.model is None and model is not None:
            raise InvalidRequest("model: no model was given", path="model")
        return choice

    def signals(self, caller: Caller, model: str | None = None) -> Signals:
        """Collect what the request says about its provider."""
        return Signals(
            model=model,
            provider=provider_of(self.headers),
            virtual_key=text_of(self.headers, b"x-portkey-virtual-key"),
            credential=caller.credential,
            has_custom_host=b"x-portkey-custom-host" in self.headers,
        )

    def choose(self, caller: Caller, signals: Signals) -> Choice:
        """Choose the target, a custom host applied. Raises as ``choose_target`` does."""
        choice = choose_target(self.snapshot, caller.key, signals)
        self.choice = choice = with_custom_host(choice, self.headers, self.plane.guard, self.snapshot.trusted_hosts)
        return choice

    def _translate(self, dialect: Dialect, choice: Choice, body: bytes) -> tuple[Written, Call]:
        """Read the call in the client's dialect and write it in the target's."""
        call = self.dialect.read_call(body)
        if choice.model is None:
            raise InvalidRequest("model: a model is required", path="model")
        info = TargetInfo(
            provider=choice.target.provider.name,
            model=choice.model,
            facts=self.snapshot.facts.find(choice.model),
            strict=is_strict(self.headers),
        )
        written = dialect.write_call(dialect.with_headers(call, self.headers), info)
        if written.dropped and flag_of(self.headers, b"x-lockgate-strict"):
            names = ", ".join(written.dropped)
            raise Unsupported(
                f"{info.provider} cannot express: {names} (x-lockgate-strict is on)", path=written.dropped[0]
            )
        return written, call

    # ---- upstream

    def request(
        self,
        target: Target,
        path: str,
        written: Written,
        *,
        is_stream: bool,
        method: str = "POST",
        is_forwarding: bool = True,
    ) -> UpstreamRequest:
        """Put the upstream request together: only headers that are listed go out.

        ``is_forwarding`` is off for answers that other callers will see: then nothing of this client's goes along.
        """
        headers = dict(written.headers)
        headers[b"accept"] = b"text/event-stream" if is_stream else _JSON
        if written.body:
            headers[b"content-type"] = _JSON
        headers.update((_USER_AGENT, _IDENTITY))
        headers.update(target.extra_headers)
        if target.auth_also:
            name, value = target.auth_also
            present = headers.get(name)
            if present is None or value not in present:
                headers[name] = present + b"," + value if present else value
        forwarded = forwarded_headers(self.headers, self._is_key) if is_forwarding else []
        if not any(name in (b"authorization", b"x-api-key") for name, _ in forwarded):
            headers.update(target.auth_headers)
        headers.update(forwarded)
        full_path = target.path_of(path)
        if is_forwarding and self.is_byte_path and target.provider.is_query_forwarded:
            full_path += self._query()
        return UpstreamRequest(
            method=method,
            origin=target.origin,
            target=full_path,
            headers=list(headers.items()),
            body=written.body,
            timeouts=target.timeouts,
        )

    def _is_key(self, value: bytes) -> bool:
        return holds_key(self.snapshot, value)

    def _query(self) -> bytes:
        """Return the client's query, but not one that holds a gateway key."""
        query: bytes = self.client.scope["query_string"]
        if not query or any(self._is_key(part.partition(b"=")[2]) for part in query.split(b"&")):
            return b""
        return b"?" + query

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and note the attempt in the ledger."""
        self.ledger.sending()
        response = await self.plane.upstream.send(request)
        request_id = header_in(response.headers, b"request-id") or header_in(response.headers, b"x-request-id")
        self.ledger.answered(response.status, request_id)
        if header_in(response.headers, b"x-lockgate-simulated"):
            # a record may point at a simulator that runs on its own
            self.is_simulated = True
        return response

    async def read_whole(self, response: UpstreamResponse) -> bytes:
        """Read a whole answer, its content coding undone."""
        data = await response.read(self.snapshot.limits.reply_bytes)
        self.ledger.upstream_done()
        return encoding.decode(data, header_in(response.headers, b"content-encoding"))

    async def _relay(
        self, response: UpstreamResponse, dialect: Dialect, written: Written, seen: Peek, estimate: int
    ) -> None:
        if response.status >= MULTIPLE_CHOICES:
            await self.relay_error(response, dialect)
            return
        content_type = header_in(response.headers, b"content-type") or b""
        is_sse = content_type.startswith(b"text/event-stream")
        if not self.is_byte_path and is_sse != seen.is_stream:
            raise Malformed("The provider did not answer in the form that was asked for (stream or whole)")
        view = self.view(seen, estimate)
        if not is_sse:
            await self._relay_whole(response, dialect, written, view, content_type)
        elif self.is_byte_path:
            await relay_bytes(self, response, dialect, view)
        else:
            await relay_chunks(self, response, dialect.stream_reader(written.rules), view)

    def view(self, seen: Peek, estimate: int) -> View:
        """What the writer of the reply needs to know of the client."""
        options = seen.stream_options
        return View(
            provider=self.provider_name or "",
            strict=is_strict(self.headers),
            created=int(self.plane.clock.unix()),
            request_id=self.request_id,
            include_usage=bool(options and options.include_usage),
            input_estimate=estimate,
        )

    async def _relay_whole(
        self, response: UpstreamResponse, dialect: Dialect, written: Written, view: View, content_type: bytes
    ) -> None:
        data = await self.read_whole(response)
        if self.is_byte_path:
            summary = dialect.read_summary(data)
            self.ledger.learned(summary)
            if summary.id is None and is_error_object(data):
                # some servers say 200 and send an error: the bytes stay, but the record knows better
                self.ledger.fail(dialect.read_error(response.status, data))
            out = data
        else:
            reply = dialect.read_reply(data, written.rules)
            self.ledger.replied(reply)
            out, content_type = self.dialect.write_reply(reply, view), _JSON
        await self.reply(response.status, out, content_type, relayed_headers(response.headers))

    async def relay_error(self, response: UpstreamResponse, dialect: Dialect) -> None:
        """Answer with the provider's error: its own bytes where the dialects agree, else in the client's words."""
        data = await self.read_whole(response)
        error = dialect.read_error(response.status, data)
        headers = relayed_headers(response.headers) + retry_headers(response.headers)
        if response.status < _BAD_REQUEST:
            error = Rejected(f"unexpected redirect (status {response.status})", status=502, kind="api_error")
        self.ledger.error = error
        if self.is_byte_path and error.body is not None and is_error_object(error.body):
            await self.reply(response.status, error.body, _JSON, headers)
            return
        body = self.dialect.write_error(error, request_id=self.request_id, provider=self.provider_name)
        await self.reply(error.status, body, _JSON, headers)

    # ---- answers

    @property
    def provider_name(self) -> str | None:
        """The provider that serves the request, None before one was chosen."""
        return self.choice.target.provider.name if self.choice else None

    def own_headers(self) -> Headers:
        """The headers that every answer carries."""
        headers: Headers = [
            (b"x-portkey-trace-id", self.trace_id),
            (b"x-portkey-request-id", self.request_id.encode("ascii")),
        ]
        choice = self.choice
        if choice is not None:
            headers += _MODEL_CALL_HEADERS
            headers.append((b"x-portkey-provider", choice.target.provider.name.encode("ascii")))
            if self.is_simulated:
                headers.append((b"x-lockgate-simulated", b"true"))
        for name, values in (
            (b"x-lockgate-dropped", self.ledger.dropped),
            (b"x-lockgate-adjusted", self.ledger.adjusted),
        ):
            if values:
                headers.append((name, _listed(values)))
        return headers

    async def reply(self, status: int, body: bytes, content_type: bytes, headers: Headers) -> None:
        """Send a whole answer; the record is written before its bytes."""
        self.ledger.status = status
        self.ledger.bytes_out = len(body)
        self.ledger.close()
        length = (b"content-length", b"%d" % len(body))
        await self.client.send_whole(
            status, [(b"content-type", content_type), length, *headers, *self.own_headers()], body
        )

    def stream_headers(self, upstream: Headers) -> Headers:
        """The headers of a streamed answer."""
        fixed = [(b"content-type", _SSE), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        return [*fixed, *relayed_headers(upstream), *self.own_headers()]

    async def _fail(self, error: GatewayError) -> None:
        """Answer with an error of ours, unless the answer has begun."""
        self.ledger.fail(error)
        if self.client.has_started or self.client.is_gone:
            self.ledger.close()
            return
        provider = self.provider_name if isinstance(error, Rejected) else None
        body = self.dialect.write_error(error, request_id=self.request_id, provider=provider)
        headers: Headers = []
        if error.is_ours:
            headers += own_error_headers(error)
        await self.reply(error.status, body, _JSON, headers)


def own_error_headers(error: GatewayError) -> Headers:
    """The headers of an error of ours: that it is ours, and that asking again will not help where it will not."""
    headers: Headers = [(b"x-portkey-gateway-exception", b"true")]
    if _BAD_REQUEST <= error.status < _SERVER_ERROR:
        headers.append((b"x-should-retry", b"false"))
    return headers


def _listed(values: tuple[str, ...]) -> bytes:
    """Write names as one header value, cut where clients would refuse the head."""
    shown = ", ".join(values[:_MAX_NAMES]).encode("ascii", "replace").translate(None, b"\r\n\0")[:_MAX_LISTED_BYTES]
    more = len(values) - _MAX_NAMES
    return shown + b", and %d more" % more if more > 0 else shown


_MODEL_CALL_HEADERS: Headers = [
    (b"x-portkey-retry-attempt-count", b"0"),
    (b"x-portkey-cache-status", b"DISABLED"),
    (b"x-portkey-last-used-option-index", b"config"),
]
