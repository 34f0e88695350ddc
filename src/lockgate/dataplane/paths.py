"""Which route a path means. SDKs put ``/v1`` once, twice or not at all; a query never takes part in it."""

from __future__ import annotations

from typing import Literal, TypeAlias

Route: TypeAlias = Literal["chat", "messages", "count_tokens", "models", "health", "ready", "greeting", "hello"]

_ROUTES: dict[str, Route] = {
    "/v1/chat/completions": "chat",
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/models": "models",
    "/v1/health": "health",
    "/v1/ready": "ready",
    "/health": "health",
    "/ready": "ready",
    "/": "greeting",
    "/api/hello": "hello",
}
_METHODS: dict[Route, frozenset[str]] = {
    "chat": frozenset({"POST"}),
    "messages": frozenset({"POST"}),
    "count_tokens": frozenset({"POST"}),
    "models": frozenset({"GET", "HEAD"}),
    "health": frozenset({"GET", "HEAD"}),
    "ready": frozenset({"GET", "HEAD"}),
    "greeting": frozenset({"GET", "HEAD"}),
    "hello": frozenset({"GET", "HEAD"}),
}
_MODELS = "/v1/models/"
_MODELS_WITHOUT_V1 = "/models/"
_ANTHROPIC_ROUTES = ("/v1/messages", "/messages")


def find_route(path: str) -> tuple[Route, str] | None:
    """Return the route and the id that follows it (``/v1/models/{id}``, else ""), None when there is none."""
    route = _ROUTES.get(path)
    if route is not None:
        return route, ""
    if len(path) > 1 and path.endswith("/"):
        path = path[:-1]
    while path.startswith("/v1/v1/"):
        path = path[3:]
    route = _ROUTES.get(path) or _ROUTES.get("/v1" + path)
    if route is not None:
        return route, ""
    for prefix in (_MODELS, _MODELS_WITHOUT_V1):
        if path.startswith(prefix):
            return "models", path[len(prefix) :]
    return None


def is_anthropic_path(path: str) -> bool:
    """Tell whether a caller of this path expects Anthropic's error envelope, also where no route exists."""
    while path.startswith("/v1/v1/"):
        path = path[3:]
    return path.startswith(_ANTHROPIC_ROUTES)


def methods_of(route: Route) -> frozenset[str]:
    """Return the methods that a route answers."""
    return _METHODS[route]
