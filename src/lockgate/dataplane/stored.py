"""What batches and files have in common: things that one provider keeps under an id, and calls that name that id."""

from __future__ import annotations

import re
from typing import Literal, Self, TypeAlias

import msgspec
from msgspec import Struct, structs

from lockgate.core.body import NO_BODY, NOTHING_SEEN, Peek
from lockgate.core.http import UpstreamRequest
from lockgate.dataplane.auth import Caller
from lockgate.dataplane.exchange import Exchange
from lockgate.dialects import Written
from lockgate.errors import InvalidRequest, Unsupported
from lockgate.plan.resolve import Choice, Signals
from lockgate.providers import Endpoint
from lockgate.routing.tree import Leaf, Pin, Routes, leaves

Kind: TypeAlias = Literal["batches", "files"]

ID = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
MAX_ID = 256


class _Id(Struct, frozen=True):
    id: str | None = None


_read_id = msgspec.json.Decoder(_Id).decode


class StoredExchange(Exchange):
    """A call about batches or files. ``id`` and ``action`` are what follows the route, "" where there is nothing."""

    is_charged = False
    kind: Kind
    id = ""
    action = ""
    _pin = Pin()
    """What the target whose turn it is says of its provider."""

    def at(self, rest: str) -> Self:
        """Take what follows the route in the path."""
        self.id, _, self.action = rest.partition("/")
        return self

    @property
    def method(self) -> str:
        """The method of the call."""
        method: str = self.client.scope["method"]
        return method

    async def _serve(self) -> None:
        caller = self.identify()
        if (self.id or self.action) and (len(self.id) > MAX_ID or not ID.fullmatch(self.id)):
            raise InvalidRequest("the id in the path may hold letters, digits, _ and - only", path="id")
        await self.admit_call()
        await self.go(self._routes(caller), NO_BODY, NOTHING_SEEN, is_repeatable=self.is_repeatable)

    async def attempt(self, leaf: Leaf, body: bytes, seen: Peek) -> None:
        """Serve by a target of the config. What it sets in bodies of model calls means nothing here."""
        assert self.caller is not None
        self._pin = leaf.pin
        await self.serve(self.caller)

    async def serve(self, caller: Caller) -> None:
        """Serve the call of a caller that is known, by the target whose turn it is."""
        raise NotImplementedError

    @property
    def is_repeatable(self) -> bool:
        """Whether the call may be sent twice."""
        return True

    def _routes(self, caller: Caller) -> Routes:
        """Return the config; for an id whose keeper is one of its targets it has that one only."""
        routes = self.plane.crossroads.routes_of(self.workspace, caller.key, self.headers)
        keeper = self._keeper()
        found = [leaf for leaf in leaves(routes.root) if leaf.pin.slug == keeper] if keeper is not None else []
        return structs.replace(routes, root=found[0]) if found else routes

    def _keeper(self) -> str | None:
        return self.plane.keepers.find(self.workspace.id, self.kind, self.id) if self.id else None

    # ---- the provider

    def signals(self, caller: Caller, model: str | None = None) -> Signals:
        """What the request says about its provider; for an id that is known, its keeper when it says nothing."""
        signals = super().signals(caller, model)
        slug = self._keeper() if not signals.has_provider else None
        return signals if slug is None else structs.replace(signals, provider="@" + slug)

    def choose(self, caller: Caller, signals: Signals, pin: Pin | None = None) -> Choice:
        """Choose the target that the config names, or the request. Raises as ``choose_target`` does."""
        return super().choose(caller, signals, pin or self._pin)

    def has_provider(self, signals: Signals) -> bool:
        """Tell whether config or headers name a provider, whatever models say."""
        return signals.has_provider or not self._pin.is_from_request

    def endpoint(self, choice: Choice) -> Endpoint:
        """Return where the provider keeps such things. Raises Unsupported when it has no such place."""
        provider = choice.target.provider
        found = provider.batches if self.kind == "batches" else provider.files
        if found is None:
            raise Unsupported(f"{self.kind} are not supported by {provider.name}")
        self.is_byte_path = self.plane.dialects[provider.dialect] is self.dialect
        return found

    def remember(self, choice: Choice, id: str) -> None:
        """Keep in mind who keeps this, unless nobody but this caller can reach it."""
        slug = choice.target.slug
        if slug is not None and b"x-portkey-custom-host" not in self.headers:
            self.plane.keepers.remember(self.workspace.id, self.kind, id, slug)

    def note(self, choice: Choice, data: bytes) -> None:
        """Remember who keeps what was answered with; forget what was deleted."""
        if self.method == "DELETE":
            self.plane.keepers.forget(self.workspace.id, self.kind, self.id)
        elif self.id or self.method == "POST":
            try:
                id = _read_id(data).id
            except msgspec.MsgspecError:
                return
            if id:
                self.remember(choice, id)

    # ---- upstream

    def prepare(
        self,
        choice: Choice,
        path: str,
        *,
        method: str | None = None,
        query: bytes = b"",
        written: Written | None = None,
    ) -> UpstreamRequest:
        """Put a request together; without ``written`` it has no body, and the headers that the client's allow."""
        target = choice.target
        if written is None:
            dialect = self.plane.dialects[target.provider.dialect]
            written = Written(body=b"", headers=dialect.client_headers(self.headers))
        request = self.request(target, path, written, is_stream=False, method=method or self.method)
        full = target.path_of(path)
        return structs.replace(request, target=full + b"?" + query if query else full)
