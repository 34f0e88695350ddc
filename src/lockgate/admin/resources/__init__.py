"""The resources of the control plane's API, one module each, exporting ``ENDPOINTS``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from lockgate.admin.endpoint import Endpoint


def load_endpoints() -> Sequence[Endpoint]:
    """Return every endpoint, the most specific path first: a literal segment comes before a parameter."""
    found: list[Endpoint] = []
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found.extend(getattr(module, "ENDPOINTS", ()))
    return sorted(found, key=lambda endpoint: _specificity(endpoint.path))


def _specificity(path: str) -> tuple[list[tuple[int, str]], str]:
    ranks = [(_rank(segment), segment) for segment in path.split("/")]
    return [(rank, "" if rank else segment) for rank, segment in ranks], path


def _rank(segment: str) -> int:
    if not segment.startswith("{"):
        return 0
    return 2 if segment.endswith(":path}") else 1
