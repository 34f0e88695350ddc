"""docs/reference/config-object.md, from the Structs of lockgate.config.routes and their docstrings."""

from __future__ import annotations

import typing
from collections.abc import Iterator

import msgspec
from msgspec import Raw
from msgspec import inspect as shape

from lockgate.config.routes import ConfigRules
from lockgate.config.routes.nodes import (
    BreakerSettings,
    CacheSettings,
    Condition,
    Deployment,
    Node,
    RetrySettings,
    StickySettings,
    Strategy,
)
from lockgate.core.secret import Secret
from tools.docstrings import cell, class_doc, field_docs

HEAD = """\
# The config object

A routing config says which target serves a request, and what happens when that fails. It comes with a request, as JSON
in `x-portkey-config`, or is saved and called there by its slug; see
[Route requests with configs](../how-to/route-requests-with-configs.md). Keys may also be written in camelCase.

A saved config is held to every rule below: unknown keys and values out of range are refused, each with its path. In a
config that comes with a request unknown keys are ignored, null means that the key is not there, `attempts` and
`cooldown_interval` are brought into their range, and a condition that cannot be read never holds. The answer's
`x-lockgate-config-warnings` says so, each with its path; everything else is refused before anything is sent.
Saved or not, `attempts` above 5 act as 5 and `max_age` acts as the nearest of 60 to 7,776,000; that is warned of
where a config is saved or validated, too.

The root and each element of `targets` have the same keys. These hold for all targets below, unless one says otherwise:
`override_params` and `default_params` (merged by name), `drop_params`, `retry`, `cache`, `cb_config`,
`request_timeout`, `custom_host`, `forward_headers` and `strict_open_ai_compliance` (each replaced as a whole).
"""
QUERIES = """
## Queries

`query` of a condition asks for values of the request. A key is `metadata.NAME`, `params.NAME` (the top level of the
body, as the client sent it) or `url.pathname`. Several keys must all hold, and so must several operators of one key.
`{}` always holds.

| operator | holds when the value |
|---|---|
| `$eq` | is this one; a value without an operator says the same |
| `$ne` | is another one |
| `$in` | is in the list |
| `$nin` | is not in the list |
| `$regex` | matches the pattern somewhere, in the case that is written; a number is taken as text |
| `$gt`, `$gte`, `$lt`, `$lte` | is above, at least, below, at most a number; a text is read as far as it is one |
| `$and`, `$or` | (in place of a key, with a list of queries) all of them hold, one of them holds |

Types count: `1`, `"1"` and `true` are three values. Metadata are always texts. What the request does not have, and what
is a list or an object, makes a comparison false, also with `$ne` and `$nin`. Patterns are those of RE2: no look-around,
no back-references. `url.pathname` is compared with and without `/v1`.

| query | holds for | not for |
|---|---|---|
| `{"metadata.tier": "gold"}` | `{"metadata": {"tier": "gold"}}` | `{"metadata": {"tier": "Gold"}}` |
| `{"metadata.tier": {"$ne": "gold"}}` | `{"metadata": {"tier": "silver"}}` | `{"metadata": {}}` |
| `{"params.user": {"$in": ["ann", "bob"]}}` | `{"params": {"user": "ann"}}` | `{"params": {"user": "eve"}}` |
| `{"params.user": {"$nin": ["ann", "bob"]}}` | `{"params": {"user": "eve"}}` | `{"params": {"user": "bob"}}` |
| `{"params.model": {"$regex": "^gpt-"}}` | `{"params": {"model": "gpt-5"}}` | `{"params": {"model": "my-gpt-5"}}` |
| `{"params.n": {"$gt": 1, "$lte": 4}}` | `{"params": {"n": 4}}` | `{"params": {"n": 1}}` |
| `{"metadata.seats": {"$gte": 50, "$lt": 100}}` | `{"metadata": {"seats": "50"}}` | `{"metadata": {"seats": "many"}}` |
| `{"params.stream": {"$eq": true}}` | `{"params": {"stream": true}}` | `{"params": {"stream": "true"}}` |
| `{"params.n": 1, "metadata.a": "x"}` | `{"params": {"n": 1}, "metadata": {"a": "x"}}` | `{"params": {"n": 1}}` |
| `{"$or": [{"metadata.a": "1"}, {"metadata.b": "1"}]}` | `{"metadata": {"b": "1"}}` | `{"metadata": {"a": "2"}}` |
| `{"$and": [{"url.pathname": "/messages"}]}` | `{"path": "/v1/messages"}` | `{"path": "/v1/chat/completions"}` |
"""

TITLES: dict[type[msgspec.Struct], tuple[str, str]] = {
    Node: ("A target, or the root", "node"),
    Strategy: ("strategy", "strategy"),
    Condition: ("conditions", "conditions"),
    StickySettings: ("sticky", "sticky"),
    BreakerSettings: ("cb_config", "cb_config"),
    RetrySettings: ("retry", "retry"),
    CacheSettings: ("cache", "cache"),
    Deployment: ("deployments", "deployments"),
}


def routes_page() -> str:
    """Return the page: a section for each object, then the limits."""
    return HEAD + "".join(map(section, TITLES)) + QUERIES + limits()


def section(kind: type[msgspec.Struct]) -> str:
    """Return the section of one object."""
    docs = field_docs(kind)
    title, _ = TITLES[kind]
    shown = title if kind is Node else f"`{title}`"
    about = class_doc(kind)
    purpose = about.partition(": ")[2] or about
    lines = [f"\n## {shown}\n\n{purpose[:1].upper()}{purpose[1:]}\n\n", "| key | value | meaning |\n|---|---|---|\n"]
    for field in keys_of(kind):
        value = type_name(field.type) + (", required" if field.required else "")
        lines.append(f"| `{field.name}` | {cell(value)} | {cell(docs[field.name])} |\n")
    if kind is Node:
        lines.append("| `aws_...`, `azure_...`, `vertex_...` and so on | text or object | Settings of one vendor. |\n")
    return "".join(lines)


def keys_of(kind: type[msgspec.Struct]) -> Iterator[msgspec.structs.FieldInfo]:
    """Yield the keys of an object; each has a docstring."""
    docs = field_docs(kind)
    for field in msgspec.structs.fields(kind):
        if field.name == "cloud":
            continue
        if field.name not in docs:
            raise ValueError(f"{kind.__name__}.{field.name} has no docstring")
        yield field


def type_name(kind: object) -> str:
    """Say in words what may stand there."""
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(kind))
    if kind is Secret:
        return "text"
    if kind is Raw:
        return "any JSON"
    parts = typing.get_args(kind)
    if type(None) in parts:
        return " or ".join(type_name(part) for part in parts if part is not type(None))
    if typing.get_origin(kind) is tuple:
        return f"list of {type_name(parts[0])}"
    if typing.get_origin(kind) is dict:
        return "object"
    if typing.get_origin(kind) is typing.Annotated:
        inner = type_name(parts[0])
        return inner + limits_of(kind) if inner in ("whole number", "number", "text") else inner
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"[{TITLES[kind][0]}](#{anchor(kind)})" if kind is not Node else "a target"
    words = {str: "text", bool: "true or false", int: "whole number", float: "number"}
    if isinstance(kind, type) and kind in words:
        return words[kind]
    if len(parts) > 1:
        return " or ".join(map(type_name, parts))
    raise TypeError(f"no words for {kind}")


def limits_of(kind: object) -> str:
    """Return the bounds of a number or text, from its type."""
    info = shape.type_info(kind)
    info = getattr(info, "type", info)
    bounds = {name: getattr(info, name, None) for name in ("ge", "gt", "le", "max_length")}
    if bounds["ge"] is not None and bounds["le"] is not None:
        return f", {bounds['ge']:g} to {bounds['le']:g}"
    if bounds["gt"] is not None and bounds["le"] is not None:
        return f", above {bounds['gt']:g} up to {bounds['le']:g}"
    if bounds["gt"] is not None:
        return f" above {bounds['gt']:g}"
    if bounds["ge"] is not None:
        return f", at least {bounds['ge']:g}"
    return f", at most {bounds['max_length']} characters" if bounds["max_length"] is not None else ""


def anchor(kind: type[msgspec.Struct]) -> str:
    """Return what a link to a section leads to."""
    return TITLES[kind][1]


def limits() -> str:
    """Return the section of limits."""
    rules = ConfigRules(providers=frozenset())
    rows = (
        (f"{rules.size_bytes // 1024} KiB", "the whole text"),
        (str(rules.root_targets), "targets of the root"),
        (str(rules.root_conditional_targets), "targets of a conditional root"),
        (str(rules.nested_targets), "targets of a node below the root"),
        (str(rules.depth), "levels, the root counted"),
        (f"{rules.nodes:,}", "targets in all"),
        (str(rules.drop_paths), "paths of one `drop_params`"),
    )
    lines = "".join(f"| {most} | {what} |\n" for most, what in rows)
    return f"\n## Limits\n\n| at most | of |\n|---|---|\n{lines}"
