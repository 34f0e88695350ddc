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

from lockgate.core.body import NO_BODY, NOTHING_SEEN, Peek
from lockgate.core.models import ModelEntry
from lockgate.dataplane.auth import Caller
from lockgate.dataplane.client import ClientConnection
from lockgate.dataplane.exchange import MULTIPLE_CHOICES, Exchange
from lockgate.dataplane.headers import flag_of, relayed_headers
from lockgate.dialects import Dialect, Written
from lockgate.errors import GatewayError, NotFound, Unsupported
from lockgate.plan.resolve import Choice, Signals, split_model
from lockgate.plan.snapshot import Target
from lockgate.ports import UpstreamResponse
from lockgate.routing.tree import Leaf, leaves

if TYPE_CHECKING:
    from lockgate.dataplane.app import DataPlane

_JSON = b"application/json"
_ALL_MODELS = b"x-portkey-fetch-integrated-models"
_LIST_TIMEOUT_S = 10.0
_CACHE_S = 300.0


class ModelList(Exchange):
    """A list of models, or one of them when ``model_id`` is given."""

    scopes = ("models.list", "completions.write")
    is_charged = False

    def __init__(self, plane: DataPlane, client: ClientConnection, dialect: Dialect, model_id: str) -> None:
        super().__init__(plane, client, "models", dialect)
        self._model_id = unquote(model_id)

    async def _serve(self) -> None:
        caller = self.identify()
        await self.admit_call()
        self.client.watch()
        if b"x-portkey-config" in self.headers:
            # the default of a key or workspace is no signal here: programs that list models to choose from want all
            await self._by_config(caller)
        else:
            await self._by_headers(caller)

    async def _by_headers(self, caller: Caller) -> None:
        signals = self.signals(caller)
        slug, model = split_model(self.workspace, self._model_id)
        if signals.has_provider:
            if flag_of(self.headers, _ALL_MODELS):
                await self._from_catalog(caller, _slugs_in(signals))
                return
            await self._from_provider(self.choose(caller, signals), model or "")
        elif slug:
            signals = structs.replace(signals, provider="@" + slug)
            await self._from_provider(self.choose(caller, signals), model or "")
        else:
            await self._from_catalog(caller)

    async def _by_config(self, caller: Caller) -> None:
        """List what the first target that answers has, or, where that is wanted, all models of all targets."""
        routes = self.plane.crossroads.routes_of(self.workspace, caller.key, self.headers)
        pins = [leaf.pin for leaf in leaves(routes.root)]
        if all(pin.is_from_request for pin in pins):
            await self._by_headers(caller)
        elif flag_of(self.headers, _ALL_MODELS) or any(leaf.lists_models for leaf in leaves(routes.root)):
            is_anybodys = any(pin.is_from_request for pin in pins)
            named = {pin.slug or pin.model_slug or pin.provider or "" for pin in pins}
            await self._from_catalog(caller, None if is_anybodys else frozenset(named))
        else:
            await self.go(routes, NO_BODY, NOTHING_SEEN)

    async def attempt(self, leaf: Leaf, body: bytes, seen: Peek) -> None:
        """Ask a target of the config for its list."""
        caller = self.caller
        assert caller is not None
        _, model = split_model(self.workspace, self._model_id)
        await self._from_provider(self.choose(caller, self.signals(caller), leaf.pin), model or "")

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
            raise await self.rejected(response, dialect)
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

    async def _from_catalog(self, caller: Caller, slugs: frozenset[str] | None = None) -> None:
        """List the models of the records that the caller may use; of those among ``slugs`` where they are given."""
        if self._model_id:
            raise NotFound(f"There is no model {self._model_id}; name it as @slug/model", path="model")
        allowed = caller.key.providers if caller.key else frozenset()
        wanted = [slug for slug in self.workspace.targets if slugs is None or slug in slugs]
        targets = [self.workspace.targets[slug] for slug in wanted if not allowed or slug in allowed]
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
        owner = target.provider.name
        if target.models is not None:
            names = sorted(target.models - target.denied)
            return [ModelEntry(id=name, slug=target.slug, owned_by=owner) for name in names]
        cached = self.plane.model_lists.get(target, self.plane.clock.monotonic())
        if cached is not None:
            return cached
        try:
            async with asyncio.timeout(_LIST_TIMEOUT_S):
                entries = await self._ask(target)
        except (GatewayError, TimeoutError):
            # one provider that does not answer must not hide the models of the others
            return []
        known = {entry.id for entry in entries}
        own = [
            ModelEntry(id=name, slug=target.slug, owned_by=owner)
            for name in sorted(target.customs)
            if name not in known
        ]
        entries = [entry for entry in (*own, *entries) if entry.id not in target.denied]
        self.plane.model_lists.put(target, entries, self.plane.clock.monotonic())
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


def _slugs_in(signals: Signals) -> frozenset[str]:
    """Return the slugs that headers name."""
    return frozenset({(signals.provider or signals.virtual_key or "").removeprefix("@")})


def _whole(text: str | None, default: int) -> int:
    """Read a whole number that is not negative; anything else counts as not given."""
    return int(text) if text and text.isascii() and text.isdigit() else default


class ModelDeletion(Exchange):
    """The deletion of a fine-tuned model at the provider that keeps it, whose answer the client gets as it is."""

    is_charged = False

    def __init__(self, plane: DataPlane, client: ClientConnection, dialect: Dialect, model_id: str) -> None:
        super().__init__(plane, client, "models", dialect)
        self._model_id = unquote(model_id)

    async def _serve(self) -> None:
        caller = self.identify()
        await self.admit_call()
        self.client.watch()
        signals = self.signals(caller, self._model_id)
        slug, model = split_model(self.workspace, self._model_id)
        if model is None or not (slug or signals.has_provider):
            raise NotFound(f"There is no model {self._model_id} here; name it as @slug/model", path="model")
        target = self.choose(caller, signals).target
        provider = target.provider
        if provider.models is None or not provider.deletes_models:
            raise Unsupported(f"deleteModel is not supported by {provider.name}")
        dialect = self.plane.dialects[provider.dialect]
        self.is_byte_path = dialect is self.dialect
        written = Written(body=b"", headers=dialect.client_headers(self.headers))
        path = f"{provider.models.path}/{quote(model, safe='')}"
        response = await self.send(self.request(target, path, written, is_stream=False, method="DELETE"))
        try:
            if response.status >= MULTIPLE_CHOICES:
                raise await self.rejected(response, dialect)
            data = await self.read_whole(response)
        finally:
            response.close()
        self.plane.model_lists.forget(target)
        await self.reply(200, data, _JSON, relayed_headers(response.headers))


class ModelLists:
    """Remembers providers' lists of models for a few minutes, per target: a changed record is asked again."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Target, float, list[ModelEntry]]] = {}

    def get(self, target: Target, now_s: float) -> list[ModelEntry] | None:
        """Return what is known of this very target, None when it is stale or unknown."""
        known = self._known.get(id(target))
        if known is None or known[0] is not target or now_s - known[1] > _CACHE_S:
            return None
        return known[2]

    def put(self, target: Target, entries: list[ModelEntry], now_s: float) -> None:
        """Remember a list, and forget those that are too old to serve."""
        self._known = {key: known for key, known in self._known.items() if now_s - known[1] <= _CACHE_S}
        self._known[id(target)] = (target, now_s, entries)

    def forget(self, target: Target) -> None:
        """Ask this target again next time."""
        self._known.pop(id(target), None)
