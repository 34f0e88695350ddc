"""``/policies/evaluate``: which limits would a request fall under, and would they let it pass now? Nothing is counted.

Source: control-plane specification, section 3.5.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.limits import Amount, write_amount
from lockgate.admin.metadata import MetadataBody
from lockgate.admin.times import write_time
from lockgate.core.limits import Budget, Claim, Usage
from lockgate.entities import (
    ApiKey,
    Integration,
    ProviderRecord,
    RatePolicy,
    UsagePolicy,
    Workspace,
    WorkspaceAccess,
)
from lockgate.errors import InvalidRequest
from lockgate.plan.limits import claims_of
from lockgate.plan.policies import compile_policies
from lockgate.store.reading import Reading

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Limited: TypeAlias = ApiKey | Workspace | ProviderRecord | Integration | WorkspaceAccess

_LETTERS = {1: "rps", 60: "rpm", 3600: "rph", 86400: "rpd", 604800: "rpw"}


class EvaluationBody(Struct, frozen=True, kw_only=True):
    """A request as far as limits look at it."""

    workspace_id: str | None = None
    key_id: Name | None = None
    """The key that would send it; the caller's own when left out."""
    metadata: MetadataBody | None = None
    provider: Name | None = None
    """The slug of a provider."""
    model: Name | None = None
    config: Name | None = None
    prompt: Name | None = None
    endpoint_type: Name = "chatComplete"


class LimitVerdict(Struct, frozen=True, kw_only=True):
    """A limit that the request falls under, and how far it is used."""

    id: str
    scope: str
    """key, workspace, provider, integration or policy."""
    name: str
    kind: str
    """budget or rate."""
    type: str
    """cost, tokens, requests or concurrency."""
    unit: str | None
    """Of a rate: its window."""
    value_key: str | None
    """Of a policy that groups: the value."""
    limit: Amount
    used: Amount | None
    """None while the counters cannot be reached."""
    reserved: Amount | None
    remaining: Amount | None
    resets_at: str | None
    mode: str
    verdict: str
    """allow, or deny when nothing is left."""


class Evaluation(Struct, frozen=True, kw_only=True):
    """All limits, and what they say together."""

    verdict: str
    """allow, or deny."""
    status: int
    """What a request would be answered with: 200, 429 for a rate, 412 for a budget."""
    denied_by: str | None
    """The id of the limit that denies first."""
    limits: list[LimitVerdict]
    object: str = "policy_evaluation"


def evaluate(call: Call[EvaluationBody, Nothing]) -> Evaluation:
    """Say which limits a request would fall under."""
    with call.view() as view:
        claims = _claims(call, view)
    limits = [_verdict(claim, usage) for claim, usage in zip(claims, call.usages(claims), strict=True)]
    # rates refuse before budgets
    order = [*(each for each in limits if each.kind == "rate"), *(each for each in limits if each.kind == "budget")]
    denied = next((each for each in order if each.verdict == "deny"), None)
    return Evaluation(
        verdict="deny" if denied is not None else "allow",
        status=200 if denied is None else 429 if denied.kind == "rate" else 412,
        denied_by=denied.id if denied is not None else None,
        limits=limits,
    )


def _claims(call: Call[EvaluationBody, Nothing], view: Reading) -> list[Claim]:
    body, now = call.body, call.now
    key = view.find(ApiKey, body.key_id or call.principal.key.id)
    if body.key_id is not None and key is None:
        raise InvalidRequest("key_id: there is no such API key", path="key_id")
    workspace = call.workspace(view, body.workspace_id or (key.workspace_id if key is not None else None))
    owners: list[tuple[Limited, str, str]] = [(workspace, "workspace", workspace.name)]
    if key is not None:
        owners.insert(0, (key, "key", key.name))
    if body.provider is not None:
        owners.extend(_target(view, workspace, body.provider.removeprefix("@")))
    claims = [
        claim
        for owner, scope, name in owners
        for claim in claims_of(
            owner.usage_limits, owner.rate_limits, scope=scope, name=name, created_at=owner.created_at, now=now
        )
    ]
    policies = compile_policies(
        view.all(UsagePolicy, workspace_id=workspace.id), view.all(RatePolicy, workspace_id=workspace.id), now
    )
    scene = _scene(body, key, workspace)
    claims.extend(claim for policy in policies if (claim := policy.claim(scene)) is not None)
    return claims


def _target(view: Reading, workspace: Workspace, slug: str) -> Iterable[tuple[Limited, str, str]]:
    record = view.find(ProviderRecord, slug, workspace_id=workspace.id)
    if record is None:
        return
    yield record, "provider", record.slug
    integration = view.find(Integration, record.integration_id)
    for access in view.all(WorkspaceAccess, integration_id=record.integration_id, workspace_id=workspace.id):
        yield access, "integration", integration.slug if integration is not None else record.slug
    if integration is not None:
        yield integration, "integration", integration.slug


def _scene(body: EvaluationBody, key: ApiKey | None, workspace: Workspace) -> dict[str, str]:
    """Return what is known of the request, by the names that conditions use."""
    own = key.defaults.metadata if key is not None else {}
    metadata = {**(body.metadata or {}), **own, **workspace.defaults.metadata}
    scene = {f"metadata.{name}": value for name, value in metadata.items()}
    scene["workspace_id"], scene["endpoint_type"] = workspace.id, body.endpoint_type
    slug = body.provider.removeprefix("@") if body.provider is not None else None
    known = {"api_key": key.id if key is not None else None, "provider": slug, "virtual_key": slug}
    known |= {"config": body.config, "prompt": body.prompt, "model": body.model}
    if body.model is not None and slug is not None and not body.model.startswith("@"):
        known["model"] = f"@{slug}/{body.model}"
    return scene | {name: value for name, value in known.items() if value is not None}


def _verdict(claim: Claim, usage: Usage | None) -> LimitVerdict:
    limit = claim.limit
    is_budget = isinstance(limit, Budget)
    type: str = "cost" if limit.unit == "nanos" else limit.unit
    mode = "soft" if isinstance(limit, Budget) and limit.is_soft else "hard"
    unit = None
    if not isinstance(limit, Budget):
        unit = "max" if limit.unit == "concurrency" else _LETTERS[limit.window_s]
    is_full = usage is not None and usage.remaining <= 0
    return LimitVerdict(
        id=limit.id,
        scope=limit.scope,
        name=limit.name,
        kind="budget" if is_budget else "rate",
        type=type,
        unit=unit,
        value_key=claim.group or None,
        limit=write_amount(limit.cap, type),
        used=write_amount(usage.used, type) if usage is not None else None,
        reserved=write_amount(usage.reserved, type) if usage is not None else None,
        remaining=write_amount(usage.remaining, type) if usage is not None else None,
        resets_at=_time(usage.resets_at) if usage is not None else None,
        mode=mode,
        verdict="deny" if is_full and mode == "hard" else "allow",
    )


def _time(unix_s: int | None) -> str | None:
    return write_time(datetime.fromtimestamp(unix_s, UTC)) if unix_s is not None else None


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/policies/evaluate",
        access=needs("policies.read"),
        summary="Say which limits a request would fall under, without counting it",
        body=EvaluationBody,
        reply=Evaluation,
        handler=evaluate,
    ),
)
