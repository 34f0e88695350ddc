"""Who refers to whom: what keeps a thing from being deleted, and what goes with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from lockgate.entities import (
    ApiKey,
    Config,
    Entity,
    Integration,
    IntegrationModel,
    Member,
    Organisation,
    ProviderRecord,
    RatePolicy,
    SecretReference,
    UsagePolicy,
    User,
    Workspace,
    WorkspaceAccess,
)
from lockgate.errors import Conflict, InvalidRequest
from lockgate.store.checks import check_other_owner
from lockgate.store.kinds import kind_of
from lockgate.store.reading import Reading

_SHOWN = 5


class Reference(Struct, frozen=True, kw_only=True):
    """Something that refers to an entity."""

    resource: str
    """As in the audit log: ``api_key``."""
    noun: str
    """For people: "API key"."""
    id: str
    name: str
    how: str
    """contains: it is inside of it; uses: it names it."""


def references_to(view: Reading, entity: Entity) -> tuple[Reference, ...]:
    """Return what would break, or be lost, if the entity were deleted."""
    match entity:
        case Workspace():
            inside = (
                *view.all(ProviderRecord, workspace_id=entity.id),
                *view.all(ApiKey, workspace_id=entity.id),
                *view.all(Config, workspace_id=entity.id),
            )
            return tuple(_reference(found, "contains") for found in inside)
        case ProviderRecord():
            keys = [one for one in view.all(ApiKey, workspace_id=entity.workspace_id) if entity.slug in one.providers]
            named = view.all(Config, workspace_id=entity.workspace_id)
            configs = [one for one in named if entity.slug in one.providers]
            policies = [one for one in _policies(view, entity.workspace_id) if _names(one, entity.slug)]
            return tuple(_reference(user, "uses") for user in (*keys, *configs, *policies))
        case Config():
            return tuple(_reference(user, "uses") for user in _users_of_config(view, entity))
        case Integration():
            providers = view.all(ProviderRecord, integration_id=entity.id)
            return tuple(reference for provider in providers for reference in references_to(view, provider))
        case SecretReference():
            found = view.all(Integration, organisation_id=entity.organisation_id)
            return tuple(
                _reference(integration, "uses")
                for integration in found
                if any(
                    mapping.secret_reference_id in (entity.id, entity.slug) for mapping in integration.secret_mappings
                )
            )
        case _:
            return ()


def check_deletion(view: Reading, entity: Entity, *, force: bool) -> None:
    """Refuse to delete what is needed. ``force`` overrides references, and nothing else. Raises Conflict."""
    match entity:
        case Organisation():
            raise Conflict("an organisation cannot be deleted")
        case Workspace(is_default=True):
            raise Conflict(f"Workspace {entity.slug!r} is the default one, which cannot be deleted")
        case User(role="owner"):
            check_other_owner(view, entity)
        case _:
            pass
    if force:
        return
    found = references_to(view, entity)
    if not found:
        return
    kind = kind_of(type(entity))
    noun = kind.noun[0].upper() + kind.noun[1:]
    message = f"{noun} {kind.shown_as(entity)!r} {_told(found)}; change or delete what is named first, or force it"
    if isinstance(entity, SecretReference):
        raise InvalidRequest(message)
    raise Conflict(message)


def goes_with(view: Reading, entity: Entity) -> tuple[Entity, ...]:
    """Return what is deleted together with an entity, in order."""
    match entity:
        case Workspace():
            return (
                *view.all(ApiKey, workspace_id=entity.id),
                *view.all(Config, workspace_id=entity.id),
                *view.all(ProviderRecord, workspace_id=entity.id),
                *view.all(Integration, workspace_id=entity.id),
                *view.all(WorkspaceAccess, workspace_id=entity.id),
                *view.all(Member, workspace_id=entity.id),
                *view.all(UsagePolicy, workspace_id=entity.id),
                *view.all(RatePolicy, workspace_id=entity.id),
            )
        case Integration():
            return (
                *view.all(ProviderRecord, integration_id=entity.id),
                *view.all(WorkspaceAccess, integration_id=entity.id),
                *view.all(IntegrationModel, integration_id=entity.id),
            )
        case User():
            return (*view.all(ApiKey, user_id=entity.id), *view.all(Member, user_id=entity.id))
        case _:
            return ()


def _users_of_config(view: Reading, config: Config) -> Iterator[Entity]:
    """Yield whose default a config is, in any version."""
    for key in view.all(ApiKey, organisation_id=config.organisation_id):
        if is_named(config, key.defaults.config_id):
            yield key
    for workspace in view.all(Workspace, organisation_id=config.organisation_id):
        defaults = workspace.defaults
        if is_named(config, defaults.config_id) or is_named(config, defaults.user_api_key_config):
            yield workspace
    organisation = view.get(Organisation, config.organisation_id)
    if is_named(config, organisation.defaults.config_id):
        yield organisation


def is_named(config: Config, name: str | None) -> bool:
    """Tell whether a name means a config: its id or slug, with or without ``@`` and a version."""
    return name is not None and name.partition("@")[0] in (config.id, config.slug)


def _reference(entity: Entity, how: str) -> Reference:
    kind = kind_of(type(entity))
    return Reference(resource=kind.resource, noun=kind.noun, id=entity.id, name=kind.shown_as(entity), how=how)


def _told(found: tuple[Reference, ...]) -> str:
    """Return "still contains 3 providers and 1 API key", or "is still used by the API keys 'a' and 'b'"."""
    counts = Counter(reference.noun for reference in found)
    if found[0].how == "contains":
        return f"still contains {_list([f'{n} {_plural(noun, n)}' for noun, n in counts.items()])}"
    return f"is still used by {_list([_users(noun, found) for noun in counts])}"


def _users(noun: str, found: tuple[Reference, ...]) -> str:
    names = [repr(reference.name) for reference in found if reference.noun == noun]
    shown = names[:_SHOWN]
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more")
    return f"the {_plural(noun, len(names))} {_list(shown)}"


def _list(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _plural(noun: str, count: int) -> str:
    if count == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"


def _policies(view: Reading, workspace_id: str) -> tuple[UsagePolicy | RatePolicy, ...]:
    return (*view.all(UsagePolicy, workspace_id=workspace_id), *view.all(RatePolicy, workspace_id=workspace_id))


def _names(policy: UsagePolicy | RatePolicy, slug: str) -> bool:
    """Tell whether a policy's conditions name a provider: by itself, or in front of a model."""
    for condition in policy.conditions:
        if condition.key in ("provider", "virtual_key") and any(v.removeprefix("@") == slug for v in condition.values):
            return True
        if condition.key == "model" and any(v.startswith(f"@{slug}/") for v in condition.values):
            return True
    return False
