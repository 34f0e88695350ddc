"""Which route a path means. SDKs put ``/v1`` once, twice or not at all; a query never takes part in it."""

from __future__ import annotations

from typing import Literal, TypeAlias

Route: TypeAlias = Literal[
    "chat", "messages", "count_tokens", "models", "message_batches", "batches", "files", "health", "ready", "greeting",
    "hello", "metrics",
]  # fmt: skip

_ROUTES: dict[str, Route] = {
    "/v1/chat/completions": "chat",
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/models": "models",
    "/v1/messages/batches": "message_batches",
    "/v1/batches": "batches",
    "/v1/files": "files",
    "/v1/health": "health",
    "/v1/ready": "ready",
    "/health": "health",
    "/ready": "ready",
    "/": "greeting",
    "/api/hello": "hello",
    "/metrics": "metrics",
}
_METHODS: dict[Route, frozenset[str]] = {
    "chat": frozenset({"POST"}),
    "messages": frozenset({"POST"}),
    "count_tokens": frozenset({"POST"}),
    "health": frozenset({"GET", "HEAD"}),
    "ready": frozenset({"GET", "HEAD"}),
    "greeting": frozenset({"GET", "HEAD"}),
    "hello": frozenset({"GET", "HEAD"}),
    "metrics": frozenset({"GET", "HEAD"}),
}
_STORED: dict[Route, dict[str, frozenset[str]]] = {
    "message_batches": {
        "": frozenset({"GET", "POST"}),
        "id": frozenset({"GET", "DELETE"}),
        "cancel": frozenset({"POST"}),
        "results": frozenset({"GET"}),
    },
    "batches": {
        "": frozenset({"GET", "POST"}),
        "id": frozenset({"GET"}),
        "cancel": frozenset({"POST"}),
        "output": frozenset({"GET"}),
    },
    "files": {
        "": frozenset({"GET", "POST"}),
        "id": frozenset({"GET", "DELETE"}),
        "content": frozenset({"GET"}),
    },
}
"""Methods of what providers keep: of the collection, of one of its things (``id``), and of an action on one."""
_LIST_MODELS = frozenset({"GET", "HEAD"})
_ONE_MODEL = _LIST_MODELS | {"DELETE"}
_MODELS = "/v1/models/"
_MODELS_WITHOUT_V1 = "/models/"
_ANTHROPIC_ROUTES = ("/v1/messages", "/messages")


def find_route(path: str) -> tuple[Route, str] | None:
    """Return the route and what follows it (an id, ``id/action``, else ""), None when there is none."""
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
    return _find_stored(path)


def _find_stored(path: str) -> tuple[Route, str] | None:
    for route, actions in _STORED.items():
        prefix = "/messages/batches/" if route == "message_batches" else f"/{route}/"
        rest = path.removeprefix("/v1")
        if rest.startswith(prefix):
            rest = rest[len(prefix) :]
            _, slash, action = rest.partition("/")
            return (route, rest) if not slash or (action in actions and action not in ("", "id")) else None
    return None


def is_anthropic_path(path: str) -> bool:
    """Tell whether a caller of this path expects Anthropic's error envelope, also where no route exists."""
    while path.startswith("/v1/v1/"):
        path = path[3:]
    return path.startswith(_ANTHROPIC_ROUTES)


def methods_of(route: Route, rest: str = "") -> frozenset[str]:
    """Return the methods that a route answers, with what follows it."""
    if route == "models":
        return _ONE_MODEL if rest else _LIST_MODELS
    actions = _STORED.get(route)
    if actions is None:
        return _METHODS[route]
    _, _, action = rest.partition("/")
    return actions[action or ("id" if rest else "")]
