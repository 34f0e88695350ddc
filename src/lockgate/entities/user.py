"""Users of an organisation, and invitations to become one."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from lockgate.entities.entity import Entity
from lockgate.entities.limits import RateLimit, UsageLimit
from lockgate.entities.workspace import WorkspaceRole

OrganisationRole: TypeAlias = Literal["owner", "admin", "member"]


class User(Entity, frozen=True, kw_only=True):
    """A person. The email is unique in the organisation, whatever its case; the last owner stays one."""

    email: str
    first_name: str = ""
    last_name: str = ""
    role: OrganisationRole = "member"
    password_hash: str | None = None
    """In the text form of argon2id."""
    sso_subject: str | None = None
    usage_limits: tuple[UsageLimit, ...] = ()
    """Over all the user's keys together."""
    rate_limits: tuple[RateLimit, ...] = ()


class InviteWorkspace(Struct, frozen=True, kw_only=True):
    """A workspace that an invited person will be a member of."""

    workspace_id: str
    role: WorkspaceRole = "member"


class Invite(Entity, frozen=True, kw_only=True):
    """An invitation. Its link holds a token of which only the digest is stored."""

    email: str
    role: OrganisationRole = "member"
    workspaces: tuple[InviteWorkspace, ...] = ()
    key_scopes: tuple[str, ...] | None = None
    """Scopes of the user key that is made in each workspace when the invitation is accepted; None: no key."""
    token_digest: str
    """SHA-256 of the link's token, in hex."""
    state: Literal["pending", "accepted", "cancelled"] = "pending"
    expires_at: datetime
    """From this time on a pending invitation is expired."""
    accepted_at: datetime | None = None
    invited_by: str | None = None
    """The id of the user or key."""
