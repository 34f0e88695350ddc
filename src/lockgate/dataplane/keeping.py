"""Answers from the cache and into it, for one attempt.

What is kept is the whole answer in the client's dialect. A client that wants a stream gets it told as one, if that
loses nothing; a streamed answer is kept once its end marker has come. Equal requests that miss at the same time share
one answer: the first one gets it, the others wait.
Source: gateway protocol specification, section 4.9.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from lockgate.catalog.prices_cost import price
from lockgate.core.assemble import Assembler
from lockgate.core.body import is_error_object
from lockgate.core.cached import CachedReply
from lockgate.core.chat import Reply, Usage
from lockgate.core.chunk import Chunk
from lockgate.core.json_text import object_keys
from lockgate.core.metadata import read_metadata
from lockgate.core.record import TokenCounts
from lockgate.core.replay import replay
from lockgate.dataplane.headers import (
    decode,
    flag_of,
    forwarded_headers,
    is_strict,
    maps_thinking,
    normalizes_finish,
    text_of,
    wishes_of,
)
from lockgate.dialects import NO_WISHES, ReplyRules, StreamReader, View
from lockgate.errors import GatewayError, Malformed
from lockgate.plan.resolve import Choice
from lockgate.ports import CacheStore, Flight
from lockgate.routing.cache_key import CacheScope, cache_key
from lockgate.routing.cache_policy import CacheAsked, CachePolicy, CacheUse, cache_use, max_age_s

if TYPE_CHECKING:
    from lockgate.dataplane.exchange import Exchange

_OPERATIONS = {"chat": "chatComplete", "messages": "messages", "count_tokens": "messagesCountTokens"}
_PARTITION_PREFIXES = (b"anthropic-", b"openai-", b"x-portkey-anthropic-", b"x-portkey-openai-")
_IS_CREDENTIAL = re.compile(r"auth|key|token|secret|cookie|session", re.IGNORECASE).search
"""Names of forwarded headers that say who asks: whatever the namespace, what one of them may see is not for others."""
_WAIT_S = 60.0
"""How long a request waits for an equal one, before it asks by itself."""
_NO_RULES = ReplyRules()
_MAX_REMEMBERED_BYTES = 16 * 1024
"""What is read of larger answers is not remembered."""


def open_keeping(exchange: Exchange, policy: CachePolicy | None, choice: Choice, body: bytes) -> Keeping | None:
    """Return what keeps the answer of an attempt, None where nothing is kept."""
    headers = exchange.headers
    if policy is None:
        return None
    asked = CacheAsked(
        operation=_OPERATIONS.get(exchange.route, exchange.route),
        is_refresh=flag_of(headers, b"x-portkey-cache-force-refresh") is True,
        is_debug_off=not exchange.recording.is_enforced and flag_of(headers, b"x-portkey-debug") is False,
        params=object_keys(body),
    )
    use = cache_use(policy, asked)
    if use is CacheUse.DISABLED:
        return None
    key = cache_key(_scope(exchange, choice, asked.operation), body)
    age_s = max_age_s(policy, exchange.snapshot.cache_max_age_s)
    return Keeping(exchange, key, use, age_s) if key is not None else None


def _scope(exchange: Exchange, choice: Choice, operation: str) -> CacheScope:
    headers, target, caller = exchange.headers, choice.target, exchange.caller
    key = caller.key if caller is not None else None
    origin = target.origin
    said = [(n.decode("latin-1"), decode(v)) for n, v in headers.items() if n.startswith(_PARTITION_PREFIXES)]
    forwarded = [(n.decode("latin-1"), decode(v)) for n, v in forwarded_headers(headers, exchange.is_key)]
    secrets = [value for name, value in forwarded if _IS_CREDENTIAL(name)]
    if target.secret is not None and target.slug is None:
        secrets.append(target.secret.reveal())
    return CacheScope(
        organisation=key.organisation if key is not None else "",
        workspace=exchange.workspace.id,
        operation=operation,
        method="POST",
        path=exchange.route,
        query=exchange.client.scope["query_string"].decode("latin-1"),
        provider=target.slug or target.provider.name,
        host=f"{origin.scheme}://{origin.host}:{origin.port}{target.base_path}",
        credential=sha256("\n".join(secrets).encode()).hexdigest() if secrets else "",
        namespace=text_of(headers, b"x-portkey-cache-namespace"),
        metadata=read_metadata(text_of(headers, b"x-portkey-metadata")).values,
        headers=tuple(sorted((*said, *forwarded))),
        hooks=_ways(headers),
        is_strict=is_strict(headers),
    )


def _ways(headers: Mapping[bytes, bytes]) -> str:
    """Return the switches that change what is asked or answered, as one text."""
    wishes = wishes_of(headers)
    said = "finish" * normalizes_finish(headers) + "thinking" * maps_thinking(headers)
    return said if wishes is NO_WISHES else f"{said}{wishes}"


class Keeping:
    """The cache around one attempt. ``close`` ends it, whatever happened."""

    def __init__(self, exchange: Exchange, key: str, use: CacheUse, age_s: int) -> None:
        self._exchange = exchange
        self._store: CacheStore = exchange.plane.cache
        self.key = key
        """A hash of all that equal requests have in common."""
        self._use = use
        self._age_s = age_s
        self._flight: Flight | None = None
        self._reply: CachedReply | None = None
        self._assembler: Assembler | None = None
        self._reader: StreamReader | None = None
        exchange.cache_status = use.value

    async def find(self) -> CachedReply | None:
        """Return a kept answer, or the one that an equal request gets at this moment."""
        if self._use is not CacheUse.LOOKUP:
            return None
        found = await self._store.get(self.key)
        if found is None:
            flight = await self._store.join(self.key)
            if flight.leads:
                self._flight = flight
                return None
            found = await flight.landed(_WAIT_S)
        if found is not None and found.dropped and flag_of(self._exchange.headers, b"x-lockgate-strict"):
            # whoever refuses losses has to hear of them as if nobody had asked before
            return None
        return found

    # ---- what goes in

    def whole(self, body: bytes, model: str | None, usage: Usage) -> None:
        """A whole answer goes out."""
        if not is_error_object(body):
            self._reply = self._made(body, model, usage)

    def chunks(self, chunks: Sequence[Chunk]) -> None:
        """A part of a translated stream goes out."""
        assembler = self._assembler = self._assembler or Assembler()
        for chunk in chunks:
            assembler.add(chunk)

    def events(self, events: bytes) -> None:
        """Whole events of a stream of the client's own dialect go out."""
        reader = self._reader = self._reader or self._exchange.dialect.stream_reader(_NO_RULES)
        try:
            self.chunks(reader.feed(events))
        except Malformed:
            self._assembler = None

    def complete(self, view: View) -> None:
        """The stream has come to its proper end."""
        assembler = self._assembler
        if assembler is None or assembler.error is not None:
            return
        reply = assembler.reply()
        if reply.id and reply.stop_reason is not None:
            body = self._exchange.dialect.write_reply(reply, view)
            self._reply = self._made(body, reply.model, reply.usage)

    async def close(self) -> None:
        """Keep the answer if there is a good one, and give it to those that wait."""
        try:
            if self._reply is not None:
                ledger = self._exchange.ledger
                self._reply = structs.replace(self._reply, dropped=ledger.dropped, adjusted=ledger.adjusted)
                await self._store.put(self.key, self._reply, self._age_s)
        finally:
            flight, self._flight = self._flight, None
            if flight is not None:
                await flight.land(self._reply)

    def _made(self, body: bytes, model: str | None, usage: Usage) -> CachedReply:
        exchange = self._exchange
        return CachedReply(
            body=body,
            created_at=exchange.plane.clock.unix(),
            provider=exchange.provider_name,
            model=model,
            record_id=exchange.record_id,
            took_ms=round((exchange.plane.clock.monotonic() - exchange.ledger.started_s) * 1000, 3),
            tokens=TokenCounts(
                input=usage.input,
                output=usage.output,
                cache_read=usage.cache_read,
                cache_write=usage.cache_write,
                cache_write_1h=usage.cache_write_1h,
                reasoning=usage.reasoning,
            ),
        )


def told_as_stream(exchange: Exchange, kept: CachedReply, view: View) -> bytes | None:
    """Return a kept answer as a stream of the client's dialect, None when that would lose something of it."""
    dialect = exchange.dialect
    read = _chunks_to_tell if len(kept.body) <= _MAX_REMEMBERED_BYTES else _chunks_to_tell.__wrapped__
    plain = structs.replace(view, created=0, request_id="")
    chunks = read(dialect.read_reply, dialect.write_reply, kept.body, plain)
    return dialect.stream_writer(view).write(chunks) if chunks is not None else None


@lru_cache(maxsize=256)
def _chunks_to_tell(
    read: Callable[[bytes, ReplyRules], Reply], write: Callable[[Reply, View], bytes], body: bytes, view: View
) -> Sequence[Chunk] | None:
    """Return the chunks that tell a body, None when reading it would lose something; an answer may be told often."""
    try:
        reply = read(body, _NO_RULES)
    except GatewayError:
        return None
    return replay(reply) if _is_all_there(body, write(reply, view)) else None


_UNEQUAL = frozenset({"created", "provider", "system_fingerprint", "service_tier", "object"})
"""Members of an answer that a stream words in its own way."""


def _is_all_there(one: bytes, other: bytes) -> bool:
    """Tell whether an answer says all that another one says; it may say more. What is empty or zero says nothing."""
    first, second = msgspec.json.decode(one), msgspec.json.decode(other)
    if not isinstance(first, dict):
        return False
    return _is_part({name: value for name, value in first.items() if name not in _UNEQUAL}, second)


def _is_part(one: object, other: object) -> bool:
    if isinstance(one, dict):
        return isinstance(other, dict) and all(
            not value or (name in other and _is_part(value, other[name])) for name, value in one.items()
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_is_part, one, other))
    return one == other


def saved_nanos(exchange: Exchange, kept: CachedReply) -> int:
    """Return what the kept answer would cost now."""
    choice = exchange.choice
    if choice is None or choice.model is None:
        return 0
    target, tokens = choice.target, kept.tokens
    now_s = exchange.plane.clock.unix()
    rates = exchange.snapshot.prices.find(target.provider.name, choice.model, now_s, target.price_terms)
    usage = Usage(
        input=tokens.input,
        output=tokens.output,
        cache_read=tokens.cache_read,
        cache_write=tokens.cache_write,
        cache_write_1h=tokens.cache_write_1h,
        reasoning=tokens.reasoning,
    )
    return price(usage, rates).nanos
