"""What the store knows about each kind of entity: its table, how it is found, what is unique, what may not change.

This is data. A new aggregate is a Struct in ``entities``, a table, a migration and a row here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct
from sqlalchemy import Table

from lockgate.entities import (
    ApiKey,
    Config,
    Entity,
    Integration,
    IntegrationModel,
    Invite,
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
from lockgate.store import tables

E = TypeVar("E", bound=Entity)

Belonging: TypeAlias = Literal["organisation", "itself", "own", "granted", "shared", "parent", "people"]
"""What somebody who is confined to a workspace sees of a kind, and may write.

- organisation: nothing, but the organisation itself.
- itself: that workspace.
- own: what has its ``workspace_id``.
- granted: the same, but it cannot be written from inside.
- shared: its own, which can be written, and what the organisation shares with it, which cannot.
- parent: as the integration that it belongs to.
- people: the members' users, which cannot be written.
"""


class Link(Struct, frozen=True, kw_only=True):
    """A field that holds the id of another entity, which must exist in the same organisation and be active."""

    field: str
    type: type[Entity]


class Kind(Struct, Generic[E], frozen=True, kw_only=True):
    """What the store knows about one kind of entity."""

    type: type[E]
    table: Table
    resource: str
    """What the change feed and the audit log call it."""
    noun: str
    """What messages call it."""
    columns: tuple[str, ...] = ()
    """Fields that stand in typed columns, beside those of every entity."""
    computed: Mapping[str, Callable[[E], str]] = {}
    """Columns that are made from the entity and are no fields of it."""
    names: tuple[str, ...] = ("id",)
    """The columns by which one is addressed."""
    search: tuple[str, ...] = ()
    """The columns in which a search looks."""
    unique: tuple[str, ...] = ()
    """Of those that are not archived: the columns that together are taken once."""
    also_unique: tuple[str, ...] = ()
    shown_as: Callable[[E], str] = lambda entity: entity.id
    """What messages say to tell it from others."""
    fixed: tuple[str, ...] = ()
    """Fields that cannot be changed."""
    links: tuple[Link, ...] = ()
    workspace: Belonging = "organisation"
    is_kept: bool = True
    """Whether deletion archives it; False: deletes the row."""


_IN_WORKSPACE = Link(field="workspace_id", type=Workspace)
_OF_INTEGRATION = Link(field="integration_id", type=Integration)

ORGANISATION = Kind(
    type=Organisation,
    table=tables.organisations,
    resource="organisation",
    noun="organisation",
    columns=("slug", "name"),
    names=("id", "slug"),
    search=("name", "slug"),
    unique=("slug",),
    shown_as=lambda organisation: organisation.slug,
    fixed=("slug",),
)
WORKSPACE = Kind(
    type=Workspace,
    table=tables.workspaces,
    resource="workspace",
    noun="workspace",
    columns=("slug", "name", "is_default"),
    computed={"name_key": lambda workspace: workspace.name.casefold()},
    names=("id", "slug"),
    search=("name", "slug"),
    unique=("organisation_id", "slug"),
    also_unique=("organisation_id", "name_key"),
    shown_as=lambda workspace: workspace.slug,
    fixed=("slug", "is_default"),
    workspace="itself",
)
USER = Kind(
    type=User,
    table=tables.users,
    resource="user",
    noun="user",
    columns=("email", "role"),
    computed={"email_key": lambda user: user.email.casefold()},
    search=("email",),
    unique=("organisation_id", "email_key"),
    shown_as=lambda user: user.email,
    workspace="people",
)
MEMBER = Kind(
    type=Member,
    table=tables.members,
    resource="member",
    noun="member",
    columns=("workspace_id", "user_id", "role"),
    names=("id", "user_id"),
    unique=("workspace_id", "user_id"),
    shown_as=lambda member: member.user_id,
    fixed=("workspace_id", "user_id"),
    links=(_IN_WORKSPACE, Link(field="user_id", type=User)),
    workspace="own",
    is_kept=False,
)
INVITE = Kind(
    type=Invite,
    table=tables.invites,
    resource="invite",
    noun="invitation",
    columns=("email", "role", "state", "token_digest", "expires_at"),
    computed={"email_key": lambda invite: invite.email.casefold()},
    search=("email",),
    unique=("token_digest",),
    shown_as=lambda invite: invite.email,
)
API_KEY = Kind(
    type=ApiKey,
    table=tables.api_keys,
    resource="api_key",
    noun="API key",
    columns=("kind", "workspace_id", "user_id", "name"),
    search=("name",),
    shown_as=lambda key: key.name,
    fixed=("kind", "workspace_id", "user_id"),
    links=(_IN_WORKSPACE, Link(field="user_id", type=User)),
    workspace="own",
)
INTEGRATION = Kind(
    type=Integration,
    table=tables.integrations,
    resource="integration",
    noun="integration",
    columns=("slug", "name", "provider", "workspace_id", "is_hidden"),
    names=("id", "slug"),
    search=("name", "slug"),
    unique=("organisation_id", "slug"),
    shown_as=lambda integration: integration.slug,
    fixed=("slug", "provider", "workspace_id"),
    links=(_IN_WORKSPACE,),
    workspace="shared",
)
INTEGRATION_MODEL = Kind(
    type=IntegrationModel,
    table=tables.integration_models,
    resource="integration_model",
    noun="model",
    columns=("integration_id", "slug"),
    names=("id", "slug"),
    search=("slug",),
    unique=("integration_id", "slug"),
    shown_as=lambda model: model.slug,
    fixed=("integration_id", "slug"),
    links=(_OF_INTEGRATION,),
    workspace="parent",
    is_kept=False,
)
WORKSPACE_ACCESS = Kind(
    type=WorkspaceAccess,
    table=tables.workspace_access,
    resource="workspace_access",
    noun="workspace access",
    columns=("integration_id", "workspace_id", "is_enabled"),
    unique=("integration_id", "workspace_id"),
    fixed=("integration_id", "workspace_id"),
    links=(_OF_INTEGRATION, _IN_WORKSPACE),
    workspace="granted",
    is_kept=False,
)
PROVIDER = Kind(
    type=ProviderRecord,
    table=tables.providers,
    resource="provider",
    noun="provider",
    columns=("workspace_id", "integration_id", "slug", "name"),
    names=("id", "slug"),
    search=("name", "slug"),
    unique=("workspace_id", "slug"),
    shown_as=lambda provider: provider.slug,
    fixed=("workspace_id", "integration_id", "slug"),
    links=(_IN_WORKSPACE, _OF_INTEGRATION),
    workspace="own",
)
CONFIG = Kind(
    type=Config,
    table=tables.configs,
    resource="config",
    noun="config",
    columns=("workspace_id", "slug", "name"),
    names=("id", "slug"),
    search=("name", "slug"),
    unique=("organisation_id", "slug"),
    shown_as=lambda config: config.slug,
    fixed=("workspace_id", "slug"),
    links=(_IN_WORKSPACE,),
    workspace="own",
)
USAGE_POLICY = Kind(
    type=UsagePolicy,
    table=tables.usage_policies,
    resource="usage_policy",
    noun="usage policy",
    columns=("workspace_id", "name"),
    search=("name",),
    shown_as=lambda policy: policy.name,
    fixed=("workspace_id",),
    links=(_IN_WORKSPACE,),
    workspace="own",
)
RATE_POLICY = Kind(
    type=RatePolicy,
    table=tables.rate_policies,
    resource="rate_policy",
    noun="rate policy",
    columns=("workspace_id", "name"),
    search=("name",),
    shown_as=lambda policy: policy.name,
    fixed=("workspace_id", "target"),
    links=(_IN_WORKSPACE,),
    workspace="own",
)
SECRET_REFERENCE = Kind(
    type=SecretReference,
    table=tables.secret_references,
    resource="secret_reference",
    noun="secret reference",
    columns=("slug", "name", "manager"),
    names=("id", "slug"),
    search=("name", "slug"),
    unique=("organisation_id", "slug"),
    shown_as=lambda reference: reference.slug,
    fixed=("slug",),
)

KINDS: tuple[Kind[Any], ...] = (
    ORGANISATION,
    WORKSPACE,
    USER,
    MEMBER,
    INVITE,
    API_KEY,
    INTEGRATION,
    INTEGRATION_MODEL,
    WORKSPACE_ACCESS,
    PROVIDER,
    CONFIG,
    USAGE_POLICY,
    RATE_POLICY,
    SECRET_REFERENCE,
)
"""In an order in which what is linked to comes first."""

_BY_TYPE: Mapping[type[Entity], Kind[Any]] = {kind.type: kind for kind in KINDS}
COMMON = ("id", "organisation_id", "status", "version", "created_at", "updated_at", "archived_at")
"""The columns of every entity."""


def kind_of(type: type[E]) -> Kind[E]:
    """Return what is known about a type of entity."""
    return _BY_TYPE[type]
