"""``/policies/rate-limits``: rates for the requests that meet conditions, one for each value by which they group.

Source: control-plane specification, sections 2.10 and 3.7.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.changes import given
from lockgate.admin.conditions import (
    RATE_KEYS,
    TOOL_KEYS,
    ConditionsBody,
    ConditionView,
    GroupKey,
    GroupsBody,
    read_conditions,
    read_groups,
    write_conditions,
    write_groups,
)
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.limits import RateLimitBody, read_rate_limits, write_rate_limit
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.reading import read_value
from lockgate.admin.times import write_time
from lockgate.entities import RatePolicy
from lockgate.errors import InvalidRequest, NotFound
from lockgate.store.reading import Reading

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Text: TypeAlias = Annotated[str, Meta(max_length=500)]
Status: TypeAlias = Literal["active", "archived"]
Target: TypeAlias = Literal["llm", "mcp_tools"]


class RatePolicyBody(RateLimitBody, frozen=True, kw_only=True):
    """A policy to be made; its limit stands beside its name."""

    name: Name
    description: Text | None = None
    workspace_id: str | None = None
    conditions: ConditionsBody | None = None
    group_by: GroupsBody | None = None
    target: Target = "llm"


class RatePolicyPatch(Struct, frozen=True, kw_only=True):
    """What changes in a policy; what it counts, for what and by what, stays."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    conditions: ConditionsBody | UnsetType = UNSET
    type: str | UnsetType = UNSET
    target: str | UnsetType = UNSET
    group_by: GroupsBody | UnsetType = UNSET
    unit: str | UnsetType = UNSET
    value: int | UnsetType = UNSET


class RatePolicyQuery(PageQuery, frozen=True, kw_only=True):
    """Which policies."""

    workspace_id: str | None = None
    status: Status | None = None
    type: Literal["requests", "tokens", "concurrency"] | None = None
    unit: str | None = None


class OneQuery(Struct, frozen=True, kw_only=True):
    """Which states to look in."""

    status: Status | None = None


class RatePolicyMade(Struct, frozen=True, kw_only=True):
    """A new policy."""

    id: str
    object: str = "policy_rate_limits"


class RatePolicyView(Struct, frozen=True, kw_only=True):
    """A policy with its limit."""

    id: str
    name: str
    description: str | None
    workspace_id: str
    organisation_id: str
    conditions: list[ConditionView]
    group_by: list[GroupKey]
    type: str
    unit: str
    value: int
    target: str
    status: str
    created_at: str
    last_updated_at: str
    object: str = "policy_rate_limits"


def create(call: Call[RatePolicyBody, Nothing]) -> RatePolicyMade:
    """Make a policy."""
    body = call.body
    keys = _keys(body.target)
    with call.change() as tx:
        workspace = call.workspace(tx, body.workspace_id)
        (limit,) = read_rate_limits([body], (), path="")
        policy = tx.insert(
            RatePolicy(
                workspace_id=workspace.id,
                name=body.name,
                description=body.description,
                conditions=read_conditions(body.conditions or (), keys),
                group_by=read_groups(body.group_by or (), keys),
                limit=limit,
                target=body.target,
            )
        )
    return RatePolicyMade(id=policy.id)


def retrieve(call: Call[Nothing, OneQuery]) -> Answer:
    """Show a policy."""
    with call.view() as view:
        policy = _find(call, view, with_archived=call.query.status == "archived")
    return Answer(body=_view(policy), version=policy.version)


def list_(call: Call[Nothing, RatePolicyQuery]) -> Page[RatePolicyView]:
    """List the policies of a workspace."""
    query, page = call.query, window(call.query)
    filters: dict[str, Any] = {} if query.status is None else {"status": query.status}
    with call.view() as view:
        filters["workspace_id"] = call.workspace(view, query.workspace_id).id
        views = [_view(policy) for policy in view.all(RatePolicy, **filters)]
    matching = [
        each
        for each in views
        if (query.type is None or each.type == query.type) and (query.unit is None or each.unit == query.unit)
    ]
    first = page.number * page.size
    return Page(total=len(matching), data=matching[first : first + page.size])


def update(call: Call[RatePolicyPatch, Nothing]) -> Answer:
    """Change a policy."""
    with call.change() as tx:
        policy = _find(call, tx)
        version = call.expect(policy)
        policy = tx.update(_patched(call.body, policy), expected_version=version)
    return Answer(body=Nothing(), version=policy.version)


def delete(call: Call[Nothing, Nothing]) -> None:
    """Archive a policy: it limits nothing any more."""
    with call.change() as tx:
        policy = _find(call, tx)
        tx.archive(policy, expected_version=call.expect(policy))


def _patched(body: RatePolicyPatch, policy: RatePolicy) -> RatePolicy:
    keys = _keys(policy.target)
    old = write_rate_limit(policy.limit)
    fixed = (("type", body.type, old.type), ("target", body.target, policy.target))
    for name, asked, is_now in fixed:
        if not isinstance(asked, UnsetType) and asked != is_now:
            raise InvalidRequest(f"{name}: cannot be changed; make a new policy", path=name)
    if not isinstance(body.group_by, UnsetType) and read_groups(body.group_by, keys) != policy.group_by:
        raise InvalidRequest("group_by: cannot be changed; make a new policy", path="group_by")
    wanted = {
        "type": old.type,
        "unit": given(body.unit, old.unit),
        "value": given(body.value, old.value),
        "on_outage": policy.limit.on_outage,
    }
    (limit,) = read_rate_limits([read_value(wanted, RateLimitBody)], (policy.limit,), path="")
    return msgspec.structs.replace(
        policy,
        name=given(body.name, policy.name),
        description=given(body.description, policy.description),
        conditions=policy.conditions
        if isinstance(body.conditions, UnsetType)
        else read_conditions(body.conditions or (), keys),
        limit=limit,
    )


def _keys(target: str) -> frozenset[str]:
    return RATE_KEYS if target == "llm" else TOOL_KEYS


def _find(call: Call[Any, Any], view: Reading, *, with_archived: bool = False) -> RatePolicy:
    policy = view.find(RatePolicy, call.parameters["id"], with_archived=with_archived)
    if policy is None:
        raise NotFound("There is no such rate policy", path="id")
    return policy


def _view(policy: RatePolicy) -> RatePolicyView:
    limit = write_rate_limit(policy.limit)
    return RatePolicyView(
        id=policy.id,
        name=policy.name,
        description=policy.description,
        workspace_id=policy.workspace_id,
        organisation_id=policy.organisation_id,
        conditions=write_conditions(policy.conditions),
        group_by=write_groups(policy.group_by),
        type=limit.type,
        unit=limit.unit,
        value=limit.value,
        target=policy.target,
        status=policy.status,
        created_at=write_time(policy.created_at),
        last_updated_at=write_time(policy.updated_at),
    )


_PATH = "/policies/rate-limits"

ENDPOINTS = (
    Endpoint(
        method="POST",
        path=_PATH,
        access=needs("policies.create"),
        summary="Make a rate policy",
        body=RatePolicyBody,
        reply=RatePolicyMade,
        handler=create,
    ),
    Endpoint(
        method="GET",
        path=_PATH,
        access=needs("policies.list"),
        summary="List rate policies",
        query=RatePolicyQuery,
        reply=Page[RatePolicyView],
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/{id}",
        access=needs("policies.read"),
        summary="Show a rate policy",
        query=OneQuery,
        reply=RatePolicyView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path=_PATH + "/{id}",
        access=needs("policies.update"),
        summary="Change a rate policy",
        body=RatePolicyPatch,
        handler=update,
    ),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{id}",
        access=needs("policies.delete"),
        summary="Archive a rate policy",
        handler=delete,
    ),
)
