"""One client request from start to end: the walk that every model route takes.

Authenticate, read the body, choose the target, prepare the request (client's bytes, or a translation), send, answer,
and write exactly one record. Nothing here knows a vendor; dialects and targets are data.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec import structs

from lockgate.core.body import Peek, is_error_object, model_name, peek, user_id, user_name
from lockgate.core.cached import CachedReply
from lockgate.core.chat import Call
from lockgate.core.chunk import Chunk
from lockgate.core.documents import may_have_urls
from lockgate.core.estimate import estimate_tokens
from lockgate.core.http import Headers, UpstreamRequest
from lockgate.core.metadata import (
    NO_METADATA,
    Metadata,
    clean,
    merge,
    read_baggage,
    read_metadata,
    tracing_headers,
    with_user,
)
from lockgate.core.recording import NO_RECORDING, Recording
from lockgate.core.seals import FOREIGN, without_foreign
from lockgate.core.trace import trace_id_of
from lockgate.dataplane import encoding
from lockgate.dataplane.auth import Caller, authenticate, check_scope, holds_key
from lockgate.dataplane.client import ClientConnection
from lockgate.dataplane.content import Content
from lockgate.dataplane.custom_host import with_custom_host
from lockgate.dataplane.documents import Documents
from lockgate.dataplane.headers import (
    flag_of,
    forwarded_headers,
    header_in,
    is_strict,
    limits_for_chat,
    maps_thinking,
    normalizes_finish,
    provider_of,
    read_headers,
    relayed_headers,
    retry_headers,
    spent_headers,
    text_of,
    wishes_of,
)
from lockgate.dataplane.ids import new_request_id
from lockgate.dataplane.keeping import Keeping, open_keeping, saved_nanos, told_as_stream
from lockgate.dataplane.purse import Asked
from lockgate.dataplane.relay import relay_bytes, relay_chunks, status_of
from lockgate.dataplane.saved_only import refuse_unsaved
from lockgate.dataplane.seals import Seals
from lockgate.dataplane.threads import Thread, ThreadLedger, identity_of, lost, read_thread, unsupported
from lockgate.dataplane.told_cost import UNPRICED, Left, cost_headers, left_headers, left_of, wants_details
from lockgate.dataplane.walk import Walk
from lockgate.dialects import Added, Dialect, Summary, TargetInfo, View, Written
from lockgate.errors import (
    ClientGone,
    Draining,
    GatewayError,
    Internal,
    InvalidRequest,
    LimitReached,
    Malformed,
    Rejected,
    Unreachable,
    Unsupported,
)
from lockgate.plan.resolve import Choice, Signals, choose_target
from lockgate.plan.snapshot import Target, Workspace
from lockgate.ports import UpstreamResponse
from lockgate.routing.cache_policy import CachePolicy
from lockgate.routing.outcome import is_exhausted
from lockgate.routing.retry import read_retry_after
from lockgate.routing.tree import Leaf, Pin, Routes

if TYPE_CHECKING:
    from lockgate.dataplane.app import DataPlane

_log = logging.getLogger("lockgate.exchange")

_JSON = b"application/json"
_SSE = b"text/event-stream; charset=utf-8"
MULTIPLE_CHOICES = 300
"""Statuses from here on are not answers."""
_OK, _BAD_REQUEST, _SERVER_ERROR = 200, 400, 500
_MAX_NAMES, _MAX_LISTED_BYTES = 40, 2000
_USER_AGENT = (b"user-agent", b"lockgate")
_IDENTITY = (b"accept-encoding", b"identity")


class Exchange:
    """The state of one request. ``run`` never raises but for cancellation from outside."""

    scopes: ClassVar[tuple[str, ...]] = ("completions.write",)
    """A key needs one of these."""
    is_charged: ClassVar[bool] = True
    """Whether the answer costs money: a model's own work."""
    workspace: Workspace
    """Where the caller acts, once it is known who that is."""
    walk: Walk | None = None
    """The way through the config, for routes that have one."""
    retry_after_s: float | None = None
    """How long the provider of the attempt under way asks to wait."""
    cache_status = "DISABLED"
    keeping: Keeping | None = None
    """The cache around the attempt under way."""
    seals: Seals | None = None
    """The reasoning of models around the attempt under way, where a conversation can meet several of them."""
    shaped_fields: tuple[str, ...] = ()
    """What the config has set in the body of the attempt under way."""
    recording: Recording = NO_RECORDING
    """What may be kept, once it is known who is calling."""
    content: Content | None = None
    """The bodies, where they are kept."""
    documents: Documents | None = None
    """Documents that were fetched for targets which take no URLs."""
    _cache_policy: CachePolicy | None = None
    _may_go_anywhere = False
    _thinkers: tuple[str, ...] = ()
    """Models that reason and were asked so far."""
    _refusers: tuple[str, ...] = ()
    """Models that refused the reasoning in the request."""
    _rejection_headers: Sequence[tuple[bytes, bytes]] = ()

    def __init__(self, plane: DataPlane, client: ClientConnection, route: str, dialect: Dialect) -> None:
        self.plane = plane
        self.client = client
        self.route = route
        self.dialect = dialect
        self.snapshot = plane.snapshot
        self.headers: Mapping[bytes, bytes] = read_headers(client.scope["headers"])
        self.client_headers = self.headers
        self.request_id = new_request_id(plane.clock.unix())
        self.trace_id = trace_id_of(self.headers, self.request_id)
        self.caller: Caller | None = None
        self.metadata: Metadata = NO_METADATA
        self.is_metadata_cut = False
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
            if self.content is not None:
                self._hand_over(self.content)
                self.content = None
            self.ledger.end()
            if self.walk is not None:
                self.walk.leave()

    def _hand_over(self, content: Content) -> None:
        """Give the bodies away, once nothing more goes to the client."""
        self.plane.bodies.offer(
            content.capture(
                record_id=self.record_id,
                started_at=self.ledger.started_at,
                workspace_id=self.workspace.id,
                rules=self.recording.rules,
                headers=self.client.scope["headers"],
            )
        )

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
        if self.recording.rules.keeps_content:
            self.content = Content(body, self.plane.clock.monotonic, self.ledger.started_s)
        seen = peek(body)
        said = user_name(seen) if self.route == "chat" else None
        if said is None and self.workspace.takes_user_from_body:
            said = user_id(body)
        self.metadata = with_user(self.metadata, said, caller.key.user if caller.key is not None else None)
        self.ledger.is_stream = seen.is_stream
        self.ledger.model_asked = model_name(seen)
        routes = self.plane.crossroads.routes_of(self.workspace, caller.key, self.headers)
        self._check_thread(seen, routes)
        await self.go(routes, body, seen, is_repeatable=self._is_repeatable(seen))

    async def go(self, routes: Routes, body: bytes, seen: Peek, *, is_repeatable: bool = True) -> None:
        """Try the targets of a config until one has answered. Raises the error that is the answer otherwise."""
        self.walk = walk = Walk(self, routes, body, seen)
        try:
            await walk.run(is_repeatable=is_repeatable)
        finally:
            walk.close()

    def take_leaf(self, leaf: Leaf, overlay: Mapping[bytes, bytes], *, is_saved: bool) -> None:
        """Serve by a target of the config from now on: its settings stand in for headers of the client's."""
        self.headers = {**self.client_headers, **overlay} if overlay else self.client_headers
        self.choice, self.retry_after_s, self._rejection_headers = None, None, ()
        self._may_go_anywhere = is_saved and leaf.custom_host is not None
        self._cache_policy, self.cache_status = leaf.cache, "DISABLED"

    def attempt(self, leaf: Leaf, body: bytes, seen: Peek) -> Awaitable[None]:
        """Try a target of the config; ``body`` is what its settings made of the client's."""
        return self.answer(self.choose_for(leaf, seen), body, seen)

    def choose_for(self, leaf: Leaf, seen: Peek) -> Choice:
        """Choose who serves a target of the config. Raises as ``choose_target`` does."""
        caller, model = self.caller, model_name(seen)
        assert caller is not None
        choice = self.choose(caller, self.signals(caller, model), leaf.pin)
        if choice.model is None and model is not None:
            raise InvalidRequest("model: no model was given", path="model")
        return choice

    def _check_thread(self, seen: Peek, routes: Routes) -> None:
        """Raise InvalidRequest for a thread that could end up at another target, or in the cache."""
        if self.route == "messages" and not routes.can_hold_thread and read_thread(seen.thread) is not None:
            raise unsupported()

    def _is_repeatable(self, seen: Peek) -> bool:
        """Tell whether the request may be sent twice: a turn that continues a thread may not."""
        thread = read_thread(seen.thread) if self.route == "messages" else None
        return thread is None or thread.continues is None

    def identify(self) -> Caller:
        """Find out who is calling. Raises Unauthenticated, and InvalidRequest for what this version would ignore."""
        caller = authenticate(self.snapshot, self.headers, self.plane.clock.unix())
        self.ledger.key_id = caller.key.id if caller.key else None
        self.workspace = self.snapshot.workspace_of(caller.key)
        self.caller = caller
        recording = caller.key.recording if caller.key is not None else self.workspace.recording
        self.recording = recording.for_request(is_refused=flag_of(self.headers, b"x-portkey-debug") is False)
        self.metadata = self._metadata(caller)
        check_scope(caller.key, *self.scopes)
        if self.workspace.is_saved_only:
            refuse_unsaved(self.workspace, self.headers, caller.credential)
        return caller

    def _metadata(self, caller: Caller) -> Metadata:
        """Merge what workspace, key and request say of the request, the strongest first."""
        said = read_metadata(text_of(self.headers, b"x-portkey-metadata"))
        self.is_metadata_cut = said.is_cut
        traced = tracing_headers(said.values, self.headers)
        if traced:
            self.headers = self.client_headers = {**self.client_headers, **traced}
            self.trace_id = trace_id_of(self.headers, self.request_id)
        baggage = read_baggage(text_of(self.headers, b"baggage"))
        own = caller.key.metadata if caller.key else NO_METADATA
        merged = merge(self.workspace.metadata, own, said.values, baggage)
        names = self.snapshot.metadata_headers
        if not names:
            return merged
        promoted = clean({name.decode(): text_of(self.client_headers, name) for name in names})
        self.is_metadata_cut |= promoted.is_cut
        return merge(merged, promoted.values)

    async def admit(self, choice: Choice, body: bytes, seen: Peek | None) -> None:
        """Reserve what the upstream request may cost at most. Raises as ``Purse.admit`` does."""
        caller = self.caller
        assert caller is not None
        asked = Asked(
            self.plane,
            route=self.route,
            workspace=self.workspace,
            key=caller.key,
            choice=choice,
            metadata=self.metadata,
            body=body,
            seen=seen,
            facts=self.snapshot.facts,
        )
        self.ledger.likely_input = asked.likely_input()
        await self.ledger.purse.admit(asked)

    async def admit_call(self) -> None:
        """Count a call that no model works for: rates of requests hold for it, budgets do not."""
        await self.ledger.purse.admit_call(self.caller.key.claims if self.caller and self.caller.key else ())

    async def answer(self, choice: Choice, body: bytes, seen: Peek) -> None:
        """Answer one model call: from the cache where the config has one and it is there, else by asking."""
        keeping = self.keeping = open_keeping(self, self._cache_policy, choice, body)
        if keeping is None:
            await self.ask_model(choice, body, seen)
            return
        try:
            kept = await keeping.find()
            if kept is None or not await self._answer_from(kept, seen):
                await self.ask_model(choice, body, seen)
        finally:
            self.keeping = None
            await keeping.close()

    async def _answer_from(self, kept: CachedReply, seen: Peek) -> bool:
        """Answer with what is kept; False when it cannot be told in the form that the client wants."""
        view = self.view(seen, kept.tokens.input or 0)
        out, content_type = kept.body, _JSON
        if seen.is_stream:
            stream = told_as_stream(self, kept, view)
            if stream is None:
                return False
            out, content_type = stream, _SSE
        caller = self.caller
        await self.ledger.purse.admit_hit(caller.key.claims if caller and caller.key else self.workspace.claims)
        self.cache_status = "HIT"
        self.ledger.hit(kept, saved_nanos(self, kept))
        await self.reply(_OK, out, content_type, [])
        return True

    async def ask_model(self, choice: Choice, body: bytes, seen: Peek) -> None:
        """Ask for one model call, without other models' reasoning; again without any, where that was refused."""
        seals = self.seals = self.seals_for(choice)
        try:
            await self._ask_once(choice, body, seen, seals)
        except Rejected as error:
            if seals is None or not seals.may_explain(error.status):
                raise
            seals.withhold()
            self._refusers += (seals.model,)
            self.ledger.repeat_attempt(error)
            await self._ask_once(choice, body, seen, seals)

    async def _ask_once(self, choice: Choice, body: bytes, seen: Peek, seals: Seals | None) -> None:
        """Prepare, send and answer one model call."""
        target = choice.target
        dialect = self.plane.dialects[target.provider.dialect]
        self.is_byte_path = dialect is self.dialect
        thread = self._thread(seen)
        estimate = 0
        if self.is_byte_path:
            is_foreign = seals.is_foreign if seals is not None else None
            written = dialect.forward(body, seen, choice.model, self.headers, self._added(choice), is_foreign)
        else:
            written, call = await self._translate(dialect, choice, body)
            if self.route == "messages":
                estimate = estimate_tokens(call)
        self.ledger.prepared(written)
        await self.admit(choice, written.body, seen if self.is_byte_path else None)
        request = self.request(target, target.provider.chat.path, written, is_stream=seen.is_stream)
        if thread is not None:
            owner = identity_of(request, self.ledger.key_id)
            self.plane.threads.check(thread, owner)
            self.ledger.holds_thread(self.plane.threads, owner)
        self.client.watch()
        try:
            response = await self.send(request)
        except Unreachable:
            if thread is not None and thread.continues is not None:
                # nobody else holds it, and the whole conversation may be sent more than once
                raise lost() from None
            raise
        try:
            await self._relay(response, dialect, written, seen, estimate)
        finally:
            response.close()

    def _added(self, choice: Choice) -> Added | None:
        """What the config has set in the client's body."""
        if not self.shaped_fields or choice.model is None:
            return None
        facts = self.snapshot.facts.find(choice.target.base_of(choice.model))
        return Added(fields=self.shaped_fields, facts=facts, provider=choice.target.provider.name)

    def seals_for(self, choice: Choice) -> Seals | None:
        """Return what keeps models' reasoning apart, None where there is one model only."""
        walk, model = self.walk, choice.model
        if walk is None or not walk.has_many_models or model is None:
            return None
        base, table = choice.target.base_of(model), self.snapshot.facts
        facts, name = table.find(base), table.plain(base)
        is_displaced = any(other != name for other in self._thinkers)
        if facts.thinking:
            self._thinkers += (name,)
        seals = Seals(
            self.plane.crossroads.seals,
            self.workspace.id,
            name,
            is_bound=facts.binds_thinking,
            is_displaced=is_displaced,
        )
        if name in self._refusers:
            seals.withhold()
        return seals

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

    def signals(self, caller: Caller, model: str | None = None) -> Signals:
        """Collect what the request says about its provider."""
        return Signals(
            model=model,
            provider=provider_of(self.headers),
            virtual_key=text_of(self.headers, b"x-portkey-virtual-key"),
            credential=caller.credential,
            has_custom_host=b"x-portkey-custom-host" in self.headers,
        )

    def choose(self, caller: Caller, signals: Signals, pin: Pin | None = None) -> Choice:
        """Choose the target, a custom host applied. Raises as ``choose_target`` does."""
        self.choice = choice = choose_target(self.snapshot, caller.key, signals, pin)
        trusted = self.snapshot.trusted_hosts
        self.choice = choice = with_custom_host(
            choice, self.headers, self.plane.guard, trusted, is_allowed=self._may_go_anywhere
        )
        return choice

    async def _translate(self, dialect: Dialect, choice: Choice, body: bytes) -> tuple[Written, Call]:
        """Read the call in the client's dialect and write it in the target's."""
        call = self.dialect.read_call(body)
        self.ledger.translating(call)
        fetched: tuple[str, ...] = ()
        if not choice.target.provider.takes_document_urls and may_have_urls(body):
            if self.documents is None:
                plane, snapshot = self.plane, self.snapshot
                most_bytes = snapshot.limits.document_bytes
                self.documents = Documents(plane.upstream, plane.guard, snapshot.trusted_hosts, most_bytes=most_bytes)
            self.client.watch()
            call, fetched = await self.documents.inlined(call, choice.target.provider.name)
        kept = call
        if self.seals is not None:
            kept = without_foreign(call, self.seals.is_foreign)
        if choice.model is None:
            raise InvalidRequest("model: a model is required", path="model")
        info = TargetInfo(
            provider=choice.target.provider.name,
            model=choice.model,
            facts=self.snapshot.facts.find(choice.target.base_of(choice.model)),
            strict=is_strict(self.headers),
            maps_thinking=maps_thinking(self.headers),
            wishes=wishes_of(self.headers),
            api_version=self.snapshot.anthropic_version,
        )
        written = dialect.write_call(dialect.with_headers(kept, self.headers), info)
        notes = (f"messages.content.thinking: {FOREIGN}",) if kept is not call else ()
        if notes or fetched:
            written = structs.replace(written, adjusted=(*written.adjusted, *fetched, *notes))
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
        if self.content is not None:
            self.content.asked(self.ledger.attempt_number, written.body, target.auth_headers, target.extra_headers)
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
        forwarded = forwarded_headers(self.headers, self.is_key) if is_forwarding else []
        if not forwarded or not any(name in (b"authorization", b"x-api-key") for name, _ in forwarded):
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

    def is_key(self, value: bytes) -> bool:
        return holds_key(self.snapshot, value)

    def _query(self) -> bytes:
        """Return the client's query, but not one that holds a gateway key."""
        query: bytes = self.client.scope["query_string"]
        if not query or any(self.is_key(part.partition(b"=")[2]) for part in query.split(b"&")):
            return b""
        return b"?" + query

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and note the attempt in the ledger."""
        self.ledger.sending()
        try:
            response = await self.plane.upstream.send(request)
        except Unreachable as error:
            raise self._named(error) from error
        request_id = header_in(response.headers, b"request-id") or header_in(response.headers, b"x-request-id")
        self.ledger.answered(response, request_id)
        if header_in(response.headers, b"x-lockgate-simulated"):
            # a record may point at a simulator that runs on its own
            self.is_simulated = True
        return response

    async def read_whole(self, response: UpstreamResponse) -> bytes:
        """Read a whole answer, its content coding undone."""
        data = await response.read(self.snapshot.limits.reply_bytes)
        self.ledger.upstream_done()
        plain = encoding.decode(data, header_in(response.headers, b"content-encoding"))
        if self.content is not None:
            self.content.upstream_response = plain
        return plain

    async def _relay(
        self, response: UpstreamResponse, dialect: Dialect, written: Written, seen: Peek, estimate: int
    ) -> None:
        if response.status >= MULTIPLE_CHOICES:
            raise await self.rejected(response, dialect)
        content_type = header_in(response.headers, b"content-type") or b""
        is_sse = content_type.startswith(b"text/event-stream")
        if is_sse != seen.is_stream:
            raise await self._other_form(response, dialect, is_sse=is_sse)
        view = self.view(seen, estimate)
        if not is_sse:
            await self._relay_whole(response, dialect, written, view, content_type)
        elif self.is_byte_path:
            await relay_bytes(self, response, dialect, view, hides_usage=written.hides_usage)
        else:
            await relay_chunks(self, response, dialect.stream_reader(written.rules), view)

    def view(self, seen: Peek, estimate: int) -> View:
        """What the writer of the reply needs to know of the client."""
        options = seen.stream_options
        return View(
            provider=self.provider_name or "",
            strict=is_strict(self.headers),
            normalizes_finish=normalizes_finish(self.headers),
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
            if summary.id is None:
                self._check_whole(response, dialect, data, summary)
            if self.seals is not None:
                self.seals.whole(data)
            out = data
        else:
            reply = dialect.read_reply(data, written.rules)
            self.ledger.replied(reply)
            if self.seals is not None:
                self.seals.reply(reply)
            out, content_type = self.dialect.write_reply(reply, view), _JSON
        if self.keeping is not None and response.status == _OK:
            self.keeping.whole(out, self.ledger.model, self.ledger.usage)
        await self.reply(response.status, out, content_type, self._relayed(response.headers))

    def heard(self, events: bytes) -> None:
        """Let the cache, and who remembers whose reasoning is whose, read events that are relayed as they came."""
        if self.content is not None:
            self.content.tell(self.dialect.name, events)
        if self.keeping is not None:
            self.keeping.events(events)
        if self.seals is not None:
            self.seals.events(events)

    def read(self, chunks: Sequence[Chunk]) -> None:
        """The same for chunks of a translated stream."""
        if self.keeping is not None:
            self.keeping.chunks(chunks)
        if self.seals is not None:
            self.seals.chunks(chunks)

    def untell(self) -> None:
        """What was to be told of a stream was held back, and will not be."""
        if self.content is not None:
            self.content.told = None

    def translated(self, data: bytes, out: bytes) -> None:
        """Bytes of the provider's stream became bytes of the client's; either may be none."""
        content, choice = self.content, self.choice
        if content is not None and choice is not None:
            if data:
                content.come(choice.target.provider.dialect, data)
            if out:
                content.tell(self.dialect.name, out)

    def _check_whole(self, response: UpstreamResponse, dialect: Dialect, data: bytes, summary: Summary) -> None:
        """Raise what an answer of status 200 is that is none: an error, or no JSON, as of a body that was cut."""
        if is_error_object(data):
            self._rejection_headers = self._relayed(response.headers) + retry_headers(response.headers)
            raise dialect.read_error(status_of(summary.error.kind if summary.error else None), data)
        try:
            peek(data)
        except InvalidRequest:
            raise Malformed("Invalid response received from the provider: the body is not a JSON object") from None

    async def _other_form(self, response: UpstreamResponse, dialect: Dialect, *, is_sse: bool) -> GatewayError:
        """Return what an answer is that came whole where a stream was asked for, or the other way round."""
        if not is_sse:
            data = await self.read_whole(response)
            self._check_whole(response, dialect, data, dialect.read_summary(data))
        return Malformed("The provider did not answer in the form that was asked for (stream or whole)")

    async def rejected(self, response: UpstreamResponse, dialect: Dialect) -> Rejected:
        """Read the provider's error; when it is the answer, its bytes and headers are what the client gets."""
        data = await self.read_whole(response)
        self.retry_after_s = read_retry_after(response.headers, self.plane.clock.unix)
        if response.status < _BAD_REQUEST:
            error = Rejected(f"unexpected redirect (status {response.status})", status=502, kind="api_error")
        else:
            error = dialect.read_error(response.status, data)
        again = spent_headers if is_exhausted(error.status, error.wire_code) else retry_headers
        self._rejection_headers = self._relayed(response.headers) + again(response.headers)
        return error

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
        if choice is not None or self.has_config:
            headers += self._call_headers()
        if choice is not None:
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

    def _call_headers(self) -> Headers:
        walk = self.walk
        if walk is None or not walk.has_config:
            return _MODEL_CALL_HEADERS
        warnings = walk.warnings
        told: Headers = [(b"x-lockgate-config-warnings", _listed(warnings))] if warnings else []
        return [
            *told,
            (b"x-portkey-retry-attempt-count", b"%d" % walk.retry_count),
            (b"x-portkey-cache-status", self.cache_status.encode("ascii")),
            (b"x-portkey-last-used-option-index", walk.path.encode("ascii", "replace")),
        ]

    @property
    def record_id(self) -> str:
        """The id of the record, and of the bodies that belong to it."""
        return "rec_" + self.request_id.replace("-", "")

    @property
    def has_config(self) -> bool:
        """Whether a config decides what becomes of an error."""
        return self.walk is not None and self.walk.has_config

    @property
    def waits_for_content(self) -> bool:
        """Whether the client is told nothing of a stream before its content, so that another target can answer."""
        return self.has_config and text_of(self.headers, b"x-lockgate-stream-commit") == "first_content"

    def broke(self) -> None:
        """An answer that had begun broke off."""
        if self.walk is not None:
            self.walk.broke()

    def commit(self, status: int) -> None:
        """An answer is about to go out. Raises when the config wants another one."""
        if self.walk is not None:
            self.walk.commit(status)

    async def reply(self, status: int, body: bytes, content_type: bytes, headers: Headers) -> None:
        """Send a whole answer; the record is written before its bytes."""
        self.commit(status)
        self.ledger.status = status
        self.ledger.bytes_out = len(body)
        is_paid = status == _OK and self.is_charged
        left = await self._left() if is_paid and wants_details(self.headers) else None
        self.ledger.close()
        length = (b"content-length", b"%d" % len(body))
        head = [(b"content-type", content_type), length, *headers, *self.own_headers()]
        if left is not None:
            head += cost_headers(self.ledger.cost) + left_headers(left, self.ledger.purse.spent)
        elif is_paid and self.ledger.cost is not None and self.ledger.cost.status == "unpriced":
            head += UNPRICED
        if self.content is not None:
            self.content.answered(body, self.dialect.name if content_type is _SSE else None, head)
        await self.client.send_whole(status, head, body)

    async def _left(self) -> Sequence[Left]:
        return await left_of(self.plane.counters, self.ledger.purse.grant)

    def _relayed(self, upstream: Headers) -> Headers:
        """The provider's headers that the client gets, its limits in the words of the client's API."""
        headers = relayed_headers(upstream)
        if not self.is_byte_path and self.dialect.name == "openai_chat":
            headers += limits_for_chat(upstream, self.plane.clock.unix())
        return headers

    async def stream_headers(self, upstream: Headers) -> Headers:
        """The headers of a streamed answer, whose cost nobody knows yet."""
        fixed = [(b"content-type", _SSE), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        made = [*fixed, *self._relayed(upstream), *self.own_headers()]
        if self.ledger.purse.rates is None:
            made += UNPRICED
        if wants_details(self.headers):
            made += left_headers(await self._left(), None)
        if self.content is not None:
            self.content.response_headers = made
        return made

    def _named(self, error: Unreachable) -> Unreachable:
        """Return an error with the provider that it is about, in the words in which requests name it."""
        if self.choice is None:
            return error
        target = self.choice.target
        who = target.provider.name if target.slug is None else f"@{target.slug}"
        return Unreachable(f"{who}: {error.message}", path=error.path, wire_code=error.wire_code)

    async def _fail(self, error: GatewayError) -> None:
        """Answer with an error of ours, unless the answer has begun."""
        self.ledger.fail(error)
        if self.client.has_started or self.client.is_gone:
            self.ledger.close()
            return
        is_rejected = isinstance(error, Rejected)
        if isinstance(error, Rejected) and self.is_byte_path and error.body is not None and is_error_object(error.body):
            await self.reply(error.status, error.body, _JSON, list(self._rejection_headers))
            return
        provider = self.provider_name if is_rejected else None
        body = self.dialect.write_error(error, request_id=self.request_id, provider=provider)
        headers: Headers = list(self._rejection_headers) if is_rejected else []
        if error.is_ours:
            headers += own_error_headers(error)
        await self.reply(error.status, body, _JSON, headers)


def own_error_headers(error: GatewayError) -> Headers:
    """The headers of an error of ours: that it is ours, and that asking again will not help where it will not."""
    headers: Headers = [(b"x-portkey-gateway-exception", b"true")]
    if isinstance(error, LimitReached):
        return [*headers, *error.headers]
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
