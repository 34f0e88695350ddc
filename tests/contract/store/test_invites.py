from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from lockgate.entities import Invite, InviteWorkspace, User
from lockgate.errors import Conflict, InvalidRequest
from tests.contract.store.world import digest


def invite(tx, email, token, **more):
    return tx.insert(Invite(email=email, token_digest=digest(token), expires_at=tx.now + timedelta(days=7), **more))


def test_users_and_invited_people_are_not_invited_again(directory, world):
    with directory.change(world.admin) as tx:
        tx.insert(User(email="User@x.y"))
        with pytest.raises(Conflict, match="is a user of this organisation"):
            invite(tx, "uSER@x.y", "t1")
        first = invite(tx, "New@x.y", "t2")
        with pytest.raises(Conflict, match="is invited already"):
            invite(tx, "new@X.Y", "t3")
        tx.update(msgspec.structs.replace(first, token_digest=digest("t4")))
        tx.update(msgspec.structs.replace(tx.get(Invite, first.id), state="cancelled"))
        invite(tx, "new@x.y", "t5")


def test_another_organisation_may_invite_the_same_person(directory, world):
    with directory.change() as tx:
        for number, organisation in enumerate((world.acme, world.zeta)):
            invite(tx, "new@x.y", f"t{number}", organisation_id=organisation.id)


def test_an_invitation_to_a_foreign_workspace_is_refused(directory, world):
    with pytest.raises(InvalidRequest, match="no workspace"), directory.change(world.admin) as tx:
        invite(tx, "new@x.y", "t", workspaces=(InviteWorkspace(workspace_id=world.z.id),))


def test_two_invitations_never_share_a_token(directory, world):
    with pytest.raises(Conflict, match="such a"), directory.change(world.admin) as tx:
        invite(tx, "a@x.y", "t")
        invite(tx, "b@x.y", "t")
