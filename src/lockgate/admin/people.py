"""People: their addresses, and what happens to a person's things when the person leaves a workspace."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from lockgate.entities import ApiKey, Member, User
from lockgate.store.transaction import Transaction

Email: TypeAlias = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)]


def leave_workspace(tx: Transaction, member: Member, user: User) -> None:
    """Remove a member; the person's keys of that workspace open nothing any more, unless an admin stays one."""
    tx.archive(member)
    if user.role == "member":
        archive_keys(tx, user, member.workspace_id)


def archive_keys(tx: Transaction, user: User, workspace_id: str) -> None:
    """Delete a person's keys of a workspace."""
    for key in tx.all(ApiKey, user_id=user.id, workspace_id=workspace_id):
        tx.archive(key)
