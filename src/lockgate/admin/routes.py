"""Which endpoints a path leads to. Source: control-plane specification, section 0.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from re import Pattern

from msgspec import Struct
from starlette.routing import compile_path

from lockgate.admin.endpoint import Endpoint


class Found(Struct, frozen=True):
    """What a path leads to: the endpoints by method, and the path's parameters."""

    endpoints: Mapping[str, Endpoint]
    parameters: Mapping[str, str]


class Routes:
    """Looks up paths in the order of the endpoints, the most specific one first."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        methods: dict[str, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            for mount in endpoint.mounts:
                at = methods.setdefault(mount + endpoint.path, {})
                if endpoint.method in at:
                    raise ValueError(f"{endpoint.method} {endpoint.path} is there twice")
                at[endpoint.method] = endpoint
        self._routes: list[tuple[Pattern[str], Mapping[str, Endpoint]]] = [
            (compile_path(path)[0], at) for path, at in methods.items()
        ]

    def find(self, path: str) -> Found | None:
        """Return what a path leads to, None when there is nothing."""
        path = normal_path(path)
        for candidate in (path, "/v1" + path):
            for pattern, endpoints in self._routes:
                match = pattern.match(candidate)
                if match is not None:
                    return Found(endpoints, match.groupdict())
        return None


def normal_path(path: str) -> str:
    """Return the path with one version in front and no slash at the end: some SDKs put ``/v1`` twice."""
    while path.startswith("/v1/v1/"):
        path = path[3:]
    return path[:-1] if len(path) > 1 and path.endswith("/") else path
