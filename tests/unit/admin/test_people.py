import pytest
from msgspec import structs

from lockgate.admin.people import leave_workspace
from lockgate.entities import ApiKey, Member, User


def left(plane):
    with plane.directory.read() as view:
        return {
            "keys": view.count(ApiKey, user_id=plane.person.id),
            "places": view.count(Member, user_id=plane.person.id),
            "there": view.find(User, plane.person.id) is not None,
        }


def test_leaving_a_workspace_ends_its_keys(plane):
    with plane.directory.change() as tx:
        leave_workspace(tx, plane.member, plane.person)
    assert left(plane) == {"keys": 0, "places": 0, "there": True}


def test_leaving_one_workspace_keeps_the_keys_of_another(plane):
    with plane.directory.change() as tx:
        own = {"organisation_id": plane.organisation.id, "user_id": plane.person.id}
        member = tx.insert(Member(workspace_id=plane.other.id, **own))
        leave_workspace(tx, member, plane.person)
    assert left(plane) == {"keys": 1, "places": 1, "there": True}


@pytest.mark.parametrize("role", ["admin", "owner"])
def test_an_admin_of_the_organisation_needs_no_membership(plane, role):
    with plane.directory.change() as tx:
        leave_workspace(tx, plane.member, structs.replace(plane.person, role=role))
    assert left(plane)["keys"] == 1


@pytest.mark.parametrize("address", ["nobody", "a b@c", "@", "a@", ""])
def test_what_is_no_address_is_told_in_words(plane, address):
    body = {"name": "bot", "alert_emails": ["ops@example.org", address]}
    refused = plane.refused(400, "POST", "/api-keys/workspace/service", json=body)
    assert refused["error"]["param"] == "alert_emails[1]"
    assert refused["message"] == "alert_emails[1]: must be an address such as ann@example.org"
