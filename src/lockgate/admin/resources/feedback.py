"""``/feedback``: what somebody thinks of an answer, said about its trace.

Source: control-plane specification, section 6.1.
"""

from __future__ import annotations

import secrets
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.desk import RecordDesk
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.errors import InvalidRequest, NotFound, Unavailable
from lockgate.records.store import Feedback, Scope

Value = Annotated[int, Meta(ge=-10, le=10)]
Weight = Annotated[float, Meta(ge=0, le=1)]
_ACCESS = needs("feedback.write", keys=("service", "user"))
_MICRO = 1_000_000


class Opinion(Struct, frozen=True, kw_only=True):
    """What is thought of a trace, which may become known later."""

    trace_id: Annotated[str, Meta(min_length=1, max_length=128)]
    value: Value
    """From -10 to 10."""
    weight: Weight | None = None
    """How much it counts, from 0 to 1; 1 when left out."""
    metadata: dict[str, str | int | float | bool | None] | str | None = None
    """Names and values, or the same as JSON text."""


class FeedbackBody(Struct, frozen=True, kw_only=True):
    """One opinion, or a list of them: all are kept or none."""

    list_field: ClassVar[str] = "items"

    trace_id: str | None = None
    value: Value | None = None
    weight: Weight | None = None
    metadata: dict[str, str | int | float | bool | None] | str | None = None
    items: Annotated[list[Opinion], Meta(max_length=1000)] | None = None
    """What a body that is a list holds."""


class ChangeBody(Struct, frozen=True, kw_only=True):
    """What changes; what is left out stays."""

    value: Value | UnsetType | None = UNSET
    weight: Weight | UnsetType | None = UNSET
    metadata: dict[str, str | int | float | bool | None] | str | UnsetType | None = UNSET


class Stored(Struct, frozen=True, kw_only=True):
    """The ids, in the order of what was given, under both names by which clients look for them."""

    message: str
    feedback_ids: list[str]
    feedback_id: list[str]
    status: Literal["success"] = "success"


def create(call: Call[FeedbackBody, Nothing]) -> Stored:
    """Keep feedback."""
    body, desk = call.body, _desk(call)
    opinions = body.items
    if opinions is None:
        if body.trace_id is None or body.value is None:
            missing = "trace_id" if body.trace_id is None else "value"
            raise InvalidRequest(f"{missing} is missing", path=missing)
        opinions = [Opinion(trace_id=body.trace_id, value=body.value, weight=body.weight, metadata=body.metadata)]
    if not opinions:
        raise InvalidRequest("The list is empty; send at least one opinion")
    now_us = int(call.now.timestamp() * _MICRO)
    items = [
        Feedback(
            id=f"fb_{secrets.token_hex(16)}",
            trace_id=opinion.trace_id,
            workspace_id=call.principal.workspace.id,
            value=opinion.value,
            weight=1.0 if opinion.weight is None else opinion.weight,
            metadata=_metadata(opinion.metadata, f"[{index}].metadata" if body.items is not None else "metadata"),
            created_us=now_us,
            updated_us=now_us,
        )
        for index, opinion in enumerate(opinions)
    ]
    desk.add_feedback(items)
    ids = [item.id for item in items]
    return Stored(message="feedback stored", feedback_ids=ids, feedback_id=ids)


def update(call: Call[ChangeBody, Nothing]) -> Stored:
    """Change feedback."""
    body, id = call.body, call.parameters["id"]
    changed = _desk(call).change_feedback(
        id,
        Scope(workspaces=frozenset({call.principal.workspace.id})),
        now_us=int(call.now.timestamp() * _MICRO),
        value=None if body.value is UNSET else body.value,
        weight=None if body.weight is UNSET else body.weight,
        metadata=None if body.metadata in (UNSET, None) else _metadata(body.metadata, "metadata"),
    )
    if changed is None:
        raise NotFound(f"There is no feedback {id[:100]}", wire_code="AB02")
    return Stored(message="feedback updated", feedback_ids=[id], feedback_id=[id])


def _desk(call: Call[FeedbackBody, Nothing] | Call[ChangeBody, Nothing]) -> RecordDesk:
    desk = call.services.records
    if desk is None:
        raise Unavailable("Records are off (records.enabled in the configuration), and feedback with them")
    return desk


def _metadata(given: object, path: str) -> dict[str, str]:
    value = given
    if isinstance(given, str):
        try:
            value = msgspec.json.decode(given)
        except msgspec.MsgspecError:
            raise InvalidRequest(f"{path} is not JSON; send an object of names and values", path=path) from None
    if value is None or value is UNSET:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} is an object of names and values", path=path)
    return {
        str(key): item if isinstance(item, str) else msgspec.json.encode(item).decode() for key, item in value.items()
    }


ENDPOINTS = (
    Endpoint(
        method="POST", path="/feedback", access=_ACCESS, summary="Say what you think of a trace, or of several",
        body=FeedbackBody, is_resent=True, reply=Stored, handler=create,
    ),
    Endpoint(
        method="PUT", path="/feedback/{id}", access=_ACCESS, summary="Change feedback",
        body=ChangeBody, reply=Stored, handler=update,
    ),
)  # fmt: skip
