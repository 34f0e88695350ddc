"""``/admin/state``: all there is as one document, for a file under version control.

Source: control-plane specification, section 5.4.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, structs

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.state.apply import KeyOfState, Outcome, Wish, apply, plan
from lockgate.admin.state.document import StateDocument
from lockgate.admin.state.export import export_state
from lockgate.admin.state.steps import Change
from lockgate.admin.state.text import Format, line_finder, plain_part, read_state, state_of, write_state

_PARTS = tuple(name for name in StateDocument.__struct_fields__ if name != "version")


class StateBody(Struct, frozen=True, kw_only=True):
    """A document: its parts at the top, or the text of it."""

    text: Annotated[str, Meta(max_length=4_000_000)] | None = None
    """The document as text, in place of its parts."""
    format: Format = "yaml"
    """Of the text."""
    prune: bool = False
    """Whether what a part of the document does not name is deleted."""
    force_delete: bool = False
    """Whether it is deleted though others name it."""
    version: int = 1
    workspaces: list[dict[str, Any]] | None = None
    secret_references: list[dict[str, Any]] | None = None
    integrations: list[dict[str, Any]] | None = None
    providers: list[dict[str, Any]] | None = None
    configs: list[dict[str, Any]] | None = None
    keys: list[dict[str, Any]] | None = None
    usage_policies: list[dict[str, Any]] | None = None
    rate_policies: list[dict[str, Any]] | None = None


class ExportQuery(Struct, frozen=True, kw_only=True):
    """In which form."""

    format: Format = "json"
    """json: the parts at the top of the answer; yaml: in ``text``."""


class ExportView(Struct, frozen=True, kw_only=True):
    """The document."""

    version: int = 1
    text: str | None = None
    workspaces: list[Any]
    secret_references: list[Any]
    integrations: list[Any]
    providers: list[Any]
    configs: list[Any]
    keys: list[Any]
    usage_policies: list[Any]
    rate_policies: list[Any]
    object: str = "state"


class StepView(Struct, frozen=True, kw_only=True):
    """One thing that differs."""

    action: str
    """``create``, ``update`` or ``delete``."""
    part: str
    name: str
    changes: dict[str, Change]


class OutcomeView(Struct, frozen=True, kw_only=True):
    """What was done, or would be."""

    applied: bool
    steps: list[StepView]
    keys: list[KeyOfState]
    """Keys that were made, with their texts, which are told this once."""
    object: str = "state-changes"


def export(call: Call[Nothing, ExportQuery]) -> ExportView:
    """Show all there is as a document, without secrets."""
    with call.view() as view:
        document = export_state(view)
    text = write_state(document, call.query.format) if call.query.format != "json" else None
    return ExportView(text=text, **{name: plain_part(document, name) for name in _PARTS})


def show_plan(call: Call[StateBody, Nothing]) -> OutcomeView:
    """Show what a document would change, having tried it."""
    return _view(plan(call, _wish(call.body)), is_applied=False)


def do_apply(call: Call[StateBody, Nothing]) -> OutcomeView:
    """Make a document so: all of it, or nothing."""
    return _view(apply(call, _wish(call.body)), is_applied=True)


def _wish(body: StateBody) -> Wish:
    wish = Wish(document=StateDocument(), prune=body.prune, force=body.force_delete)
    if body.text is not None:
        found = line_finder(body.text, body.format)
        return structs.replace(wish, document=read_state(body.text, body.format), line_of=found)
    else:
        parts = {name: part for name in _PARTS if (part := getattr(body, name)) is not None}
        return structs.replace(wish, document=state_of({"version": body.version, **parts}))


def _view(outcome: Outcome, *, is_applied: bool) -> OutcomeView:
    steps = [
        StepView(action=step.action, part=step.part, name=step.name, changes=step.changes) for step in outcome.steps
    ]
    return OutcomeView(applied=is_applied, steps=steps, keys=outcome.keys)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/admin/state/export",
        access=needs("organisation_settings.read", keys=("organisation",)),
        summary="Show all there is as one document, without secrets",
        query=ExportQuery,
        reply=ExportView,
        handler=export,
    ),
    Endpoint(
        method="POST",
        path="/admin/state/plan",
        access=needs("organisation_settings.update", keys=("organisation",)),
        summary="Show what a document would change",
        body=StateBody,
        reply=OutcomeView,
        handler=show_plan,
    ),
    Endpoint(
        method="POST",
        path="/admin/state/apply",
        access=needs("organisation_settings.update", keys=("organisation",)),
        summary="Make a document so, all of it or nothing",
        body=StateBody,
        reply=OutcomeView,
        handler=do_apply,
    ),
)
