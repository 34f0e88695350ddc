"""docs/reference/admin-api.md, from the endpoints of lockgate.admin and their Structs."""

from __future__ import annotations

import importlib
import inspect
import itertools
import typing
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from lockgate.admin.access import Access
from lockgate.admin.app import all_endpoints
from lockgate.admin.endpoint import Endpoint, Nothing
from tools.docs_admin_words import FIELD_WORDS
from tools.docstrings import cell, class_doc, field_docs, markdown

HEAD = """\
# Control-plane API

What manages keys, people, workspaces, policies and secret references. Paths and shapes are Portkey's, so the
`portkey-ai` SDKs work as they are. The same as OpenAPI 3.1, for tools: `GET /v1/openapi.json`.

- **Key.** `x-portkey-api-key`, or `Authorization: Bearer`. Each route says which kinds of keys may call it and
  which scope they need; of several scopes one is enough. A key of a workspace reaches that workspace only: naming
  another one is 403. A key of the organisation names the workspace in `workspace_id`, by id or slug, and means the
  default one when it does not.
- **Input.** A field that is missing stays as it is, `null` clears it. Names in camelCase are understood, `0`, `1` and
  texts where a boolean is meant, and a list of one where one thing is. Unknown fields are ignored, and told: the
  answer has a list `warnings`, and `x-portkey-ignored-fields` names their paths. An unknown field inside of a limit is
  refused, and so is a misspelling of a field that limits something (`usage_limit`, `expire_at`, `scope`): ignored, it
  would leave open what you meant to close.
- **Answers** are JSON objects, `{}` where there is nothing to say. Lists are `{"object": "list", "total": N,
  "data": [...]}`, in pages counted from 0 by `page_size` and `current_page`; `x-portkey-total-count` has the total
  too.
- **Errors** have the status, and a body that every SDK reads: `error.code` is one of `AB01` (wrong input), `AB02`
  (not found), `AB03` (not allowed, or no such workspace), `AB04` (a fault of the gateway), `AB05` (no valid key),
  `AB07` (conflict); `error.param` is the path of the field.
- **Versions.** What is shown alone has an `ETag`. Sent back in `If-Match`, it makes a change fail with 412 when
  somebody else was faster. Without it, two changes at the same moment end in a 409 for one of them.
- **Repeating.** A POST or PUT with an `Idempotency-Key` is done once within 24 hours, whichever process answers: the
  same request gets the same answer, with `x-lockgate-idempotent-replay: true`; another body under the same key is 409.
- **Money** is in dollars, exact to nine decimals. **Times** are ISO 8601 in UTC.

A change that would not run is refused and changes nothing. One that is done holds in the answering process before
the answer, and in all others within a second.
"""
_KINDS = (("organisation", "organisation"), ("service", "workspace service"), ("user", "workspace user"))


def admin_page() -> str:
    """Return the page: a section for each resource."""
    shown: set[type[msgspec.Struct]] = set()
    return HEAD + "".join(_section(name, list(group), shown) for name, group in _by_resource())


def _by_resource() -> Iterator[tuple[str, Sequence[Endpoint]]]:
    """Give the endpoints of each module, in the order in which the module has them."""
    names = sorted({endpoint.handler.__module__ for endpoint in all_endpoints()})
    for name in names:
        module = importlib.import_module(name)
        endpoints = getattr(module, "ENDPOINTS", None) or [e for e in all_endpoints() if e.handler.__module__ == name]
        yield name, endpoints


def _section(module: str, endpoints: Sequence[Endpoint], shown: set[type[msgspec.Struct]]) -> str:
    """Return the section of a resource; shapes that an earlier one has shown are left out."""
    title = module.rpartition(".")[2].replace("_", " ").capitalize()
    if not module.startswith("lockgate.admin.resources."):
        title = "This description"
        about = ""
    else:
        about = (
            markdown(inspect.cleandoc(importlib.import_module(module).__doc__ or "")).partition("Source:")[0].strip()
        )
    rows = "".join(
        f"| {e.method} | `{e.mounts[0]}{e.path}` | {cell(e.summary)} | {_who(e.access)} |\n" for e in endpoints
    )
    bodies = dict.fromkeys(kind for e in endpoints for kind in _shapes(e.body))
    said: dict[str, str] = {}
    for kind in bodies:
        said = {**_docs_of(kind), **said}
    tables = "".join(_fields(kind, said) for kind in bodies if kind is not Nothing and kind not in shown)
    shown.update(bodies)
    return f"\n## {title}\n\n{about}\n\n| method | path | does | keys and scopes |\n|---|---|---|---|\n{rows}{tables}"


def _who(access: Access) -> str:
    if access.is_public:
        return "anybody"
    if access.is_any_key:
        return "every key"
    kinds = [(name, getattr(access, field)) for field, name in _KINDS if getattr(access, field)]
    told = []
    for scopes, group in itertools.groupby(kinds, key=lambda pair: pair[1]):
        told.append(f"{', '.join(name for name, _ in group)}: {' or '.join(f'`{scope}`' for scope in scopes)}")
    return "; ".join(told)


def _shapes(kind: typing.Any) -> Iterator[type[msgspec.Struct]]:
    """Give a body and everything that stands in it, the outer ones first."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from _shapes(field.type)
    for each in typing.get_args(kind):
        yield from _shapes(each)


def _docs_of(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return what the docstrings of a body say of its fields."""
    docs: dict[str, str] = {}
    for each in reversed(
        [base for base in kind.__mro__ if issubclass(base, msgspec.Struct) and base is not msgspec.Struct]
    ):
        docs |= field_docs(each)
    return docs


def _fields(kind: type[msgspec.Struct], said: Mapping[str, str]) -> str:
    """Return what a body holds; ``said`` is what other bodies of the resource say of their fields.

    A change of a thing has the fields of the thing: what is said of them holds for both.
    """
    docs = _docs_of(kind)
    if kind.__name__.endswith("Patch"):
        docs = {**said, **docs}
    rows = "".join(
        f"| `{field.encode_name}`{' (required)' if field.required else ''} | {cell(_type(field.type))} "
        f"| {_default(field.default)} | {cell(docs.get(field.name) or FIELD_WORDS.get(field.name, ''))} |\n"
        for field in msgspec.structs.fields(kind)
    )
    return (
        f"\n**{kind.__name__}.** {class_doc(kind)}\n\n| field | type | default | meaning |\n|---|---|---|---|\n{rows}"
    )


def _default(value: object) -> str:
    """Return what holds when a field is left out, where that is more than nothing."""
    if value in (msgspec.UNSET, msgspec.NODEFAULT, None) or value == []:
        return "-"
    return f"`{msgspec.json.encode(value).decode()}`"


_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}


def _type(kind: typing.Any) -> str:
    """Return a type in words."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"object of {_type(arguments[1])}"
    if arguments:
        members = dict.fromkeys(_type(each) for each in arguments if each is not msgspec.UnsetType)
        if "number" in members:
            members.pop("whole number", None)
        return " or ".join(members)
    if kind in _WORDS:
        return _WORDS[kind]
    return {"Decimal": "number", "datetime": "time"}.get(kind.__name__, kind.__name__)
