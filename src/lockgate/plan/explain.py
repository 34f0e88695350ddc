"""What a config would do with a request that is only described: the decisions of a real one, and nothing is sent.

Circuits count as closed and nobody sticks to a target: what other requests did is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct

from lockgate.config.routes import ConfigRules, read_reference
from lockgate.core.body import model_name, peek
from lockgate.core.json_text import object_keys
from lockgate.core.metadata import NO_METADATA, Metadata, clean, merge, read_baggage, read_metadata
from lockgate.core.secret import Secret
from lockgate.errors import GatewayError, InvalidRequest, NotFound
from lockgate.plan.resolve import Signals, choose_target
from lockgate.plan.snapshot import GatewayKey, Snapshot, Workspace
from lockgate.routing.explain import USUAL_STATUSES, Choice, Target, WhatIf, explain
from lockgate.routing.inline import InlineConfigs
from lockgate.routing.machine import Call, begin
from lockgate.routing.outcome import Outcome, outcome_of
from lockgate.routing.scene import Scene, read_timeout_ms
from lockgate.routing.shaping import shape_body
from lockgate.routing.tree import Leaf, Routes, leaves

CHAT = "/v1/chat/completions"


class Described(Struct, frozen=True, kw_only=True):
    """A request as somebody describes it."""

    path: str = CHAT
    headers: Mapping[str, str] = {}
    """By lower-case name."""
    metadata: Metadata = NO_METADATA
    """Beside what the headers say."""
    body: bytes = b"{}"
    roll: float = 0.0
    """What the dice show, from 0 to below 1."""


class ServedBy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who would serve the chosen target."""

    provider: str | None = None
    slug: str | None = None
    model: str | None = None
    """As it is sent to the provider."""
    problem: str | None = None
    """Why nobody would: what the client would be told, or what leads to the next target."""


class Explained(Struct, frozen=True, kw_only=True):
    """What a config would do."""

    config: str
    """The slug; of a config that is not saved a hash of what it says."""
    version: int | None
    """Of a saved one; 0: the configuration file holds it."""
    target: Target | None
    """None: no target could be chosen; ``refusal`` says why."""
    served_by: ServedBy | None
    choices: tuple[Choice, ...]
    """Why this target, from the root on."""
    what_if: tuple[WhatIf, ...]
    """What comes next when every try ends in the same way."""
    refusal: str | None
    missing_providers: tuple[str, ...]
    """Targets that name a provider record which is not there, each with the slug."""
    warnings: tuple[str, ...]
    object: str = "explanation"


def find_routes(text: str, workspace: Workspace, rules: ConfigRules) -> Routes:
    """Return a config: JSON text, or the slug of a saved one. Raises InvalidConfig, InvalidRequest or NotFound."""
    reference = read_reference(text)
    if reference is None:
        raise InvalidRequest("config: is empty; give a config or the slug of one", path="config")
    if reference.text is not None:
        return InlineConfigs(rules).compile(reference.text)
    found = workspace.configs.get(reference.id or "")
    if found is None:
        known = ", ".join(sorted(workspace.configs)) or "none"
        raise NotFound(f"There is no config {text[:100]!r} in this workspace; saved here: {known}")
    if isinstance(found, str):
        raise InvalidRequest(f"The config {text!r} cannot be used: {found}", path="config")
    return found


def explain_request(
    snapshot: Snapshot,
    workspace: Workspace,
    key: GatewayKey | None,
    routes: Routes,
    described: Described,
    statuses: Sequence[int] = USUAL_STATUSES,
) -> Explained:
    """Tell. Raises InvalidRequest for a body that is no JSON object."""
    peek(described.body)
    scene = _scene(snapshot, workspace, key, routes, described)
    first = begin(routes, scene)
    served = _served_by(snapshot, key, first.leaf, described) if isinstance(first, Call) else None
    told = explain(routes, scene, statuses, lambda leaf: _refusal_of(snapshot, key, leaf, described))
    return Explained(
        config=routes.id,
        version=routes.version,
        target=told.target,
        served_by=served,
        choices=told.choices,
        what_if=told.what_if,
        refusal=told.refusal,
        warnings=tuple(str(fault) for fault in told.warnings),
        missing_providers=missing_records(routes, workspace),
    )


def missing_records(routes: Routes, workspace: Workspace) -> tuple[str, ...]:
    """Return the targets, with what they name, that name a provider record which is not there."""
    return tuple(
        f"{leaf.path}: @{leaf.pin.slug}"
        for leaf in leaves(routes.root)
        if leaf.pin.slug is not None and leaf.pin.slug not in workspace.targets
    )


def _scene(
    snapshot: Snapshot, workspace: Workspace, key: GatewayKey | None, routes: Routes, described: Described
) -> Scene:
    headers = described.headers
    said = merge(described.metadata, read_metadata(headers.get("x-portkey-metadata")).values)
    operators = merge(workspace.metadata, key.metadata if key is not None else NO_METADATA)
    promoted = clean({name.decode(): headers.get(name.decode()) for name in snapshot.metadata_headers}).values
    params: Mapping[str, Raw] = object_keys(described.body)
    return Scene(
        path=described.path,
        roll=lambda: described.roll,
        metadata=merge(operators, said, read_baggage(headers.get("baggage")), promoted, routes.metadata),
        params=params,
        headers=headers,
        tenant=workspace.id,
        timeout_ms=read_timeout_ms(headers.get("x-portkey-request-timeout", "")),
    )


def _served_by(snapshot: Snapshot, key: GatewayKey | None, leaf: Leaf, described: Described) -> ServedBy:
    model = None
    try:
        model = _model(leaf, described)
        choice = choose_target(snapshot, key, _signals(leaf, described, model), leaf.pin)
    except GatewayError as error:
        return ServedBy(model=model, problem=error.message)
    return ServedBy(provider=choice.target.provider.name, slug=choice.target.slug, model=choice.model)


def _refusal_of(snapshot: Snapshot, key: GatewayKey | None, leaf: Leaf, described: Described) -> Outcome | None:
    """Return how a target ends that no provider is asked for."""
    try:
        choose_target(snapshot, key, _signals(leaf, described, _model(leaf, described)), leaf.pin)
    except GatewayError as error:
        return outcome_of(error, is_sent=False)
    return None


def _model(leaf: Leaf, described: Described) -> str | None:
    return model_name(peek(shape_body(described.body, leaf.shaping).body))


def _signals(leaf: Leaf, described: Described, model: str | None) -> Signals:
    headers = described.headers
    credential = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key")
    return Signals(
        model=model,
        provider=headers.get("x-portkey-provider"),
        virtual_key=headers.get("x-portkey-virtual-key"),
        credential=Secret(credential) if credential else None,
        has_custom_host=leaf.custom_host is not None or "x-portkey-custom-host" in headers,
    )


def described_of(
    *,
    path: str = CHAT,
    headers: Mapping[str, str] | None = None,
    metadata: Metadata = NO_METADATA,
    body: bytes | None = None,
    model: str | None = None,
    roll: float = 0.0,
) -> Described:
    """Put a description together. ``model`` goes into a body that names none."""
    data = body if body is not None else b"{}"
    fields = object_keys(data)
    if model is not None and "model" not in fields:
        data = msgspec.json.encode({**fields, "model": model})
    named = {name.strip().lower(): value.strip() for name, value in (headers or {}).items()}
    return Described(path=path, headers=named, metadata=metadata, body=data, roll=roll)
