"""The door of the control plane: ``create_app`` makes the ASGI application that serves its API."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lockgate.admin.call import Services
from lockgate.admin.endpoint import Endpoint
from lockgate.admin.exchange import Exchange, Receive, Scope, Send, Shared
from lockgate.admin.openapi import document_endpoint
from lockgate.admin.resources import load_endpoints
from lockgate.admin.routes import Routes

BODY_LIMIT_BYTES = 4 * 1024 * 1024
_THREADS = 4


class AdminApp:
    """Serves HTTP. ``close`` ends its threads."""

    def __init__(self, services: Services, endpoints: Sequence[Endpoint], *, body_limit: int) -> None:
        self._routes = Routes(endpoints)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="admin")
        self._shared = Shared(services=services, routes=self._routes, threads=self._threads, body_limit=body_limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        await Exchange(self._shared, scope, receive, send).run(self._routes.find(scope["path"]))

    def has_route(self, path: str) -> bool:
        """Tell whether a path is one of the control plane's, whatever the method."""
        return self._routes.find(path) is not None

    def close(self) -> None:
        """Wait for the handlers that run, and take no more."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def create_app(services: Services, *, body_limit: int = BODY_LIMIT_BYTES) -> AdminApp:
    """Return the application of every endpoint that there is. ``body_limit`` is in bytes."""
    return AdminApp(services, all_endpoints(), body_limit=body_limit)


def all_endpoints() -> Sequence[Endpoint]:
    """Return every endpoint, the document of them all included."""
    endpoints = load_endpoints()
    return [document_endpoint(endpoints), *endpoints]
