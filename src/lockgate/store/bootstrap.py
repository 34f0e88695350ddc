"""What an empty database gets at the first start, and what comes over from the state folder of earlier versions."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lockgate.core.secret import Secret
from lockgate.entities import ApiKey, KeyText, Organisation, User, Workspace
from lockgate.entities.secret_fields import mask
from lockgate.store.api_keys import issue_key
from lockgate.store.directory import Directory
from lockgate.store.state import StateFolder
from lockgate.store.transaction import Transaction

WORKSPACE_NAME = "Shared Team Workspace"
_ORGANISATION = Organisation(name="Organisation", slug="organisation")


class FirstStart(Struct, frozen=True, kw_only=True):
    """What the first start should make beside the organisation, its owner and its workspace."""

    service_scopes: tuple[str, ...]
    """Scopes of the key that calls models, and of keys that earlier versions made."""
    admin_scopes: tuple[str, ...]
    """Scopes of the key that administers the organisation."""
    makes_service_key: bool = True
    """False when there is a key already, from the environment or the configuration."""
    makes_admin_key: bool = True
    owner_email: str = "owner@localhost"


class Begun(Struct, frozen=True, kw_only=True):
    """Where requests belong that name no workspace, and the keys that were made, to be shown once."""

    organisation_id: str
    workspace_id: str
    service_key: Secret | None = None
    admin_key: Secret | None = None


def begin(directory: Directory, wanted: FirstStart, folder: StateFolder | None = None) -> Begun:
    """Make what is missing. Processes may call it at once and at each start: each thing is made once.

    Keys of ``keys.json`` are taken over and keep opening. A key is made only where there never was one of its kind.
    """
    stored = folder.stored_keys() if folder is not None else ()
    with directory.change() as tx:
        organisations = sorted(tx.all(Organisation), key=lambda one: one.created_at)
        organisation = organisations[0] if organisations else tx.insert(_ORGANISATION)
        id = organisation.id
        if not tx.count(User, organisation_id=id, with_archived=True):
            tx.insert(User(organisation_id=id, email=wanted.owner_email, role="owner"))
        workspace = _default_workspace(tx, id)
        for old in stored:
            _take_over(tx, workspace, wanted, name=old.name, digest=old.sha256.lower())
        service = _service_key(tx, workspace, wanted) if wanted.makes_service_key else None
        admin = _admin_key(tx, id, wanted) if wanted.makes_admin_key else None
    if folder is not None:
        folder.retire_keys()
    return Begun(organisation_id=id, workspace_id=workspace.id, service_key=service, admin_key=admin)


def _default_workspace(tx: Transaction, organisation_id: str) -> Workspace:
    found = tx.all(Workspace, organisation_id=organisation_id, is_default=True)
    if found:
        return found[0]
    return tx.insert(
        Workspace(
            organisation_id=organisation_id,
            name=WORKSPACE_NAME,
            slug="ws-shared",
            is_default=True,
            creation_source="auto",
        )
    )


def _take_over(tx: Transaction, workspace: Workspace, wanted: FirstStart, *, name: str, digest: str) -> None:
    """Store a key of which only the digest is known, unless it was taken over before."""
    keys = tx.all(ApiKey, organisation_id=workspace.organisation_id, with_archived=True)
    if any(text.digest == digest for key in keys for text in key.texts):
        return
    text = KeyText(digest=digest, mask=mask(""), created_at=tx.now)
    key = _blank_service_key(workspace, name, wanted)
    tx.insert(msgspec.structs.replace(key, texts=(text,)), action="import")


def _service_key(tx: Transaction, workspace: Workspace, wanted: FirstStart) -> Secret | None:
    if tx.count(ApiKey, organisation_id=workspace.organisation_id, kind="workspace-service", with_archived=True):
        return None
    return issue_key(tx, _blank_service_key(workspace, "first", wanted)).text


def _blank_service_key(workspace: Workspace, name: str, wanted: FirstStart) -> ApiKey:
    return ApiKey(
        organisation_id=workspace.organisation_id,
        workspace_id=workspace.id,
        name=name[:64],
        kind="workspace-service",
        scopes=wanted.service_scopes,
        creation_mode="auto",
    )


def _admin_key(tx: Transaction, organisation_id: str, wanted: FirstStart) -> Secret | None:
    if tx.count(ApiKey, organisation_id=organisation_id, kind="organisation-service", with_archived=True):
        return None
    key = ApiKey(
        organisation_id=organisation_id,
        name="admin",
        kind="organisation-service",
        scopes=wanted.admin_scopes,
        creation_mode="auto",
    )
    return issue_key(tx, key).text
