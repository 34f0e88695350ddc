"""docs/reference/configuration.md, from the Structs of lockgate.config and their docstrings."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator

import msgspec
from msgspec import inspect as shape

from lockgate.config import Document, RateLimitSettings, UsageLimitSettings
from lockgate.config.document import AnchorSettings
from lockgate.providers import load_providers
from tools.docs_cli import commands
from tools.docstrings import cell, class_doc, field_docs

HEAD = """\
# Configuration

Lockgate reads one file, `lockgate.toml`. Every table and every key is optional, but for those marked as required. A key
that is not listed here is refused with the file's name and the line; `lockgate check` finds that out without starting
anything. How to change a running gateway: [Reload the configuration](../how-to/reload-config.md).

A secret may be written as a reference: `env:NAME` reads an environment variable, `file:PATH` reads a file. References
are resolved when the configuration is loaded; what they yield is never shown again. A relative path starts at the
folder of the configuration file.
"""

NOT_A_KEY = "Not a key"
"""Stands in the docstring of a field that the reader of the file fills in."""

ENVIRONMENT = """
## Environment

What the command line says beats the environment, the environment beats the file.

| variable | meaning |
|---|---|
| `LOCKGATE_API_KEY` | a gateway key; no other is made at the first start |
| `LOCKGATE_ADMIN_KEY` | a key that manages the organisation and calls no models; no other is made at the first start |
| `LOCKGATE_CACHE_URL` | as `url` of `[cache]`, before it |
| `BLOCK_INLINE_CONFIG` | `true`: requests may use only what is saved (configs, providers, hosts), in every workspace |
| `LOCKGATE_REDIS_URL` | as `url` of `[counters]`, before it |
| `LOCKGATE_HOME` | folder for keys and records; `.lockgate` in a checkout, the platform's data folder elsewhere |
| `LOCKGATE_DATABASE_URL` | as `url` of `[database]`, before it |
| `LOCKGATE_MASTER_KEY` | 32 random bytes in base64 that encrypt stored credentials; needed with PostgreSQL, otherwise \
`master.key` in the state folder is made at the first start |
| `LOCKGATE_WORKER` | set by `up --workers` for the processes that it starts; not for people |
| `LOCKGATE_MASTER_KEY_PREVIOUS` | the master key before, until `lockgate secrets rotate` has \
[replaced it](../how-to/rotate-the-master-key.md) |
"""


def configuration_page() -> str:
    """Return the page: one section for each table of the file, then the environment."""
    return HEAD + "".join(map(section, tables())) + ENVIRONMENT + "".join(variable_rows())


def variable_rows() -> Iterator[str]:
    """Yield a row for each option of the command line that has a variable, then for each provider's."""
    options = [param for _, command in commands() for param in command.params if param.envvar]
    for param in {param.envvar: param for param in options}.values():
        yield f"| `{param.envvar}` | as `{param.opts[0]}`: {cell(param.help)} |\n"
    for provider in load_providers().values():
        if provider.credential_env:
            yield f"| `{provider.credential_env}` | makes `@{provider.name}` exist, with this credential |\n"
    yield "| `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | the way to the providers through a proxy |\n"


def tables() -> Iterator[type[msgspec.Struct]]:
    """Yield the Struct behind each table of the file."""
    for field in msgspec.structs.fields(Document):
        info = shape.type_info(field.type)
        entry = info.value_type if isinstance(info, shape.DictType) else info
        assert isinstance(entry, shape.StructType)
        yield entry.cls
    yield from (UsageLimitSettings, AnchorSettings, RateLimitSettings)


def keys_of(kind: type[msgspec.Struct]) -> Iterator[msgspec.structs.FieldInfo]:
    """Yield the fields of a table that somebody may write."""
    docs = field_docs(kind)
    for field in msgspec.structs.fields(kind):
        if field.name not in docs:
            raise ValueError(f"{kind.__name__}.{field.name} has no docstring")
        if NOT_A_KEY not in docs[field.name]:
            yield field


def heading(kind: type[msgspec.Struct]) -> str:
    """Return a table's name as it stands in the file; its docstring begins with it."""
    found = re.match(r"`(\[[\w.]+\])`", class_doc(kind))
    if not found:
        raise ValueError(f"the docstring of {kind.__name__} does not begin with the name of its table")
    return found[1]


def section(kind: type[msgspec.Struct]) -> str:
    """Return the section of one table."""
    docs = field_docs(kind)
    purpose = class_doc(kind).partition(": ")[2]
    lines = [f"\n## `{heading(kind)}`\n\n{purpose[:1].upper()}{purpose[1:]}\n\n"]
    lines.append("| key | type | default | meaning |\n|---|---|---|---|\n")
    for field in keys_of(kind):
        row = (f"`{field.encode_name}`", cell(type_name(field.type)), default_text(field), cell(docs[field.name]))
        lines.append(f"| {' | '.join(row)} |\n")
    return "".join(lines)


def default_text(field: msgspec.structs.FieldInfo) -> str:
    """Return a field's default as it would be written in the file."""
    if field.required:
        return "required"
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if default is None or isinstance(default, msgspec.Struct) or default in ((), {}):
        return "-"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, str):
        return f'`"{default}"`'
    return f"`{default:_}`" if default >= 10_000 else f"`{default}`"


def type_name(kind: object) -> str:
    """Say a type in words, with its limits."""
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f'`"{value}"`' for value in typing.get_args(kind))
    match info := shape.type_info(kind):
        case shape.StrType():
            return f"text like `{info.pattern}`" if info.pattern else "text"
        case shape.BoolType():
            return "true or false"
        case shape.IntType() | shape.FloatType():
            return number_name(info)
        case shape.UnionType():
            return " or ".join(type_name(part) for part in typing.get_args(kind) if part is not type(None))
        case shape.VarTupleType():
            return f"list of {type_name(typing.get_args(kind)[0])}"
        case shape.DictType():
            return f"table of {type_name(typing.get_args(kind)[1])}"
        case shape.DateTimeType():
            return "time"
        case shape.StructType():
            return f"the keys of `{heading(info.cls)}`"
        case _:
            raise TypeError(f"no words for {info}")


def number_name(info: shape.IntType | shape.FloatType) -> str:
    """Say which numbers are allowed."""
    name = "whole number" if isinstance(info, shape.IntType) else "number"
    if info.ge is not None and info.le is not None:
        return f"{name}, {info.ge:g} to {info.le:g}"
    if info.gt is not None:
        return f"{name} above {info.gt:g}"
    return f"{name}, at least {info.ge:g}" if info.ge is not None else name
