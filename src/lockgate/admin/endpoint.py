"""What one operation of the control plane is: where, who may, what goes in and out, and the function that does it.

A module of ``admin.resources`` exports ``ENDPOINTS``; ``load_endpoints`` finds it there, and with it come routing,
access checks, reading, errors, and the OpenAPI document. Nothing else has to be edited to add one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal, TypeAlias

from msgspec import Raw, Struct

from lockgate.admin.access import Access

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Nothing(Struct, frozen=True):
    """No body, no query, or an answer that is an empty object."""


class Answer(Struct, frozen=True, kw_only=True):
    """A reply with more than a body."""

    body: Struct
    version: int | None = None
    """Goes into the ETag header."""


class Streamed(Struct, frozen=True, kw_only=True):
    """A reply that is sent piece by piece. When the client leaves, the iterator is closed."""

    content_type: bytes
    chunks: AsyncIterator[bytes]
    headers: tuple[tuple[bytes, bytes], ...] = ()
    close: Callable[[], None] = lambda: None
    """Called when it is over, however it ended, also when nothing was sent."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """One operation."""

    method: Method
    path: str
    """Below the mounts, with parameters in braces: ``/api-keys/{id}``; ``{id:path}`` takes slashes too."""
    access: Access
    summary: str
    """One sentence for the reference."""
    handler: Callable[[Any], Struct | Raw | Streamed | Awaitable[Struct] | None]
    """Takes a Call; runs in a thread, so it may block. None answers ``{}``."""
    is_waiting: bool = False
    """Whether the handler returns something to wait for on the event loop, which is where calls to providers belong.
    Such a call changes nothing here, so an ``Idempotency-Key`` means nothing to it."""
    body: type[Struct] = Nothing
    is_resent: bool = False
    """Whether the same request twice within seconds is one that a client sent again, not a second one."""
    body_limit: int | None = None
    """How large a body may be, in bytes; None: as for all."""
    query: type[Struct] = Nothing
    reply: type[Struct] = Nothing
    mounts: tuple[str, ...] = ("/v1",)
    """Prefixes under which it is served."""

    @property
    def name(self) -> str:
        """A unique name for the document: the handler's module and function."""
        module = self.handler.__module__.rpartition(".")[2]
        return f"{module}.{self.handler.__name__}"
