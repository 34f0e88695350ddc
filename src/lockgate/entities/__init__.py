"""What the control plane keeps: immutable Structs, one module for each aggregate. Nothing here reads or writes."""

from __future__ import annotations

from lockgate.entities.api_key import ApiKey, KeyDefaults, KeyKind, KeyText, RotationPolicy
from lockgate.entities.audit import AuditAction, AuditEntry
from lockgate.entities.config import Config, ConfigVersion
from lockgate.entities.entity import EVERYTHING, NEVER, NULL, SYSTEM, Actor, Entity, Scope, Status
from lockgate.entities.estate import Estate
from lockgate.entities.integration import GlobalAccess, Integration, IntegrationModel, SecretMapping, WorkspaceAccess
from lockgate.entities.limits import NANOS_PER_DOLLAR, RateLimit, ResetAnchor, UsageLimit
from lockgate.entities.organisation import Organisation, OrganisationDefaults
from lockgate.entities.policy import Condition, RatePolicy, UsagePolicy
from lockgate.entities.provider_record import ProviderRecord
from lockgate.entities.recording import RecordingChoice
from lockgate.entities.secret_reference import SecretReference
from lockgate.entities.user import Invite, InviteWorkspace, OrganisationRole, User
from lockgate.entities.workspace import Member, Workspace, WorkspaceDefaults, WorkspaceRole

__all__ = [
    "EVERYTHING",
    "NANOS_PER_DOLLAR",
    "NEVER",
    "NULL",
    "SYSTEM",
    "Actor",
    "ApiKey",
    "AuditAction",
    "AuditEntry",
    "Condition",
    "Config",
    "ConfigVersion",
    "Entity",
    "Estate",
    "GlobalAccess",
    "Integration",
    "IntegrationModel",
    "Invite",
    "InviteWorkspace",
    "KeyDefaults",
    "KeyKind",
    "KeyText",
    "Member",
    "Organisation",
    "OrganisationDefaults",
    "OrganisationRole",
    "ProviderRecord",
    "RateLimit",
    "RatePolicy",
    "RecordingChoice",
    "ResetAnchor",
    "RotationPolicy",
    "Scope",
    "SecretMapping",
    "SecretReference",
    "Status",
    "UsageLimit",
    "UsagePolicy",
    "User",
    "Workspace",
    "WorkspaceAccess",
    "WorkspaceDefaults",
    "WorkspaceRole",
]
