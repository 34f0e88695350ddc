"""``/v1/models``: what may be called, in the shape that the caller's SDK expects.

Without a provider in the headers it is the gateway's own list, ids as ``@slug/model``; with one it is the provider's.
Source: gateway protocol specification, section 1.5; Anthropic integration specification, section 6.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote

from msgspec import structs

from lockgate.core.models import ModelEntry
from lockgate.dataplane.auth import Caller
from lockgate.dataplane.client import ClientConnection
from lockgate.dataplane.exchange import MULTIPLE_CHOICES, Exchange
from lockgate.dataplane.headers import relayed_headers
from lockgate.dialects import Dialect, Written
from lockgate.errors import GatewayError, NotFound, Unsupported
from lockgate.plan.resolve import Choice, split_model
from lockgate.plan.snapshot import Target
from lockgate.ports import UpstreamResponse

if TYPE_CHECKING:
    from lockgate.dataplane.app import DataPlane

_JSON = b"application/json"
_LIST_TIMEOUT_S = 10.0
_CACHE_S = 300.0


class ModelList(Exchange):
    """A list of models, or one of them when ``model_id`` is given."""

    def __init__(self, plane: DataPlane, client: ClientConnection, dialect: Dialect, model_id: str) -> None:
        super().__init__(plane, client, "models", dialect)
        self._model_id = unquote(model_id)

    async def _serve(self) -> None:
        caller = self.identify()
        signals = self.signals(caller)
        self.client.watch()
        slug, model = split_model(self.snapshot, self._model_id)
        if signals.has_provider:
            await self._from_provider(self.choose(caller, signals), model or "")
        elif slug:
            signals = structs.replace(signals, provider="@" + slug)
            await self._from_provider(self.choose(caller, signals), model or "")
        else:
            await self._from_catalog(caller)

    # ---- one provider's own list

    async def _from_provider(self, choice: Choice, model: str) -> None:
        provider = choice.target.provider
        if provider.models is None:
            raise Unsupported(f"listModels is not supported by {provider.name}")
        dialect = self.plane.dialects[provider.dialect]
        self.is_byte_path = dialect is self.dialect
        path = provider.models.path + ("/" + quote(model, safe="") if model else "")
        written = Written(body=b"", headers=dialect.client_headers(self.headers))
        request = self.request(choice.target, path, written, is_stream=False, method="GET")
        response = await self.send(request)
        try:
            await self._relay_list(response, dialect, is_one=bool(model))
        finally:
            response.close()

    async def _relay_list(self, response: UpstreamResponse, dialect: Dialect, *, is_one: bool) -> None:
        if response.status >= MULTIPLE_CHOICES:
            await self.relay_error(response, dialect)
            return
        data = await self.read_whole(response)
        if not self.is_byte_path and is_one:
            data = self.dialect.write_model(dialect.read_models(b'{"data":[' + data + b"]}")[0])
        elif not self.is_byte_path:
            data = self.dialect.write_models(dialect.read_models(data))
        if self.dialect.name == "openai_chat" and not is_one and data.rstrip().endswith(b"}"):
            # a provider-backed list in OpenAI's shape names its provider
            data = data.rstrip()[:-1] + b',"provider":"%b"}' % (self.provider_name or "").encode()
        await self.reply(200, data, _JSON, relayed_headers(response.headers))

    # ---- the gateway's own list

    async def _from_catalog(self, caller: Caller) -> None:
        if self._model_id:
            raise NotFound(f"There is no model {self._model_id}; name it as @slug/model", path="model")
        allowed = caller.key.providers if caller.key else frozenset()
        targets = [t for slug, t in self.snapshot.targets.items() if not allowed or slug in allowed]
        lists = await asyncio.gather(*(self._models_of(target) for target in targets))
        entries = [entry for entries in lists for entry in entries]
        await self.reply(200, self.dialect.write_models(self._selected(entries)), _JSON, [])

    def _selected(self, entries: list[ModelEntry]) -> list[ModelEntry]:
        """Apply ``provider``, ``ai_service``, ``sort``, ``order``, ``offset`` and ``limit`` of the query."""
        query = {k: v[-1] for k, v in parse_qs(self.client.scope["query_string"].decode("latin-1")).items()}
        slug, services = query.get("provider", "").removeprefix("@"), query.get("ai_service", "")
        if slug:
            entries = [entry for entry in entries if entry.slug == slug]
        if services:
            entries = [entry for entry in entries if entry.owned_by in services.split(",")]
        keys = {"name": "id", "provider": "slug", "ai_service": "owned_by"}
        if query.get("sort") in keys:
            key = keys[query["sort"]]
            entries = sorted(entries, key=lambda e: getattr(e, key) or "", reverse=query.get("order") == "desc")
        start = _whole(query.get("offset"), 0)
        return entries[start : start + _whole(query.get("limit"), len(entries))]

    async def _models_of(self, target: Target) -> Iterable[ModelEntry]:
        """What a record offers: its own list if it has one, else the provider's, remembered for a while."""
        if target.models:
            owner = target.provider.name
            return [ModelEntry(id=name, slug=target.slug, owned_by=owner) for name in sorted(target.models)]
        cached = self.plane.model_lists.get(target.slug or "", target, self.plane.clock.monotonic())
        if cached is not None:
            return cached
        try:
            async with asyncio.timeout(_LIST_TIMEOUT_S):
                entries = await self._ask(target)
        except (GatewayError, TimeoutError):
            # one provider that does not answer must not hide the models of the others
            return []
        self.plane.model_lists.put(target.slug or "", target, entries, self.plane.clock.monotonic())
        return entries

    async def _ask(self, target: Target) -> list[ModelEntry]:
        provider = target.provider
        if provider.models is None:
            return []
        dialect = self.plane.dialects[provider.dialect]
        written = Written(body=b"", headers=dialect.client_headers({}))
        path = provider.models.path
        request = self.request(target, path, written, is_stream=False, method="GET", is_forwarding=False)
        if provider.models.page_query:
            page = request.target + b"?" + provider.models.page_query.encode("ascii")
            request = structs.replace(request, target=page)
        response = await self.plane.upstream.send(request)
        try:
            if response.status >= MULTIPLE_CHOICES:
                return []
            data = await response.read(self.snapshot.limits.reply_bytes)
        finally:
            response.close()
        return [
            structs.replace(e, slug=target.slug, owned_by=provider.name, raw=None) for e in dialect.read_models(data)
        ]


def _whole(text: str | None, default: int) -> int:
    """Read a whole number that is not negative; anything else counts as not given."""
    return int(text) if text and text.isascii() and text.isdigit() else default


class ModelLists:
    """Remembers providers' lists of models for a few minutes, per target: a changed record is asked again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Target, float, list[ModelEntry]]] = {}

    def get(self, slug: str, target: Target, now_s: float) -> list[ModelEntry] | None:
        """Return what is known of this very target, None when it is stale or unknown."""
        known = self._known.get(slug)
        if known is None or known[0] is not target or now_s - known[1] > _CACHE_S:
            return None
        return known[2]

    def put(self, slug: str, target: Target, entries: list[ModelEntry], now_s: float) -> None:
        """Remember a list."""
        self._known[slug] = (target, now_s, entries)
