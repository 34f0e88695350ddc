"""``/admin/users/invites``: how people come into the organisation. A link is told once, of its token a digest stays.

Source: control-plane specification, sections 1.9 and 2.2.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from lockgate.admin.access import PUBLIC, needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Answer, Endpoint, Nothing, Streamed
from lockgate.admin.issuing import check_grant, issue, read_scopes
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.people import Email
from lockgate.admin.times import write_time, write_time_or_none
from lockgate.entities import ApiKey, Invite, InviteWorkspace, Member, User, Workspace
from lockgate.errors import Conflict, NotFound
from lockgate.store.reading import Reading
from lockgate.store.transaction import Transaction

State: TypeAlias = Literal["pending", "accepted", "cancelled", "expired"]

LIFE = timedelta(days=7)
_TOKEN_BYTES = 32
_PAGE_HEADERS = ((b"content-security-policy", b"default-src 'none'"), (b"referrer-policy", b"no-referrer"))


class InvitedTo(Struct, frozen=True, kw_only=True):
    """A workspace, and the role in it."""

    id: Annotated[str, Meta(min_length=1, max_length=255)]
    role: Literal["admin", "manager", "member"] = "member"


class KeyDetails(Struct, frozen=True, kw_only=True):
    """The key that the person gets in each workspace."""

    scopes: list[str]


class InviteBody(Struct, frozen=True, kw_only=True):
    """Somebody to be invited."""

    email: Email
    role: Literal["admin", "member"] = "member"
    workspaces: Annotated[list[InvitedTo], Meta(max_length=100)] | None = None
    workspace_api_key_details: KeyDetails | None = None


class InviteQuery(PageQuery, frozen=True, kw_only=True):
    """Which invitations."""

    email: str | None = None
    role: Literal["admin", "member"] | None = None
    status: State | None = None


class AcceptBody(Struct, frozen=True, kw_only=True):
    """What the invited person says of itself."""

    token: Annotated[str, Meta(min_length=1, max_length=255)]
    first_name: Annotated[str, Meta(max_length=100)] = ""
    last_name: Annotated[str, Meta(max_length=100)] = ""


class InviteLink(Struct, frozen=True, kw_only=True):
    """The link, under both names by which clients look for it. It is told this once."""

    id: str
    invite_link: str
    inviteLink: str  # noqa: N815  # the wire's own name


class InviteView(Struct, frozen=True, kw_only=True):
    """An invitation, without its link."""

    id: str
    email: str
    role: str
    status: State
    workspaces: list[InvitedTo]
    invited_by: str | None
    created_at: str
    expires_at: str
    accepted_at: str | None
    object: str = "invite"


class NewKey(Struct, frozen=True, kw_only=True):
    """A key of the person, with its text, which is told this once."""

    id: str
    workspace_id: str
    key: str


class Accepted(Struct, frozen=True, kw_only=True):
    """The new user."""

    user_id: str
    email: str
    api_keys: list[NewKey]
    object: str = "user"


def create(call: Call[InviteBody, Nothing]) -> InviteLink:
    """Invite somebody by email."""
    body = call.body
    scopes = None
    if body.workspace_api_key_details is not None:
        scopes = read_scopes(body.workspace_api_key_details.scopes, "workspace-user")
        check_grant(call.principal, scopes)
    token, digest = _new_token()
    with call.change() as tx:
        places = tuple(
            InviteWorkspace(workspace_id=call.workspace(tx, place.id, f"workspaces[{i}].id").id, role=place.role)
            for i, place in enumerate(body.workspaces or ())
        )
        invite = tx.insert(
            Invite(
                email=body.email,
                role=body.role,
                workspaces=places,
                key_scopes=scopes,
                token_digest=digest,
                expires_at=call.now + LIFE,
                invited_by=call.actor().id,
            )
        )
    return _link(call, invite, token)


def resend(call: Call[Nothing, Nothing]) -> InviteLink:
    """Make a new link for an invitation; the old one ends."""
    token, digest = _new_token()
    with call.change() as tx:
        invite = _find(call, tx)
        version = call.expect(invite)
        if invite.state != "pending":
            raise Conflict(f"The invitation is {invite.state}; make a new one")
        changed = msgspec.structs.replace(invite, token_digest=digest, expires_at=call.now + LIFE)
        invite = tx.update(changed, expected_version=version)
    return _link(call, invite, token)


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """Show an invitation."""
    with call.view() as view:
        invite = _find(call, view)
    return Answer(body=_view(invite, call.now), version=invite.version)


def list_(call: Call[Nothing, InviteQuery]) -> Page[InviteView]:
    """List invitations."""
    query, page = call.query, window(call.query)
    filters: dict[str, Any] = {}
    if query.email is not None:
        filters["email_key"] = query.email.casefold()
    if query.role is not None:
        filters["role"] = query.role
    found: Sequence[Invite]
    with call.view() as view:
        if query.status in ("pending", "expired"):
            # which of the two it is depends on the time
            pending = view.all(Invite, state="pending", **filters)
            matching = [invite for invite in pending if _state(invite, call.now) == query.status]
            first = page.number * page.size
            found, total = matching[first : first + page.size], len(matching)
        else:
            if query.status is not None:
                filters["state"] = query.status
            listed = view.page(Invite, page=page.number, size=page.size, **filters)
            found, total = listed.items, listed.total
    return Page(total=total, data=[_view(invite, call.now) for invite in found])


def delete(call: Call[Nothing, Nothing]) -> None:
    """Cancel an invitation: its link ends."""
    with call.change() as tx:
        invite = _find(call, tx)
        version = call.expect(invite)
        if invite.state == "accepted":
            raise Conflict("The invitation is accepted; remove the user instead")
        tx.update(msgspec.structs.replace(invite, state="cancelled"), expected_version=version)


def accept(call: Call[AcceptBody, Nothing]) -> Accepted:
    """Become a user by the token of a link, with memberships and keys as the invitation says."""
    body = call.body
    digest = _digest(body.token)
    with call.change() as tx:
        found = tx.all(Invite, token_digest=digest)
        if not found or _state(found[0], call.now) != "pending":
            raise NotFound("There is no such invitation, or it has ended; ask for a new one", path="token")
        invite = found[0]
        user = tx.insert(
            User(
                organisation_id=invite.organisation_id,
                email=invite.email,
                first_name=body.first_name,
                last_name=body.last_name,
                role=invite.role,
            )
        )
        keys = [key for place in invite.workspaces if (key := _join(tx, invite, place, user, call.now))]
        tx.update(msgspec.structs.replace(invite, state="accepted", accepted_at=call.now))
    return Accepted(user_id=user.id, email=user.email, api_keys=keys)


def show_page(call: Call[Nothing, Nothing]) -> Streamed:
    """Show the person who opens a link what it is for, and how to accept."""
    token = call.parameters["token"]
    with call.services.directory.read() as view:
        found = view.all(Invite, token_digest=_digest(token))
        if not found or _state(found[0], call.now) != "pending":
            raise NotFound("There is no such invitation, or it has ended; ask for a new one", path="token")
        names = [place.name for to in found[0].workspaces if (place := view.find(Workspace, to.workspace_id))]
    page = _page(found[0], names, f"{call.public_url()}/v1/admin/users/invites/accept", token)
    return Streamed(content_type=b"text/html; charset=utf-8", chunks=_once(page.encode()), headers=_PAGE_HEADERS)


def _page(invite: Invite, names: Sequence[str], url: str, token: str) -> str:
    body = f'{{"token": "{token}", "first_name": "...", "last_name": "..."}}'
    command = f"curl {url} -H 'content-type: application/json' -d '{body}'"
    places = f", with access to {', '.join(names)}" if names else ""
    told = "It answers with your API keys, which are shown this once." if invite.key_scopes is not None else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Invitation to Lockgate</title>'
        f"<h1>Invitation to Lockgate</h1><p>{escape(invite.email)} is invited as {invite.role}{escape(places)}, until "
        f"{write_time(invite.expires_at)}.</p><p>Whoever has this link can accept it: put in a name and run</p>"
        f"<pre>{escape(command)}</pre><p>{told}</p></html>\n"
    )


async def _once(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


def _join(tx: Transaction, invite: Invite, place: InviteWorkspace, user: User, now: datetime) -> NewKey | None:
    """Make the user a member of a workspace that is still there, and give the key that the invitation promises."""
    workspace = tx.find(Workspace, place.workspace_id)
    if workspace is None:
        return None
    organisation_id = invite.organisation_id
    tx.insert(Member(organisation_id=organisation_id, workspace_id=workspace.id, user_id=user.id, role=place.role))
    if invite.key_scopes is None:
        return None
    text, stored = issue(now)
    key = tx.insert(
        ApiKey(
            organisation_id=organisation_id,
            workspace_id=workspace.id,
            user_id=user.id,
            name=user.email[:64],
            kind="workspace-user",
            scopes=invite.key_scopes,
            texts=(stored,),
            creation_mode="auto",
        )
    )
    return NewKey(id=key.id, workspace_id=workspace.id, key=text)


def _new_token() -> tuple[str, str]:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    return token, _digest(token)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _link(call: Call[Any, Nothing], invite: Invite, token: str) -> InviteLink:
    link = f"{call.public_url()}/invite/{token}"
    return InviteLink(id=invite.id, invite_link=link, inviteLink=link)


def _find(call: Call[Nothing, Nothing], view: Reading) -> Invite:
    invite = view.find(Invite, call.parameters["id"])
    if invite is None:
        raise NotFound("There is no such invitation", path="id")
    return invite


def _state(invite: Invite, now: datetime) -> State:
    return "expired" if invite.state == "pending" and invite.expires_at <= now else invite.state


def _view(invite: Invite, now: datetime) -> InviteView:
    return InviteView(
        id=invite.id,
        email=invite.email,
        role=invite.role,
        status=_state(invite, now),
        workspaces=[InvitedTo(id=place.workspace_id, role=place.role) for place in invite.workspaces],
        invited_by=invite.invited_by,
        created_at=write_time(invite.created_at),
        expires_at=write_time(invite.expires_at),
        accepted_at=write_time_or_none(invite.accepted_at),
    )


_PATH = "/admin/users/invites"

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/invite/{token}",
        access=PUBLIC,
        summary="Show a person who opens an invitation's link how to accept it",
        handler=show_page,
        mounts=("",),
    ),
    Endpoint(
        method="POST",
        path=_PATH,
        access=needs("organisation_users.create", keys=("organisation",)),
        summary="Invite somebody, and tell the link, this once",
        body=InviteBody,
        reply=InviteLink,
        handler=create,
    ),
    Endpoint(
        method="GET",
        path=_PATH,
        access=needs("organisation_users.list", keys=("organisation",)),
        summary="List invitations",
        query=InviteQuery,
        reply=Page[InviteView],
        handler=list_,
    ),
    Endpoint(
        method="POST",
        path=_PATH + "/accept",
        access=PUBLIC,
        summary="Become a user by the token of an invitation's link",
        body=AcceptBody,
        reply=Accepted,
        handler=accept,
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/{id}",
        access=needs("organisation_users.read", keys=("organisation",)),
        summary="Show an invitation",
        reply=InviteView,
        handler=retrieve,
    ),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{id}",
        access=needs("organisation_users.delete", keys=("organisation",)),
        summary="Cancel an invitation",
        handler=delete,
    ),
    Endpoint(
        method="POST",
        path=_PATH + "/{id}/resend",
        access=needs("organisation_users.create", "organisation_users.update", keys=("organisation",)),
        summary="Make a new link for an invitation",
        reply=InviteLink,
        handler=resend,
    ),
)
