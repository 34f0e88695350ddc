"""Where an SDK's typed classes want another shape than the API has: one table, and nothing else knows of it.

The Python SDK refuses a list where its class says object. For it, a field of the table becomes the first entry of its
list (null when there is none), and the whole list stands beside it as ``<field>_list``. Everybody else gets the API's
shape. Source: control-plane specification, section 1.12.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec import Struct


class Reshape(Struct, frozen=True):
    """Fields of the entries of a list that the SDK wants as one object."""

    entries: str
    """The name of the list in the answer."""
    fields: tuple[str, ...]


TABLE: Mapping[tuple[str, str], Reshape] = {
    ("GET", "/providers"): Reshape("data", ("rate_limits",)),
    ("GET", "/integrations/{slug}/workspaces"): Reshape("workspaces", ("usage_limits", "rate_limits")),
}
"""By method and path of the endpoint."""


def is_python_sdk(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether the Python SDK is calling. The one for Node has the same name, and another runtime."""
    version = headers.get(b"x-portkey-package-version", b"")
    runtime = headers.get(b"x-portkey-runtime", b"")
    return version.startswith(b"portkey-") and (not runtime or b"py" in runtime.lower())


def reshape(method: str, path: str, body: object) -> object:
    """Return an answer, as plain values, in the shape that the Python SDK's classes take."""
    rule = TABLE.get((method, path))
    if rule is None or not isinstance(body, dict):
        return body
    entries = [_entry(cast("dict[str, Any]", entry), rule.fields) for entry in body[rule.entries]]
    return {**body, rule.entries: entries}


def _entry(entry: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    changed = dict(entry)
    for name in fields:
        given = entry.get(name)
        if given is None or isinstance(given, list):
            changed[name] = given[0] if given else None
            changed[f"{name}_list"] = given or []
    return changed
