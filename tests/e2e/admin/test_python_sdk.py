"""Every method of the unmodified Python SDK for these resources, sync and async, with its typed fields filled."""

from __future__ import annotations

import asyncio
import operator

import pytest
from portkey_ai import AsyncPortkey, Portkey
from portkey_ai.api_resources import exceptions
from portkey_ai.api_resources.types.api_keys_type import ApiKeyAddResponse, ApiKeyGetResponse, ApiKeyListResponse
from portkey_ai.api_resources.types.user_invite_type import (
    UserInviteResponse,
    UserInviteRetrieveAllResponse,
    UserInviteRetrieveResponse,
    UserRetrieveAllResponse,
    UserRetrieveResponse,
    WorkspaceMemberGetResponse,
    WorkspacesAddResponse,
    WorkspacesGetResponse,
    WorkspacesListResponse,
    WorkspacesUpdateResponse,
)

from lockgate.entities import User


class Sync:
    """Calls methods of the SDK by their names."""

    def __init__(self, base_url, key):
        self.options = {"api_key": key, "base_url": base_url}

    def __call__(self, name, /, **arguments):
        with Portkey(**self.options) as client:
            return operator.attrgetter(name)(client)(**arguments)


class Async:
    """The same with the asynchronous SDK."""

    def __init__(self, base_url, key):
        self.options = {"api_key": key, "base_url": base_url}

    def __call__(self, name, /, **arguments):
        async def call():
            async with AsyncPortkey(**self.options) as client:
                return await operator.attrgetter(MISPLACED.get(name, name))(client)(**arguments)

        return asyncio.run(call())


MISPLACED = {"admin.users.invites.resend": "admin.users.resend"}
"""Where the asynchronous SDK has a method elsewhere than the synchronous one."""


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def sdk(request, base_url, plane):
    return lambda key="admin": request.param(base_url, plane.texts.get(key, key))


@pytest.fixture
def ann(plane):
    with plane.directory.change() as tx:
        return tx.insert(User(organisation_id=plane.organisation.id, email="ann@example.org", first_name="Ann"))


def assert_filled(answer, kind, *, empty=()):
    """The SDK made the class it promises, and each field that it types has a value, but for those that may be empty."""
    assert type(answer) is kind
    missing = {name for name in type(answer).model_fields if getattr(answer, name) is None}
    assert missing == set(empty)


def assert_done(answer):
    """The answer is an empty object, which the SDK turned into its generic class."""
    assert answer.model_dump(exclude_none=True) == {}


def test_api_keys(sdk, plane):
    plane.save_config("pc-1")
    call = sdk()
    made = call(
        "api_keys.create",
        type="workspace",
        sub_type="service",
        name="billing-bot",
        description="sends invoices",
        workspace_id=plane.home.slug,
        scopes=["completions.write", "logs.view"],
        rate_limits=[{"type": "requests", "unit": "rpm", "value": 120}],
        usage_limits={"type": "cost", "credit_limit": 40, "alert_threshold": 30, "periodic_reset": "monthly"},
        defaults={"metadata": {"team": "billing", "dropped": ""}, "config_id": "pc-1"},
        expires_at="2027-01-01T00:00:00Z",
        alert_emails=["ops@example.org"],
    )
    assert_filled(made, ApiKeyAddResponse)
    assert made.get_headers()["request-id"]
    shown = call("api_keys.retrieve", id=made.id)
    assert_filled(shown, ApiKeyGetResponse, empty={"user_id", "reset_usage"})
    assert (shown.type, shown.status, shown.creation_mode) == ("workspace-service", "active", "api")
    assert shown.defaults["metadata"] == {"team": "billing"}
    assert shown.usage["remaining"] == 40
    listed = call("api_keys.list", workspace_id=plane.home.id, page_size=10, current_page=0)
    assert_filled(listed, ApiKeyListResponse)
    assert {key["name"] for key in listed.data} >= {"billing-bot", "service"}
    assert_done(call("api_keys.update", id=made.id, name="robot", usage_limits=None, reset_usage=True))
    shown = call("api_keys.retrieve", id=made.id)
    assert (shown.name, shown.usage_limits, shown.description) == ("robot", None, "sends invoices")
    assert_done(call("api_keys.delete", id=made.id))
    with pytest.raises(exceptions.NotFoundError):
        call("api_keys.retrieve", id=made.id)


def test_an_api_key_without_a_sub_type_as_documented(sdk):
    call = sdk()
    made = call("api_keys.create", type="organisation", name="admin two", scopes=["logs.view"])
    assert call("api_keys.retrieve", id=made.id).type == "organisation-service"


def test_a_key_of_a_person(sdk, plane):
    call = sdk()
    made = call("api_keys.create", type="workspace", sub_type="user", name="kim", user_id=plane.person.id)
    shown = call("api_keys.retrieve", id=made.id)
    assert_filled(shown, ApiKeyGetResponse, empty={"description", "reset_usage", "usage_limits"})
    assert shown.user_id == plane.person.id


def test_a_new_key_opens_at_once_and_rotates(sdk):
    made = sdk()("api_keys.create", type="workspace", sub_type="service", name="bot")
    assert sdk(made.key)("get", path="/me").json()["id"] == made.id
    rotated = sdk()("post", url=f"/api-keys/{made.id}/rotate", key_transition_period_ms=1_800_000)
    assert sdk(rotated.key)("get", path="/me").json()["id"] == made.id


def test_users(sdk, plane, ann):
    call = sdk()
    shown = call("admin.users.retrieve", user_id=plane.person.id)
    assert_filled(shown, UserRetrieveResponse)
    listed = call("admin.users.list", page_size=10, current_page=0)
    assert_filled(listed, UserRetrieveAllResponse)
    assert {user.email for user in listed.data} == {"ann@example.org", "kim@example.org", "owner@example.org"}
    assert call("admin.users.list", email="nobody@example.org").data == []
    assert [user.email for user in call("admin.users.list", role="owner").data] == ["owner@example.org"]
    assert_done(call("admin.users.update", user_id=ann.id, role="admin"))
    assert call("admin.users.retrieve", user_id=ann.id).role == "admin"
    assert_done(call("admin.users.delete", user_id=ann.id))
    with pytest.raises(exceptions.NotFoundError):
        call("admin.users.retrieve", user_id=ann.id)


def test_invites(sdk, plane):
    call = sdk()
    made = call(
        "admin.users.invites.create",
        email="new@example.org",
        role="member",
        workspaces=[{"id": plane.other.slug, "role": "manager"}],
        workspace_api_key_details={"scopes": ["completions.write"]},
    )
    assert_filled(made, UserInviteResponse)
    shown = call("admin.users.invites.retrieve", invite_id=made.id)
    assert_filled(shown, UserInviteRetrieveResponse, empty={"accepted_at"})
    listed = call("admin.users.invites.list", page_size=10, status="pending")
    assert_filled(listed, UserInviteRetrieveAllResponse)
    assert [invite.id for invite in listed.data] == [made.id]
    assert call("admin.users.invites.list", status="expired").data == []
    again = call("admin.users.invites.resend", invite_id=made.id)
    assert again.inviteLink == again.invite_link != made.invite_link
    assert_done(call("admin.users.invites.delete", invite_id=made.id))
    assert call("admin.users.invites.retrieve", invite_id=made.id).status == "cancelled"


def test_workspaces(sdk, plane):
    call = sdk()
    made = call(
        "admin.workspaces.create",
        name="Billing",
        description="invoices",
        defaults={"metadata": {"team": "billing"}},
        users=[plane.person.id],
    )
    assert_filled(made, WorkspacesAddResponse)
    assert made.users[0]["email"] == "kim@example.org"
    shown = call("admin.workspaces.retrieve", workspace_id=made.slug)
    assert_filled(shown, WorkspacesGetResponse)
    listed = call("admin.workspaces.list", name="Bill", page_size=10, current_page=0)
    assert_filled(listed, WorkspacesListResponse)
    assert [workspace.id for workspace in listed.data] == [made.id]
    assert_filled(listed.data[0], WorkspacesGetResponse)
    assert call("admin.workspaces.list", exact_name="Nothing").data == []
    changed = call("admin.workspaces.update", workspace_id=made.id, name="Money", defaults={"metadata": {"team": "m"}})
    assert_filled(changed, WorkspacesUpdateResponse)
    assert (changed.name, changed.defaults["metadata"], changed.description) == ("Money", {"team": "m"}, "invoices")
    with pytest.raises(exceptions.BadRequestError):
        call("admin.workspaces.delete", workspace_id=made.id, name="money")
    assert_done(call("admin.workspaces.delete", workspace_id=made.id, name="Money"))
    with pytest.raises(exceptions.PermissionDeniedError):
        call("admin.workspaces.retrieve", workspace_id=made.id)


@pytest.mark.parametrize("key", ["admin", "service"])
def test_workspace_members(sdk, plane, ann, key):
    call, where = sdk(key), {"workspace_id": plane.home.slug}
    assert_done(call("admin.workspaces.users.create", users=[{"id": ann.id, "role": "manager"}], **where))
    shown = call("admin.workspaces.users.retrieve", user_id=ann.id, **where)
    assert_filled(shown, WorkspaceMemberGetResponse)
    listed = call("admin.workspaces.users.list", role="manager", page_size=10, **where)
    assert (listed.total, listed.data[0]["email"]) == (1, "ann@example.org")
    assert_done(call("admin.workspaces.users.update", user_id=ann.id, role="member", **where))
    assert call("admin.workspaces.users.retrieve", user_id=ann.id, **where).role == "member"
    assert_done(call("admin.workspaces.users.delete", user_id=ann.id, **where))
    with pytest.raises(exceptions.NotFoundError):
        call("admin.workspaces.users.retrieve", user_id=ann.id, **where)


def test_what_has_no_method_is_reached_by_the_generic_verbs(sdk):
    call = sdk()
    made = call("post", url="/policies/usage-limits", name="p", credit_limit=5, group_by=[{"key": "metadata._user"}])
    assert call("get", path=f"/policies/usage-limits/{made.id}").json()["credit_limit"] == 5
    call("put", path=f"/policies/usage-limits/{made.id}", body={"credit_limit": 6})
    assert call("get", path="/policies/usage-limits").json()["data"][0]["credit_limit"] == 6
    call("delete", path=f"/policies/usage-limits/{made.id}")
    assert call("get", path="/policies/usage-limits").json()["data"] == []


@pytest.mark.parametrize(
    "key, call, error",
    [
        ("gk_wrong", {"name": "api_keys.list"}, exceptions.AuthenticationError),
        ("user", {"name": "api_keys.list"}, exceptions.PermissionDeniedError),
        ("admin", {"name": "api_keys.retrieve", "id": "nothing"}, exceptions.NotFoundError),
        ("admin", {"name": "api_keys.create", "type": "workspace", "sub_type": "service"}, exceptions.BadRequestError),
    ],
)
def test_refusals_raise_what_the_sdk_has_for_them(sdk, key, call, error):
    with pytest.raises(error) as caught:
        sdk(key)(call["name"], **{name: value for name, value in call.items() if name != "name"})
    assert "gk_wrong" not in str(caught.value)


def test_a_taken_name_is_a_conflict(sdk, plane):
    with pytest.raises(exceptions.ConflictError):
        sdk()("admin.workspaces.create", name=plane.home.name)
