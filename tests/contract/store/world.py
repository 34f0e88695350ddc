"""What the tests of the store start from."""

from __future__ import annotations

import base64
import hashlib

from msgspec import Struct

from lockgate.core.secret import Secret
from lockgate.entities import (
    Actor,
    ApiKey,
    Integration,
    KeyText,
    Organisation,
    ProviderRecord,
    Scope,
    Workspace,
    WorkspaceAccess,
)

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_MASTER_KEY = base64.b64encode(bytes(range(1, 33))).decode()
ENVIRONMENT = {"LOCKGATE_MASTER_KEY": MASTER_KEY}
CANARY = "sk-ant-canary-0123456789-abcdefghijk"


class World(Struct, frozen=True):
    """Two organisations; a and b are workspaces of the first, z is the other's."""

    acme: Organisation
    zeta: Organisation
    a: Workspace
    b: Workspace
    z: Workspace
    main: Integration
    """The organisation's, shared with a."""
    private: Integration
    """Of workspace b alone."""
    foreign: Integration
    in_a: ProviderRecord
    in_b: ProviderRecord
    in_z: ProviderRecord

    @property
    def everywhere(self) -> Scope:
        return Scope(organisation_id=self.acme.id)

    @property
    def inside_a(self) -> Scope:
        return Scope(organisation_id=self.acme.id, workspace_id=self.a.id)

    @property
    def inside_b(self) -> Scope:
        return Scope(organisation_id=self.acme.id, workspace_id=self.b.id)

    @property
    def admin(self) -> Actor:
        return Actor(kind="user", id="user-1", scope=self.everywhere)

    @property
    def of_a(self) -> Actor:
        return Actor(kind="api_key", id="key-a", scope=self.inside_a)


def build(tx) -> World:
    acme = tx.insert(Organisation(name="Acme", slug="acme"))
    zeta = tx.insert(Organisation(name="Zeta", slug="zeta"))
    a = tx.insert(Workspace(organisation_id=acme.id, name="Alpha", slug="ws-alpha", is_default=True))
    b = tx.insert(Workspace(organisation_id=acme.id, name="Beta", slug="ws-beta"))
    z = tx.insert(Workspace(organisation_id=zeta.id, name="Alpha", slug="ws-alpha", is_default=True))
    main = tx.insert(integration(acme, "main"), secrets={"key": Secret(CANARY)})
    private = tx.insert(integration(acme, "private", workspace_id=b.id), secrets={"key": Secret(CANARY)})
    foreign = tx.insert(integration(zeta, "main"), secrets={"key": Secret(CANARY)})
    for workspace, shared in ((a, main), (z, foreign)):
        tx.insert(
            WorkspaceAccess(
                organisation_id=workspace.organisation_id, workspace_id=workspace.id, integration_id=shared.id
            )
        )
    in_a = tx.insert(provider(a, main, "claude"))
    in_b = tx.insert(provider(b, private, "claude"))
    in_z = tx.insert(provider(z, foreign, "claude"))
    return World(acme, zeta, a, b, z, main, private, foreign, in_a, in_b, in_z)


def integration(organisation, slug, **more) -> Integration:
    return Integration(organisation_id=organisation.id, name=slug.title(), slug=slug, provider="anthropic", **more)


def provider(workspace, to, slug, **more) -> ProviderRecord:
    return ProviderRecord(
        organisation_id=workspace.organisation_id,
        workspace_id=workspace.id,
        integration_id=to.id,
        slug=slug,
        name=slug.title(),
        **more,
    )


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def api_key(workspace, name, text, *, now, **more) -> ApiKey:
    return ApiKey(
        organisation_id=workspace.organisation_id,
        workspace_id=workspace.id,
        name=name,
        kind=more.pop("kind", "workspace-service"),
        texts=(KeyText(digest=digest(text), mask="gk_*****xyz", created_at=now),),
        **more,
    )
