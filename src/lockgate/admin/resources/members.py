"""``/admin/workspaces/{id}/users``: who is a member of a workspace, and in which role.

Source: control-plane specification, section 1.9.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.people import leave_workspace
from lockgate.admin.roles import scopes_of_role
from lockgate.admin.times import write_time
from lockgate.entities import Member, User, Workspace
from lockgate.errors import Conflict, InvalidRequest, NotFound
from lockgate.store.reading import Reading

Role: TypeAlias = Literal["admin", "manager", "member"]


class NewMember(Struct, frozen=True, kw_only=True):
    """Somebody to be a member."""

    id: Annotated[str, Meta(min_length=1, max_length=255)]
    role: Role = "member"


class MembersBody(Struct, frozen=True, kw_only=True):
    """Users of the organisation that become members."""

    users: Annotated[list[NewMember], Meta(min_length=1, max_length=500)]


class MemberPatch(Struct, frozen=True, kw_only=True):
    """The new role."""

    role: Role


class MemberQuery(PageQuery, frozen=True, kw_only=True):
    """Which members."""

    email: str | None = None
    role: Role | None = None


class MemberView(Struct, frozen=True, kw_only=True):
    """A member of a workspace."""

    id: str
    """The user's."""
    email: str
    first_name: str
    last_name: str
    org_role: str
    role: str
    status: str
    workspace_id: str
    scopes: list[str]
    """What the role may do here."""
    settings: dict[str, str]
    created_at: str
    last_updated_at: str
    object: str = "workspace-user"


def create(call: Call[MembersBody, Nothing]) -> None:
    """Make users members."""
    with call.change() as tx:
        workspace = call.workspace(tx, call.parameters["id"])
        for i, asked in enumerate(call.body.users):
            if tx.find(Member, asked.id, workspace_id=workspace.id) is not None:
                raise Conflict(f"users[{i}]: is a member already; change the role instead", path=f"users[{i}].id")
            try:
                tx.insert(Member(workspace_id=workspace.id, user_id=asked.id, role=asked.role))
            except InvalidRequest:
                raise InvalidRequest(f"users[{i}].id: there is no such user", path=f"users[{i}].id") from None


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """Show a member."""
    with call.view() as view:
        workspace, member, user = _find(call, view)
    return Answer(body=_view(workspace, member, user), version=member.version)


def list_(call: Call[Nothing, MemberQuery]) -> Page[MemberView]:
    """List the members of a workspace."""
    query, page = call.query, window(call.query, default=50)
    with call.view() as view:
        workspace = call.workspace(view, call.parameters["id"])
        filters: dict[str, Any] = {"workspace_id": workspace.id}
        if query.role is not None:
            filters["role"] = query.role
        if query.email is not None:
            filters["user_id"] = [user.id for user in view.all(User, email_key=query.email.casefold())]
        found = view.page(Member, page=page.number, size=page.size, **filters)
        users = {user.id: user for user in view.all(User, id=[member.user_id for member in found.items])}
    data = [_view(workspace, member, users[member.user_id]) for member in found.items if member.user_id in users]
    return Page(total=found.total, data=data)


def update(call: Call[MemberPatch, Nothing]) -> Answer:
    """Give a member another role; it holds for the next call."""
    with call.change() as tx:
        _, member, _ = _find(call, tx)
        version = call.expect(member)
        member = tx.update(msgspec.structs.replace(member, role=call.body.role), expected_version=version)
    return Answer(body=Nothing(), version=member.version)


def delete(call: Call[Nothing, Nothing]) -> None:
    """Remove a member; the person's keys of this workspace end."""
    with call.change() as tx:
        _, member, user = _find(call, tx)
        call.expect(member)
        leave_workspace(tx, member, user)


def _find(call: Call[Any, Nothing], view: Reading) -> tuple[Workspace, Member, User]:
    workspace = call.workspace(view, call.parameters["id"])
    member = view.find(Member, call.parameters["user_id"], workspace_id=workspace.id)
    user = view.find(User, member.user_id) if member is not None else None
    if member is None or user is None:
        raise NotFound("There is no such member of the workspace", path="user_id")
    return workspace, member, user


def _view(workspace: Workspace, member: Member, user: User) -> MemberView:
    return MemberView(
        id=user.id,
        email=user.email,
        first_name=user.first_name,
        last_name=user.last_name,
        org_role=user.role,
        role=member.role,
        status=user.status,
        workspace_id=workspace.id,
        scopes=sorted(scopes_of_role(member.role, workspace.security_settings)),
        settings={},
        created_at=write_time(member.created_at),
        last_updated_at=write_time(member.updated_at),
    )


_PATH = "/admin/workspaces/{id}/users"

ENDPOINTS = (
    Endpoint(
        method="POST",
        path=_PATH,
        access=needs("workspace_users.create", keys=("organisation", "service")),
        summary="Make users members of a workspace",
        body=MembersBody,
        handler=create,
    ),
    Endpoint(
        method="GET",
        path=_PATH,
        access=needs("workspace_users.list", keys=("organisation", "service")),
        summary="List the members of a workspace",
        query=MemberQuery,
        reply=Page[MemberView],
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/{user_id}",
        access=needs("workspace_users.read", keys=("organisation", "service")),
        summary="Show a member of a workspace",
        reply=MemberView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path=_PATH + "/{user_id}",
        access=needs("workspace_users.update", keys=("organisation", "service")),
        summary="Give a member another role",
        body=MemberPatch,
        handler=update,
    ),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{user_id}",
        access=needs("workspace_users.delete", keys=("organisation", "service")),
        summary="Remove a member from a workspace",
        handler=delete,
    ),
)
