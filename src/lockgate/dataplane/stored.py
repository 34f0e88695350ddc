"""What batches and files have in common: things that one provider keeps under an id, and calls that name that id."""

from __future__ import annotations

import re
from typing import Literal, Self, TypeAlias

import msgspec
from msgspec import Struct, structs

from lockgate.core.http import UpstreamRequest
from lockgate.dataplane.auth import Caller
from lockgate.dataplane.exchange import Exchange
from lockgate.dialects import Written
from lockgate.errors import InvalidRequest, Unsupported
from lockgate.plan.resolve import Choice, Signals
from lockgate.providers import Endpoint

Kind: TypeAlias = Literal["batches", "files"]

_ID = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_MAX_ID = 256


class _Id(Struct, frozen=True):
    id: str | None = None


_read_id = msgspec.json.Decoder(_Id).decode


class StoredExchange(Exchange):
    """A call about batches or files. ``id`` and ``action`` are what follows the route, "" where there is nothing."""

    kind: Kind
    id = ""
    action = ""

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
        if (self.id or self.action) and (len(self.id) > _MAX_ID or not _ID.fullmatch(self.id)):
            raise InvalidRequest("the id in the path may hold letters, digits, _ and - only", path="id")
        await self.serve(caller)

    async def serve(self, caller: Caller) -> None:
        """Serve the call of a caller that is known."""
        raise NotImplementedError

    # ---- the provider

    def signals(self, caller: Caller, model: str | None = None) -> Signals:
        """What the request says about its provider; for an id that is known, its keeper when it says nothing."""
        signals = super().signals(caller, model)
        if self.id and not signals.has_provider:
            slug = self.plane.keepers.find(self.kind, self.id)
            if slug is not None:
                return structs.replace(signals, provider="@" + slug)
        return signals

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
            self.plane.keepers.remember(self.kind, id, slug)

    def note(self, choice: Choice, data: bytes) -> None:
        """Remember who keeps what was answered with; forget what was deleted."""
        if self.method == "DELETE":
            self.plane.keepers.forget(self.kind, self.id)
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
