import pytest
from msgspec import structs

from lockgate.entities import Member, User


def test_a_user_in_full(plane):
    assert plane.ok("GET", f"/admin/users/{plane.person.id}") == {
        "id": plane.person.id,
        "email": "kim@example.org",
        "first_name": "Kim",
        "last_name": "Lee",
        "role": "member",
        "status": "active",
        "workspace_ids": [plane.home.id],
        "created_at": "2026-08-21T09:30:00.000Z",
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "object": "user",
    }


@pytest.mark.parametrize(
    "query, emails",
    [
        ({}, {"kim@example.org", "owner@example.org"}),
        ({"email": "Kim@Example.org"}, {"kim@example.org"}),
        ({"role": "owner"}, {"owner@example.org"}),
        ({"role": "admin"}, set()),
        ({"pageSize": 1, "currentPage": 5}, set()),
    ],
)
def test_lists(plane, query, emails):
    listed = plane.ok("GET", "/admin/users", params=query)
    assert {each["email"] for each in listed["data"]} == emails
    assert isinstance(listed["data"], list)


def test_a_role_in_the_organisation(plane):
    assert plane.ok("PUT", f"/admin/users/{plane.person.id}", json={"role": "admin"}) == {}
    assert plane.ok("GET", f"/admin/users/{plane.person.id}")["role"] == "admin"
    # an admin of the organisation is one in every workspace
    assert "policies.create" in plane.ok("GET", "/me", "user")["scopes"]
    body = plane.refused(400, "PUT", f"/admin/users/{plane.person.id}", json={"role": "owner"})
    assert body["message"] == "role: must be one of admin, member"


def test_whoever_is_disabled_is_nobody(plane):
    plane.ok("PUT", f"/admin/users/{plane.person.id}", json={"status": "disabled"})
    said = plane.refused(401, "GET", "/me", "user")
    assert said["message"] == "The API key belongs to a person who is disabled; use another one"
    plane.ok("PUT", f"/admin/users/{plane.person.id}", json={"status": "active"})
    plane.ok("GET", "/me", "user")


def test_removing_a_user_ends_keys_and_memberships(plane):
    assert plane.ok("DELETE", f"/admin/users/{plane.person.id}") == {}
    plane.refused(404, "GET", f"/admin/users/{plane.person.id}")
    plane.refused(401, "GET", "/me", "user")
    with plane.directory.read() as view:
        assert view.count(Member) == 0


class TestTheLastOwner:
    def test_stays(self, plane):
        path = f"/admin/users/{plane.owner.id}"
        plane.refused(409, "PUT", path, json={"role": "member"})
        plane.refused(409, "PUT", path, json={"status": "disabled"})
        plane.refused(409, "DELETE", path)

    def test_of_two_may_go(self, plane):
        with plane.directory.change() as tx:
            tx.insert(User(organisation_id=plane.organisation.id, email="second@example.org", role="owner"))
        plane.ok("PUT", f"/admin/users/{plane.owner.id}", json={"role": "member"})

    def test_a_disabled_owner_does_not_count(self, plane):
        with plane.directory.change() as tx:
            second = tx.insert(User(organisation_id=plane.organisation.id, email="second@example.org", role="owner"))
            tx.update(structs.replace(second, status="disabled"))
        plane.refused(409, "DELETE", f"/admin/users/{plane.owner.id}")


def test_only_the_organisations_keys_manage_people(plane):
    for key in ("service", "user"):
        plane.refused(403, "GET", "/admin/users", key)
        plane.refused(403, "DELETE", f"/admin/users/{plane.person.id}", key)
