"""What must be done so that what there is becomes what a document says: one step for each thing that differs.

A step is told as a difference, and done by calls of the API's own operations, so that nothing can be had by a document
that could not be had without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from lockgate.admin.state.document import (
    StateAccess,
    StateConfig,
    StateDocument,
    StateIntegration,
    StateKey,
    StateProvider,
    StateRatePolicy,
    StateSecretReference,
    StateUsagePolicy,
    StateWorkspace,
    plain,
)
from lockgate.admin.state.normal import shown_exactly
from lockgate.errors import Conflict, InvalidRequest

Action: TypeAlias = Literal["create", "update", "delete"]
Name: TypeAlias = tuple[str, ...]
"""By what an entry of a part is known."""
Ids: TypeAlias = Mapping[tuple[str, Name], str]
"""Ids of what there is, by part and name."""


class Operation(Struct, frozen=True):
    """A call of the API."""

    method: str
    path: str
    body: Mapping[str, Any]


class Change(Struct, frozen=True, kw_only=True):
    """What changes in a field."""

    before: Any
    after: Any


class Step(Struct, frozen=True, kw_only=True):
    """One thing that differs."""

    action: Action
    part: str
    name: str
    changes: dict[str, Change]
    operations: list[Operation]


class Part(Struct, frozen=True, kw_only=True):
    """How one part of the document is made so."""

    name: str
    known_by: Callable[[Any], Name]
    create: Callable[[Any], Iterator[Operation]]
    update: Callable[[Any, Any, str], Iterator[Operation]]
    """From what there is, what shall be, and the id of it."""
    delete: Callable[[Any, str, bool], Iterator[Operation]]
    """Of what there is, with its id; the last says whether what others name goes too."""
    fixed: tuple[str, ...] = ()
    """Fields that cannot change."""


def entries(document: StateDocument, part: Part) -> dict[Name, Any]:
    """Return the entries of a part by name. Raises InvalidRequest for a name that stands there twice."""
    found: dict[Name, Any] = {}
    for i, entry in enumerate(getattr(document, part.name) or ()):
        name = part.known_by(entry)
        if name in found:
            path = f"{part.name}[{i}]"
            raise InvalidRequest(f"{path}: {shown(name)} stands there twice", path=path)
        found[name] = entry
    return found


def found_by_id(wanted: Mapping[Name, Any], part: Part, ids: Ids) -> dict[Name, Any]:
    """Return entries by the names under which ``ids`` has them: an entry with an id is of that one, whatever its name.

    Raises InvalidRequest for an id that is not there, Conflict for a name without an id that several have.
    """
    names = {id: name for (of, name), id in ids.items() if of == part.name}
    found: dict[Name, Any] = {}
    for given, entry in wanted.items():
        name, id = given, getattr(entry, _SAYS_WHICH, None)
        if id is not None:
            if id not in names:
                raise InvalidRequest(f"{part.name} {shown(given)}: there is none with this id; without it one is made")
            name = names[id]
        elif several := sorted(
            other[-1] for other in names.values() if len(other) > len(given) and given == other[:-1]
        ):
            raise Conflict(
                f"{part.name} {shown(given)}: {len(several)} have this name; say which one with "
                f"{_SAYS_WHICH}: {' or '.join(several)}"
            )
        if name in found:
            raise InvalidRequest(f"{part.name} {shown(name)} stands there twice")
        found[name] = entry
    return found


def part_of(name: str) -> Part:
    """Return a part by its name."""
    return next(part for part in PARTS if part.name == name)


def name_of(entry: StateKey | StateUsagePolicy | StateRatePolicy) -> Name:
    """Return by what an entry is known that may have its name together with others."""
    name = (entry.workspace or "", entry.name)
    return name if entry.id is None else (*name, entry.id)


def shown(name: Name) -> str:
    """Return a name for people."""
    return "/".join(each for each in name if each)


def create_step(part: Part, name: Name, wanted: Any) -> Step:
    """Return the step that makes something."""
    fields = shown_exactly(_builtins(plain(wanted)))
    changes = {field: Change(before=None, after=value) for field, value in fields.items()}
    return Step(
        action="create", part=part.name, name=shown(name), changes=changes, operations=list(part.create(wanted))
    )


def update_step(part: Part, name: Name, current: Any, wanted: Any, id: str) -> Step | None:
    """Return the step that changes something, None when nothing differs. Raises Conflict for what cannot change."""
    changes = differences(current, wanted)
    if not changes:
        return None
    for field in part.fixed:
        if field in changes:
            raise Conflict(f"{part.name} {shown(name)}: {field} cannot be changed; delete it and make it anew")
    operations = list(part.update(current, wanted, id))
    return Step(action="update", part=part.name, name=shown(name), changes=changes, operations=operations)


def delete_step(part: Part, name: Name, current: Any, id: str, *, force: bool) -> Step:
    """Return the step that deletes something."""
    operations = list(part.delete(current, id, force))
    return Step(action="delete", part=part.name, name=shown(name), changes={}, operations=operations)


_MAY_STAY = ("key", "config")
"""What a document need not name, as it may be secret."""
_SAYS_WHICH = "id"
"""What says which thing an entry is about, and nothing of it."""


def differences(current: Any, wanted: Any) -> dict[str, Change]:
    """Return the fields that differ. A credential, or a config's text, that is not named is no difference."""
    before, after = shown_exactly(_builtins(current)), shown_exactly(_builtins(wanted))
    found = {}
    for name in after:
        if name == _SAYS_WHICH or (name in _MAY_STAY and after[name] is None):
            continue
        if before.get(name) != after[name]:
            found[name] = Change(before=_shown(current, name), after=_shown(wanted, name))
    return found


def _shown(entry: Any, name: str) -> Any:
    """Return a field as it is written, without what has its default."""
    return shown_exactly(plain(getattr(entry, name)))


def _builtins(value: Any) -> Any:
    return msgspec.to_builtins(value, builtin_types=(Decimal,))


def _body(entry: Any, **changed: Any) -> dict[str, Any]:
    body: dict[str, Any] = {**_builtins(entry), **changed}
    return body


# ---- workspaces


def _make_workspace(wanted: StateWorkspace) -> Iterator[Operation]:
    yield Operation("POST", "/v1/admin/workspaces", _body(wanted))


def _change_workspace(current: StateWorkspace, wanted: StateWorkspace, id: str) -> Iterator[Operation]:
    path = f"/v1/admin/workspaces/{id}"
    gone = {
        name: None
        for name in ("settings", "security_settings")
        if set(getattr(current, name)) - set(getattr(wanted, name))
    }
    if gone:
        yield Operation("PUT", path, gone)
    yield Operation("PUT", path, _body(wanted))


def _drop_workspace(current: StateWorkspace, id: str, force: bool) -> Iterator[Operation]:
    yield Operation("DELETE", f"/v1/admin/workspaces/{id}", {"name": current.name, "force_delete": force})


# ---- integrations

_OF_INTEGRATION = (
    "name description configurations secret_mappings pricing_adjustments tags usage_limits rate_limits".split()
)


def _make_integration(wanted: StateIntegration) -> Iterator[Operation]:
    body = {name: value for name, value in _body(wanted).items() if name in _OF_INTEGRATION}
    body |= {
        "slug": wanted.slug,
        "ai_provider_id": wanted.ai_provider_id,
        "workspace_id": wanted.workspace,
        "key": wanted.key,
        "create_default_provider": False,
    }
    yield Operation("POST", "/v1/integrations", body)
    path = f"/v1/integrations/{wanted.slug}"
    if wanted.status != "active":
        yield Operation("PUT", path, {"status": wanted.status})
    empty = StateIntegration(slug=wanted.slug, name=wanted.name, ai_provider_id=wanted.ai_provider_id)
    yield from _change_models(empty, wanted, path)
    yield from _change_access(empty, wanted, path)


def _change_integration(current: StateIntegration, wanted: StateIntegration, id: str) -> Iterator[Operation]:
    path = f"/v1/integrations/{id}"
    changed = differences(current, wanted)
    if any(name in changed for name in (*_OF_INTEGRATION, "status", "key")):
        body = {name: value for name, value in _body(wanted).items() if name in (*_OF_INTEGRATION, "status")}
        gone = set(current.configurations) - set(wanted.configurations)
        body["configurations"] = {**dict.fromkeys(gone), **wanted.configurations}
        if "key" in changed:
            body["key"] = wanted.key
        yield Operation("PUT", path, body)
    yield from _change_models(current, wanted, path)
    yield from _change_access(current, wanted, path)


def _change_models(current: StateIntegration, wanted: StateIntegration, path: str) -> Iterator[Operation]:
    before = {each.slug: each for each in current.models}
    after = {each.slug: each for each in wanted.models}
    gone = [slug for slug in before if slug not in after]
    if gone:
        yield Operation("DELETE", f"{path}/models", {"models": gone})
    changed = []
    for slug, model in after.items():
        old = before.get(slug)
        if old is None or differences(old, model):
            lost = set(old.configurations) - set(model.configurations) if old is not None else set()
            changed.append(_body(model, configurations={**dict.fromkeys(lost), **model.configurations}))
    if changed or current.allow_all_models != wanted.allow_all_models:
        yield Operation("PUT", f"{path}/models", {"allow_all_models": wanted.allow_all_models, "models": changed})


def _change_access(current: StateIntegration, wanted: StateIntegration, path: str) -> Iterator[Operation]:
    before = {each.workspace: each for each in current.workspaces}
    after = {each.workspace: each for each in wanted.workspaces}
    for name, old in before.items():
        if name not in after and old.enabled:
            after[name] = StateAccess(workspace=name, enabled=False)
    changed = [
        {**_body(each), "id": name}
        for name, each in after.items()
        if name not in before or differences(before[name], each)
    ]
    body: dict[str, Any] = {"create_default_provider": False}
    if differences(current.global_workspace_access, wanted.global_workspace_access):
        body["global_workspace_access"] = _body(wanted.global_workspace_access)
    if changed:
        body["workspaces"] = changed
    if len(body) > 1:
        yield Operation("PUT", f"{path}/workspaces", body)


def _drop_integration(current: StateIntegration, id: str, force: bool) -> Iterator[Operation]:
    yield Operation("DELETE", f"/v1/integrations/{id}", {"force_delete": force})


# ---- secret references

_REFERENCES = "/v1/secret-references"


def _reference(wanted: StateSecretReference) -> dict[str, Any]:
    body = _body(wanted, allow_all_workspaces=wanted.allowed_workspaces is None)
    if wanted.allowed_workspaces is None:
        del body["allowed_workspaces"]
    return body


def _make_reference(wanted: StateSecretReference) -> Iterator[Operation]:
    yield Operation("POST", _REFERENCES, _reference(wanted))


def _change_reference(current: StateSecretReference, wanted: StateSecretReference, id: str) -> Iterator[Operation]:
    gone = set(current.auth_config) - set(wanted.auth_config)
    body = _reference(wanted) | {"auth_config": {**dict.fromkeys(gone), **wanted.auth_config}}
    yield Operation("PUT", f"{_REFERENCES}/{id}", body)


# ---- configs


def _make_config(wanted: StateConfig) -> Iterator[Operation]:
    if wanted.config is None:
        path = f"configs {wanted.slug}.config"
        raise InvalidRequest(
            f"{path}: is missing; only of a config that is there already it may be left out", path=path
        )
    yield Operation("POST", "/v1/configs", _body(wanted, workspace_id=wanted.workspace))


def _change_config(current: StateConfig, wanted: StateConfig, id: str) -> Iterator[Operation]:
    body = _body(wanted)
    if wanted.config is None:
        del body["config"]
    yield Operation("PUT", f"/v1/configs/{id}", body)


# ---- providers


def _make_provider(wanted: StateProvider) -> Iterator[Operation]:
    place = {"workspace_id": wanted.workspace}
    yield Operation("POST", "/v1/providers", _body(wanted, integration_id=wanted.integration, **place))
    if wanted.status != "active":
        yield Operation("PUT", f"/v1/providers/{wanted.slug}", {"status": wanted.status, **place})


def _change_provider(current: StateProvider, wanted: StateProvider, id: str) -> Iterator[Operation]:
    body = _body(wanted, workspace_id=wanted.workspace)
    if current.expires_at == wanted.expires_at:
        del body["expires_at"]
    yield Operation("PUT", f"/v1/providers/{id}", body)


def _drop_provider(current: StateProvider, id: str, force: bool) -> Iterator[Operation]:
    body = {"workspace_id": current.workspace, "force_delete": force}
    yield Operation("DELETE", f"/v1/providers/{id}", body)


# ---- keys


def _make_key(wanted: StateKey) -> Iterator[Operation]:
    level = "workspace" if wanted.workspace is not None else "organisation"
    yield Operation("POST", f"/v1/api-keys/{level}/service", _body(wanted, workspace_id=wanted.workspace))


def _change_key(current: StateKey, wanted: StateKey, id: str) -> Iterator[Operation]:
    body = _body(wanted)
    if current.expires_at == wanted.expires_at:
        del body["expires_at"]
    yield Operation("PUT", f"/v1/api-keys/{id}", body)


def _drop_key(current: StateKey, id: str, force: bool) -> Iterator[Operation]:
    yield Operation("DELETE", f"/v1/api-keys/{id}", {})


# ---- policies

_USAGE, _RATE = "/v1/policies/usage-limits", "/v1/policies/rate-limits"


def _policy(entry: StateUsagePolicy | StateRatePolicy) -> dict[str, Any]:
    return _body(entry, workspace_id=entry.workspace)


def _make_usage_policy(wanted: StateUsagePolicy) -> Iterator[Operation]:
    yield Operation("POST", _USAGE, _policy(wanted))


def _change_usage_policy(current: StateUsagePolicy, wanted: StateUsagePolicy, id: str) -> Iterator[Operation]:
    yield Operation("PUT", f"{_USAGE}/{id}", _policy(wanted))


def _make_rate_policy(wanted: StateRatePolicy) -> Iterator[Operation]:
    yield Operation("POST", _RATE, _policy(wanted))


def _change_rate_policy(current: StateRatePolicy, wanted: StateRatePolicy, id: str) -> Iterator[Operation]:
    yield Operation("PUT", f"{_RATE}/{id}", _policy(wanted))


PARTS: Sequence[Part] = (
    Part(
        name="workspaces",
        known_by=lambda entry: (entry.slug,),
        create=_make_workspace,
        update=_change_workspace,
        delete=_drop_workspace,
    ),
    Part(
        name="secret_references",
        known_by=lambda entry: (entry.slug,),
        create=_make_reference,
        update=_change_reference,
        delete=lambda entry, id, force: iter([Operation("DELETE", f"{_REFERENCES}/{id}", {})]),
        fixed=("manager_type",),
    ),
    Part(
        name="integrations",
        known_by=lambda entry: (entry.slug,),
        create=_make_integration,
        update=_change_integration,
        delete=_drop_integration,
        fixed=("ai_provider_id", "workspace"),
    ),
    Part(
        name="providers",
        known_by=lambda entry: (entry.workspace, entry.slug),
        create=_make_provider,
        update=_change_provider,
        delete=_drop_provider,
        fixed=("integration",),
    ),
    Part(
        name="configs",
        known_by=lambda entry: (entry.slug,),
        create=_make_config,
        update=_change_config,
        delete=lambda entry, id, force: iter([Operation("DELETE", f"/v1/configs/{id}", {})]),
        fixed=("workspace",),
    ),
    Part(
        name="keys",
        known_by=name_of,
        create=_make_key,
        update=_change_key,
        delete=_drop_key,
        fixed=("workspace",),
    ),
    Part(
        name="usage_policies",
        known_by=name_of,
        create=_make_usage_policy,
        update=_change_usage_policy,
        delete=lambda entry, id, force: iter([Operation("DELETE", f"{_USAGE}/{id}", {})]),
        fixed=(
            "workspace",
            "type",
            "group_by",
            "effective_from",
            "on_unpriced",
            "on_outage",
            "alert_thresholds",
            "note",
        ),
    ),
    Part(
        name="rate_policies",
        known_by=name_of,
        create=_make_rate_policy,
        update=_change_rate_policy,
        delete=lambda entry, id, force: iter([Operation("DELETE", f"{_RATE}/{id}", {})]),
        fixed=("workspace", "type", "group_by", "target", "on_outage"),
    ),
)
"""In the order in which they are made; they are deleted in the other one."""
