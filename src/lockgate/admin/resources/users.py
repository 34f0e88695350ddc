"""``/admin/users``: the people of the organisation.

Source: control-plane specification, sections 1.9, 2.2 and 7.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.changes import given
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.times import write_time
from lockgate.entities import Member, User
from lockgate.errors import NotFound
from lockgate.store.reading import Reading


class UserPatch(Struct, frozen=True, kw_only=True):
    """What changes in a user."""

    role: Literal["admin", "member"] | UnsetType = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET
    """Whoever is disabled can do nothing, and stays in the lists."""


class UserQuery(PageQuery, frozen=True, kw_only=True):
    """Which users."""

    email: str | None = None
    role: Literal["owner", "admin", "member"] | None = None


class UserView(Struct, frozen=True, kw_only=True):
    """A user."""

    id: str
    email: str
    first_name: str
    last_name: str
    role: str
    status: str
    workspace_ids: list[str]
    created_at: str
    last_updated_at: str
    object: str = "user"


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """Show a user."""
    with call.view() as view:
        user = _find(call, view)
        return Answer(body=_views(view, [user])[0], version=user.version)


def list_(call: Call[Nothing, UserQuery]) -> Page[UserView]:
    """List the users of the organisation."""
    query, page = call.query, window(call.query)
    filters: dict[str, Any] = {}
    if query.email is not None:
        filters["email_key"] = query.email.casefold()
    if query.role is not None:
        filters["role"] = query.role
    with call.view() as view:
        found = view.page(User, page=page.number, size=page.size, **filters)
        return Page(total=found.total, data=_views(view, found.items))


def update(call: Call[UserPatch, Nothing]) -> Answer:
    """Change a user's role in the organisation, or let the user rest."""
    body = call.body
    with call.change() as tx:
        user = _find(call, tx)
        version = call.expect(user)
        changed = msgspec.structs.replace(
            user, role=given(body.role, user.role), status=given(body.status, user.status)
        )
        user = tx.update(changed, expected_version=version)
    return Answer(body=Nothing(), version=user.version)


def delete(call: Call[Nothing, Nothing]) -> None:
    """Remove a user, and with the user the memberships and keys."""
    with call.change() as tx:
        user = _find(call, tx)
        tx.archive(user, expected_version=call.expect(user))


def _find(call: Call[Any, Nothing], view: Reading) -> User:
    user = view.find(User, call.parameters["id"])
    if user is None:
        raise NotFound("There is no such user", path="id")
    return user


def _views(view: Reading, users: Sequence[User]) -> list[UserView]:
    places: dict[str, list[str]] = {user.id: [] for user in users}
    for member in view.all(Member, user_id=list(places)):
        places[member.user_id].append(member.workspace_id)
    return [
        UserView(
            id=user.id,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            role=user.role,
            status=user.status,
            workspace_ids=sorted(places[user.id]),
            created_at=write_time(user.created_at),
            last_updated_at=write_time(user.updated_at),
        )
        for user in users
    ]


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/admin/users",
        access=needs("organisation_users.list", keys=("organisation",)),
        summary="List the users of the organisation",
        query=UserQuery,
        reply=Page[UserView],
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path="/admin/users/{id}",
        access=needs("organisation_users.read", keys=("organisation",)),
        summary="Show a user",
        reply=UserView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path="/admin/users/{id}",
        access=needs("organisation_users.update", keys=("organisation",)),
        summary="Change a user's role in the organisation",
        body=UserPatch,
        handler=update,
    ),
    Endpoint(
        method="DELETE",
        path="/admin/users/{id}",
        access=needs("organisation_users.delete", keys=("organisation",)),
        summary="Remove a user from the organisation",
        handler=delete,
    ),
)
