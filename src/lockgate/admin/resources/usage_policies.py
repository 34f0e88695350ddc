"""``/policies/usage-limits``: budgets for the requests that meet conditions, one for each value by which they group.

Source: control-plane specification, sections 2.10 and 3.7.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.changes import given
from lockgate.admin.conditions import (
    USAGE_KEYS,
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
from lockgate.admin.limits import (
    Amount,
    UsageLimitBody,
    UsageLimitView,
    patched_usage_limit,
    read_usage_limits,
    write_amount,
    write_usage_limit,
)
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.times import write_time, write_time_or_none
from lockgate.core.limits import Budget, Usage
from lockgate.entities import UsageLimit, UsagePolicy
from lockgate.entities.limits import restart
from lockgate.errors import InvalidRequest, NotFound
from lockgate.plan.limits import budget_of
from lockgate.store.reading import Reading

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Text: TypeAlias = Annotated[str, Meta(max_length=500)]
Status: TypeAlias = Literal["active", "archived"]

_MAX_RESETS = 10_000


class UsagePolicyBody(UsageLimitBody, frozen=True, kw_only=True):
    """A policy to be made; its limit stands beside its name."""

    name: Name
    description: Text | None = None
    workspace_id: str | None = None
    conditions: ConditionsBody | None = None
    group_by: GroupsBody | None = None


class UsagePolicyPatch(Struct, frozen=True, kw_only=True):
    """What changes in a policy; what it counts, and by what, stays."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    conditions: ConditionsBody | UnsetType = UNSET
    type: str | UnsetType = UNSET
    group_by: GroupsBody | UnsetType = UNSET
    credit_limit: Amount | UnsetType = UNSET
    alert_threshold: Amount | UnsetType | None = UNSET
    periodic_reset: Literal["weekly", "monthly"] | UnsetType | None = UNSET
    periodic_reset_days: Annotated[int, Meta(ge=1, le=365)] | UnsetType | None = UNSET
    next_usage_reset_at: datetime | UnsetType | None = UNSET
    mode: Literal["hard", "soft"] | UnsetType = UNSET
    admission: Literal["strict", "open"] | UnsetType = UNSET
    reset_usage: bool | UnsetType | None = UNSET
    reset_usage_for_value: Name | UnsetType | None = UNSET
    """A value_key whose counter goes to zero."""


class UsagePolicyQuery(PageQuery, frozen=True, kw_only=True):
    """Which policies."""

    workspace_id: str | None = None
    status: Status | None = None
    type: Literal["cost", "tokens", "requests"] | None = None


class OneQuery(Struct, frozen=True, kw_only=True):
    """How to show a policy."""

    status: Status | None = None
    include_usage: bool = False


class EntityQuery(PageQuery, frozen=True, kw_only=True):
    """Which entities of a policy."""

    status: str | None = None
    search: str | None = None


class UsagePolicyMade(Struct, frozen=True, kw_only=True):
    """A new policy."""

    id: str
    object: str = "policy_usage_limits"


class UsagePolicyView(Struct, frozen=True, kw_only=True):
    """A policy with its limit."""

    id: str
    name: str
    description: str | None
    workspace_id: str
    organisation_id: str
    conditions: list[ConditionView]
    group_by: list[GroupKey]
    type: str
    credit_limit: Amount
    alert_threshold: Amount | None
    periodic_reset: str | None
    periodic_reset_days: int | None
    next_usage_reset_at: str | None
    last_reset_at: str | None
    mode: str
    admission: str
    status: str
    created_at: str
    last_updated_at: str
    value_key_usage_map: dict[str, Amount] | UnsetType = UNSET
    object: str = "policy_usage_limits"


class UsageEntity(Struct, frozen=True, kw_only=True):
    """One value by which a policy groups, and how much of its budget is used."""

    id: str
    value_key: str
    """As in ``metadata._user:maria``; several keys are joined with ``|``."""
    current_usage: Amount


def create(call: Call[UsagePolicyBody, Nothing]) -> UsagePolicyMade:
    """Make a policy."""
    body = call.body
    with call.change() as tx:
        workspace = call.workspace(tx, body.workspace_id)
        (limit,) = read_usage_limits([body], (), path="", today=call.now.date(), most=1)
        policy = tx.insert(
            UsagePolicy(
                workspace_id=workspace.id,
                name=body.name,
                description=body.description,
                conditions=read_conditions(body.conditions or (), USAGE_KEYS),
                group_by=read_groups(body.group_by or (), USAGE_KEYS),
                limit=limit,
            )
        )
    return UsagePolicyMade(id=policy.id)


def retrieve(call: Call[Nothing, OneQuery]) -> Answer:
    """Show a policy, with what is used of it for each value when that is asked for."""
    with call.view() as view:
        policy = _find(call, view, with_archived=call.query.status == "archived")
    usage = None
    if call.query.include_usage:
        groups = call.wait(call.services.counters.groups(_budget(policy)))
        usage = {group: write_amount(found.used, policy.limit.unit) for group, found in groups.items()}
    return Answer(body=_view(call, policy, usage), version=policy.version)


def list_(call: Call[Nothing, UsagePolicyQuery]) -> Page[UsagePolicyView]:
    """List the policies of a workspace."""
    query, page = call.query, window(call.query)
    filters: dict[str, Any] = {} if query.status is None else {"status": query.status}
    with call.view() as view:
        filters["workspace_id"] = call.workspace(view, query.workspace_id).id
        if query.type is not None:
            found = [each for each in view.all(UsagePolicy, **filters) if each.limit.unit == query.type]
            first = page.number * page.size
            return Page(total=len(found), data=[_view(call, each) for each in found[first : first + page.size]])
        listed = view.page(UsagePolicy, page=page.number, size=page.size, **filters)
    return Page(total=listed.total, data=[_view(call, policy) for policy in listed.items])


def update(call: Call[UsagePolicyPatch, Nothing]) -> Answer:
    """Change a policy. A new amount holds at once; the counters go on."""
    body = call.body
    with call.change() as tx:
        policy = _find(call, tx)
        version = call.expect(policy)
        _refuse_fixed(body, policy)
        limit = patched_usage_limit(policy.limit, body, call.now.date())
        resets = policy.value_resets
        value = body.reset_usage_for_value
        if isinstance(value, str):
            resets = _with_reset(resets, value, call.now)
        is_reset = body.reset_usage is True
        changed = msgspec.structs.replace(
            policy,
            name=given(body.name, policy.name),
            description=given(body.description, policy.description),
            conditions=policy.conditions
            if isinstance(body.conditions, UnsetType)
            else read_conditions(body.conditions or (), USAGE_KEYS),
            limit=restart(limit, call.now) if is_reset else limit,
            value_resets={} if is_reset else resets,
        )
        action: Literal["reset", "update"] = "reset" if is_reset or isinstance(value, str) else "update"
        policy = tx.update(changed, expected_version=version, action=action)
    if isinstance(value, str) and not is_reset:
        call.wait(call.services.counters.reset(_budget(policy), value))
    return Answer(body=Nothing(), version=policy.version)


def delete(call: Call[Nothing, Nothing]) -> None:
    """Archive a policy: it limits nothing any more, and its counters stay readable."""
    with call.change() as tx:
        policy = _find(call, tx)
        tx.archive(policy, expected_version=call.expect(policy))


def list_entities(call: Call[Nothing, EntityQuery]) -> Page[UsageEntity]:
    """List the values that a policy has counted in its running period."""
    query, page = call.query, window(call.query, default=50, most=100)
    with call.view() as view:
        policy = _find(call, view)
    groups: Mapping[str, Usage] = call.wait(call.services.counters.groups(_budget(policy)))
    text = (query.search or "").casefold()
    names = sorted(name for name in groups if text in name.casefold())
    first = page.number * page.size
    data = [
        UsageEntity(
            id=_entity_id(name), value_key=name, current_usage=write_amount(groups[name].used, policy.limit.unit)
        )
        for name in names[first : first + page.size]
    ]
    return Page(total=len(names), data=data)


def reset_entity(call: Call[Nothing, Nothing]) -> None:
    """Set the counter of one value to zero."""
    value = _entity_value(call.parameters["entity_id"])
    with call.change() as tx:
        policy = _find(call, tx)
        changed = msgspec.structs.replace(policy, value_resets=_with_reset(policy.value_resets, value, call.now))
        tx.update(changed, expected_version=call.expect(policy), action="reset")
    call.wait(call.services.counters.reset(_budget(policy), value))


def _find(call: Call[Any, Any], view: Reading, *, with_archived: bool = False) -> UsagePolicy:
    policy = view.find(UsagePolicy, call.parameters["id"], with_archived=with_archived)
    if policy is None:
        raise NotFound("There is no such usage policy", path="id")
    return policy


def _refuse_fixed(body: UsagePolicyPatch, policy: UsagePolicy) -> None:
    if not isinstance(body.type, UnsetType) and body.type != policy.limit.unit:
        raise InvalidRequest("type: cannot be changed; make a new policy", path="type")
    if not isinstance(body.group_by, UnsetType) and read_groups(body.group_by, USAGE_KEYS) != policy.group_by:
        raise InvalidRequest("group_by: cannot be changed; make a new policy", path="group_by")


def _with_reset(resets: Mapping[str, datetime], value: str, now: datetime) -> dict[str, datetime]:
    """Return when values were reset by hand, the oldest ones left out when there are very many."""
    others = [(name, at) for name, at in resets.items() if name != value]
    return {**dict(others[-(_MAX_RESETS - 1) :]), value: now}


def _budget(policy: UsagePolicy) -> Budget:
    return budget_of(policy.limit, scope="policy", name=policy.name, created_at=policy.created_at)


def _entity_id(value_key: str) -> str:
    """Return a value as a segment of a path."""
    return base64.urlsafe_b64encode(b"v" + value_key.encode()).rstrip(b"=").decode()


def _entity_value(id: str) -> str:
    """Return the value of an entity's id. Raises NotFound for what is none."""
    try:
        text = base64.urlsafe_b64decode(id + "=" * (-len(id) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith("v") or _entity_id(text[1:]) != id:
        raise NotFound("There is no such entity of the policy", path="entity_id")
    return text[1:]


def _view(call: Call[Any, Any], policy: UsagePolicy, usage: dict[str, Amount] | None = None) -> UsagePolicyView:
    stored: UsageLimit = policy.limit
    limit: UsageLimitView = write_usage_limit(stored, scope="policy", created_at=policy.created_at, now=call.now)
    return UsagePolicyView(
        id=policy.id,
        name=policy.name,
        description=policy.description,
        workspace_id=policy.workspace_id,
        organisation_id=policy.organisation_id,
        conditions=write_conditions(policy.conditions),
        group_by=write_groups(policy.group_by),
        type=limit.type,
        credit_limit=limit.credit_limit,
        alert_threshold=limit.alert_threshold,
        periodic_reset=limit.periodic_reset,
        periodic_reset_days=limit.periodic_reset_days,
        next_usage_reset_at=limit.next_usage_reset_at,
        last_reset_at=write_time_or_none(stored.last_reset_at),
        mode=stored.mode,
        admission=stored.admission,
        status=policy.status,
        created_at=write_time(policy.created_at),
        last_updated_at=write_time(policy.updated_at),
        value_key_usage_map=UNSET if usage is None else usage,
    )


_PATH = "/policies/usage-limits"

ENDPOINTS = (
    Endpoint(
        method="POST",
        path=_PATH,
        access=needs("policies.create"),
        summary="Make a usage policy",
        body=UsagePolicyBody,
        reply=UsagePolicyMade,
        handler=create,
    ),
    Endpoint(
        method="GET",
        path=_PATH,
        access=needs("policies.list"),
        summary="List usage policies",
        query=UsagePolicyQuery,
        reply=Page[UsagePolicyView],
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/{id}",
        access=needs("policies.read"),
        summary="Show a usage policy",
        query=OneQuery,
        reply=UsagePolicyView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path=_PATH + "/{id}",
        access=needs("policies.update"),
        summary="Change a usage policy",
        body=UsagePolicyPatch,
        handler=update,
    ),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{id}",
        access=needs("policies.delete"),
        summary="Archive a usage policy",
        handler=delete,
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/{id}/entities",
        access=needs("policies.read"),
        summary="List the values that a usage policy has counted",
        query=EntityQuery,
        reply=Page[UsageEntity],
        handler=list_entities,
    ),
    Endpoint(
        method="PUT",
        path=_PATH + "/{id}/entities/{entity_id}/reset",
        access=needs("policies.update"),
        summary="Set the counter of one value of a usage policy to zero",
        handler=reset_entity,
    ),
)
