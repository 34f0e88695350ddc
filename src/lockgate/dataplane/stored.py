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
from lockgate.errors import InvalidRequest, NoTarget, Unavailable, Unsupported
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
        await self._recall(caller)
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

    async def _recall(self, caller: Caller) -> None:
        """Learn from the book of batches who keeps what this process has not seen, unless the request says so."""
        if not self.id or self._keeper() is not None or super().signals(caller).has_provider:
            return
        book, workspace = self.plane.batch_book, self.workspace
        try:
            found = await (book.find if self.kind == "batches" else book.find_by_file)(workspace.id, self.id)
        except Unavailable:
            return
        if found is not None and found.slug in workspace.targets:
            self.plane.keepers.remember(workspace.id, self.kind, self.id, found.slug)

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
        try:
            return super().choose(caller, signals, pin or self._pin)
        except NoTarget as error:
            if error.path is not None or signals.model is not None:
                raise
            raise NoTarget(f"Either x-portkey-config or x-portkey-provider header is required: {self._lack}") from None

    @property
    def _lack(self) -> str:
        """What a request lacks that names no provider."""
        if self.id:
            what = f"it is not known which provider keeps {self.id}"
            return f"{what}; send x-portkey-provider: @slug with the slug of that one"
        return f"calls about {self.kind} say which provider they are for; send x-portkey-provider: @slug"

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

    def kept_by(self, choice: Choice) -> str | None:
        """Return the record whose provider keeps what this call is about, None if only this caller can reach it."""
        return choice.target.slug if b"x-portkey-custom-host" not in self.headers else None

    def remember(self, choice: Choice, id: str) -> None:
        """Keep in mind who keeps this."""
        slug = self.kept_by(choice)
        if slug is not None:
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
