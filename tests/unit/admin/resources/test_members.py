import pytest

from lockgate.admin.roles import scopes_of_role
from lockgate.entities import User

PATH = "/admin/workspaces/{}/users"


@pytest.fixture
def ann(plane):
    with plane.directory.change() as tx:
        return tx.insert(User(organisation_id=plane.organisation.id, email="ann@example.org", first_name="Ann"))


@pytest.mark.parametrize("key", ["admin", "service"])
def test_a_member_comes_is_promoted_and_goes(plane, ann, key):
    path = PATH.format(plane.home.slug)
    assert plane.ok("POST", path, key, json={"users": [{"id": ann.id, "role": "manager"}]}) == {}
    shown = plane.ok("GET", f"{path}/{ann.id}", key)
    assert shown == {
        "id": ann.id,
        "email": "ann@example.org",
        "first_name": "Ann",
        "last_name": "",
        "org_role": "member",
        "role": "manager",
        "status": "active",
        "workspace_id": plane.home.id,
        "scopes": sorted(scopes_of_role("manager", {})),
        "settings": {},
        "created_at": "2026-08-21T09:30:00.000Z",
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "object": "workspace-user",
    }
    assert plane.ok("PUT", f"{path}/{ann.id}", key, json={"role": "admin"}) == {}
    assert plane.ok("GET", f"{path}/{ann.id}", key)["role"] == "admin"
    plane.refused(412, "PUT", f"{path}/{ann.id}", key, json={"role": "member"}, headers={"if-match": '"1"'})
    assert plane.ok("DELETE", f"{path}/{ann.id}", key) == {}
    plane.refused(404, "GET", f"{path}/{ann.id}", key)


def test_demoting_weakens_a_key_at_the_next_call(plane):
    path = f"{PATH.format(plane.home.slug)}/{plane.person.id}"
    plane.ok("PUT", path, json={"role": "manager"})
    assert "policies.create" in plane.ok("GET", "/me", "user")["scopes"]
    plane.ok("PUT", path, json={"role": "member"})
    assert "policies.create" not in plane.ok("GET", "/me", "user")["scopes"]


def test_a_removed_members_key_opens_nothing(plane):
    plane.ok("DELETE", f"{PATH.format(plane.home.slug)}/{plane.person.id}")
    plane.refused(401, "GET", "/me", "user")


@pytest.mark.parametrize(
    "query, emails",
    [
        ({}, ["ann@example.org", "kim@example.org"]),
        ({"role": "manager"}, ["ann@example.org"]),
        ({"email": "KIM@example.org"}, ["kim@example.org"]),
        ({"email": "nobody@example.org"}, []),
        ({"email": "kim@example.org", "role": "manager"}, []),
    ],
)
def test_lists(plane, ann, query, emails):
    plane.ok("POST", PATH.format(plane.home.slug), json={"users": [{"id": ann.id, "role": "manager"}]})
    listed = plane.ok("GET", PATH.format(plane.home.id), params=query)
    assert sorted(each["email"] for each in listed["data"]) == emails
    assert (listed["object"], listed["total"]) == ("list", len(emails))


def test_who_cannot_become_a_member(plane):
    path = PATH.format(plane.home.slug)
    plane.refused(409, "POST", path, json={"users": [{"id": plane.person.id}]})
    body = plane.refused(400, "POST", path, json={"users": [{"id": plane.owner.id}, {"id": "nobody"}]})
    assert body["error"]["param"] == "users[1].id"
    # all or nothing
    assert plane.ok("GET", path)["total"] == 1
    plane.refused(400, "POST", path, json={"users": [{"id": plane.owner.id, "role": "king"}]})
    plane.refused(400, "POST", path, json={"users": []})


def test_another_workspace_is_closed(plane):
    path = PATH.format(plane.home.slug)
    plane.refused(403, "GET", path, "other")
    plane.refused(403, "POST", path, "other", json={"users": [{"id": plane.owner.id}]})
    plane.refused(403, "DELETE", f"{path}/{plane.person.id}", "other")
    plane.refused(403, "GET", path, "user")
