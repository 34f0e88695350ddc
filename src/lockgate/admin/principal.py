"""Who calls the control plane: the gateway key of the request, and what it may do now.

Source: control-plane specification, sections 0.2 and 7.2.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from lockgate.admin.roles import WorkspaceRole, effective_scopes
from lockgate.entities import Member, Scope, User, Workspace
from lockgate.errors import Forbidden, Unauthenticated
from lockgate.plan.keys import digest_of, is_well_formed
from lockgate.plan.snapshot import GatewayKey, KeyKind, Snapshot
from lockgate.store.reading import Reading

_PLACEHOLDER = "OPENAI_API_KEY"
"""What an SDK puts into Authorization beside the gateway key."""
_REFUSED = "Invalid API key; send a key of this gateway in x-portkey-api-key or as a bearer token"


class Principal(Struct, frozen=True, kw_only=True):
    """Somebody who may do something, at the moment of the call."""

    key: GatewayKey
    scopes: frozenset[str]
    """Of the key; for a person's key as far as the person has them now."""
    organisation_id: str
    workspace: Workspace
    """Where the key belongs; for an organisation's key the workspace that it falls back to."""

    @property
    def kind(self) -> KeyKind:
        """What kind of key it is."""
        return self.key.kind

    @property
    def is_organisations(self) -> bool:
        """Whether the key reaches all workspaces."""
        return self.key.kind == "organisation-service"

    @property
    def scope(self) -> Scope:
        """The part of the store that the caller sees."""
        return Scope(
            organisation_id=self.organisation_id, workspace_id=None if self.is_organisations else self.workspace.id
        )


def find_key(snapshot: Snapshot, headers: Mapping[bytes, bytes], now_s: float) -> GatewayKey:
    """Return the caller's key. Raises Unauthenticated for one that is missing, unknown or expired.

    ``now_s`` is in seconds since 1970.
    """
    text = _key_text(headers)
    key = snapshot.keys.get(digest_of(text)) if text and is_well_formed(text) else None
    if key is None:
        why = snapshot.closed.get(digest_of(text)) if text else None
        raise Unauthenticated(f"The API key {why}; use another one" if why else _REFUSED, wire_code="AB05")
    if key.expires_at is not None and key.expires_at <= now_s:
        raise Unauthenticated("The API key has expired; ask for a new one", wire_code="AB05")
    return key


def identify(view: Reading, key: GatewayKey) -> Principal:
    """Return what a key may do now. Raises Unauthenticated or Forbidden when its person or workspace is gone."""
    workspace = view.find(Workspace, key.workspace)
    if workspace is None:
        raise Forbidden("The workspace of the key is gone; use another key", wire_code="AB03")
    scopes = key.scopes
    if key.kind == "workspace-user":
        scopes = effective_scopes(key.scopes, role_of(view, key, workspace), workspace.security_settings)
    return Principal(key=key, scopes=scopes, organisation_id=workspace.organisation_id, workspace=workspace)


def role_of(view: Reading, key: GatewayKey, workspace: Workspace) -> WorkspaceRole | None:
    """Return the role of a person's key in its workspace: it is read at each call, so who was demoted is weaker at
    once. Raises Unauthenticated when the person is gone."""
    user = view.find(User, key.user) if key.user is not None else None
    if user is None or user.status != "active":
        raise Unauthenticated("The person of this key is gone; use another key", wire_code="AB05")
    if user.role in ("owner", "admin"):
        return "admin"
    member = view.find(Member, user.id, workspace_id=workspace.id)
    return member.role if member is not None else None


def _key_text(headers: Mapping[bytes, bytes]) -> str:
    own = headers.get(b"x-portkey-api-key", b"").decode("latin-1").strip()
    if own:
        return own
    scheme, space, token = headers.get(b"authorization", b"").decode("latin-1").strip().partition(" ")
    if not space:
        text = scheme
    else:
        text = token.strip() if scheme.lower() == "bearer" else ""
    if text and text != _PLACEHOLDER:
        return text
    return headers.get(b"x-api-key", b"").decode("latin-1").strip()
