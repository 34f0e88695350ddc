"""The estate: all that is stored and active at one revision, from which a snapshot is compiled."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from lockgate.core.secret import Secret
from lockgate.entities.api_key import ApiKey
from lockgate.entities.config import Config, ConfigVersion
from lockgate.entities.integration import Integration, IntegrationModel, WorkspaceAccess
from lockgate.entities.organisation import Organisation
from lockgate.entities.policy import RatePolicy, UsagePolicy
from lockgate.entities.provider_record import ProviderRecord
from lockgate.entities.secret_reference import SecretReference
from lockgate.entities.user import User
from lockgate.entities.workspace import Member, Workspace


class Estate(Struct, frozen=True, kw_only=True):
    """Everything that is not archived, in no promised order. What is disabled is in it, and its ``status`` says so.

    References between entities hold inside an estate, but for ``ApiKey.providers``, which may name a slug that is
    gone.
    """

    revision: int
    """The position in the change feed that this is the state of."""
    organisations: tuple[Organisation, ...] = ()
    workspaces: tuple[Workspace, ...] = ()
    users: tuple[User, ...] = ()
    members: tuple[Member, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()
    integrations: tuple[Integration, ...] = ()
    integration_models: tuple[IntegrationModel, ...] = ()
    workspace_access: tuple[WorkspaceAccess, ...] = ()
    providers: tuple[ProviderRecord, ...] = ()
    configs: tuple[Config, ...] = ()
    config_versions: tuple[ConfigVersion, ...] = ()
    """All versions of the configs."""
    usage_policies: tuple[UsagePolicy, ...] = ()
    rate_policies: tuple[RatePolicy, ...] = ()
    secret_references: tuple[SecretReference, ...] = ()
    secrets: Mapping[tuple[str, str], Secret] = {}
    """What is stored as a secret, by the id of its owner and the field's name in ``secret_fields``."""


EMPTY = Estate(revision=0)
