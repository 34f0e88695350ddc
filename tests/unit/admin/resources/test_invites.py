import hashlib
import html
import json

import httpx
import pytest

BODY = {
    "email": "new@example.org",
    "role": "member",
    "workspaces": [{"id": "ws-resear-1f0c3a", "role": "manager"}],
    "workspace_api_key_details": {"scopes": ["completions.write"]},
}
PATH = "/admin/users/invites"


def invite(plane, **more):
    made = plane.ok("POST", PATH, json=BODY | more)
    return made["id"], made["invite_link"].rpartition("/")[2]


def test_a_link_is_told_once_under_both_names(plane):
    made = plane.ok("POST", PATH, json=BODY)
    assert made["invite_link"] == made["inviteLink"]
    assert made["invite_link"].startswith("http://gateway/invite/")
    shown = plane.ok("GET", f"{PATH}/{made['id']}")
    token = made["invite_link"].rpartition("/")[2]
    assert token not in str(shown)
    assert shown == {
        "id": made["id"],
        "email": "new@example.org",
        "role": "member",
        "status": "pending",
        "workspaces": [{"id": plane.other.id, "role": "manager"}],
        "invited_by": plane.keys["admin"].id,
        "created_at": "2026-08-21T09:30:00.000Z",
        "expires_at": "2026-08-28T09:30:00.000Z",
        "accepted_at": None,
        "object": "invite",
    }
    audit = str(plane.ok("GET", "/audit-logs"))
    assert token not in audit
    assert hashlib.sha256(token.encode()).hexdigest() not in audit


def test_the_public_address_stands_in_the_link(plane):
    from msgspec import structs

    plane.snapshot = structs.replace(plane.snapshot, public_url="https://gw.example.org")
    assert plane.ok("POST", PATH, json=BODY)["invite_link"].startswith("https://gw.example.org/invite/")


def test_accepting_makes_a_user_with_memberships_and_keys(plane):
    id, token = invite(plane)
    accepted = plane.ok("POST", f"{PATH}/accept", None, json={"token": token, "first_name": "Nia"})
    (key,) = accepted["api_keys"]
    me = plane.ok("GET", "/me", key["key"])
    assert (me["type"], me["user_id"], me["scopes"]) == ("workspace-user", accepted["user_id"], ["completions.write"])
    assert me["workspace"]["id"] == key["workspace_id"] == plane.other.id
    user = plane.ok("GET", f"/admin/users/{accepted['user_id']}")
    assert (user["email"], user["first_name"], user["workspace_ids"]) == ("new@example.org", "Nia", [plane.other.id])
    member = plane.ok("GET", f"/admin/workspaces/{plane.other.slug}/users/{accepted['user_id']}")
    assert member["role"] == "manager"
    shown = plane.ok("GET", f"{PATH}/{id}")
    assert (shown["status"], shown["accepted_at"]) == ("accepted", "2026-08-21T09:30:00.000Z")
    plane.refused(404, "POST", f"{PATH}/accept", None, json={"token": token})
    plane.refused(409, "DELETE", f"{PATH}/{id}")
    plane.refused(409, "POST", f"{PATH}/{id}/resend")


def test_without_key_details_there_is_no_key(plane):
    _, token = invite(plane, workspace_api_key_details=None)
    assert plane.ok("POST", f"{PATH}/accept", None, json={"token": token})["api_keys"] == []


def test_a_wrong_token_is_404(plane):
    invite(plane)
    plane.refused(404, "POST", f"{PATH}/accept", None, json={"token": "guess"})
    plane.refused(400, "POST", f"{PATH}/accept", None, json={})


def test_an_invitation_ends_after_a_week_and_a_new_link_renews_it(plane):
    id, old = invite(plane)
    plane.clock.pass_by(days=7)
    assert plane.ok("GET", f"{PATH}/{id}")["status"] == "expired"
    plane.refused(404, "POST", f"{PATH}/accept", None, json={"token": old})
    again = plane.ok("POST", f"{PATH}/{id}/resend")
    assert again["invite_link"] == again["inviteLink"]
    plane.refused(404, "POST", f"{PATH}/accept", None, json={"token": old})
    plane.ok("POST", f"{PATH}/accept", None, json={"token": again["invite_link"].rpartition("/")[2]})


def test_a_cancelled_one_opens_nothing(plane):
    id, token = invite(plane)
    assert plane.ok("DELETE", f"{PATH}/{id}") == {}
    assert plane.ok("GET", f"{PATH}/{id}")["status"] == "cancelled"
    plane.refused(404, "POST", f"{PATH}/accept", None, json={"token": token})
    plane.refused(409, "POST", f"{PATH}/{id}/resend")


def test_who_is_there_or_invited_is_not_invited_again(plane):
    plane.refused(409, "POST", PATH, json=BODY | {"email": "KIM@example.org"})
    id, _ = invite(plane)
    plane.refused(409, "POST", PATH, json=BODY | {"email": "NEW@example.org"})
    plane.ok("DELETE", f"{PATH}/{id}")
    invite(plane)


@pytest.mark.parametrize(
    "body, status",
    [
        ({"email": "no address"}, 400),
        ({"role": "owner"}, 400),
        ({"workspaces": [{"id": "nowhere"}]}, 403),
        ({"workspace_api_key_details": {"scopes": ["audit_logs.list"]}}, 400),
    ],
)
def test_wrong_invitations(plane, body, status):
    plane.refused(status, "POST", PATH, json=BODY | body)


def test_the_promised_key_has_no_more_than_the_inviter(plane):
    made = {"name": "hr", "scopes": ["organisation_users.create"]}
    narrow = plane.ok("POST", "/api-keys/organisation/service", json=made)["key"]
    plane.ok("POST", PATH, narrow, json=BODY)
    body = BODY | {"email": "b@example.org", "workspace_api_key_details": {"scopes": ["configs.create"]}}
    plane.refused(403, "POST", PATH, narrow, json=body)


@pytest.mark.parametrize(
    "query, emails",
    [
        ({}, {"a@example.org", "b@example.org", "c@example.org"}),
        ({"status": "pending"}, {"c@example.org"}),
        ({"status": "expired"}, {"a@example.org"}),
        ({"status": "cancelled"}, {"b@example.org"}),
        ({"email": "C@example.org"}, {"c@example.org"}),
        ({"role": "admin"}, {"c@example.org"}),
    ],
)
def test_lists(plane, query, emails):
    invite(plane, email="a@example.org")
    plane.ok("DELETE", f"{PATH}/{invite(plane, email='b@example.org')[0]}")
    plane.clock.pass_by(days=8)
    invite(plane, email="c@example.org", role="admin")
    listed = plane.ok("GET", PATH, params=query)
    assert {each["email"] for each in listed["data"]} == emails
    assert listed["total"] == len(emails)


def test_only_the_organisations_keys_invite(plane):
    plane.refused(403, "POST", PATH, "service", json=BODY)
    plane.refused(403, "GET", PATH, "user")


def open_link(plane, link):
    return plane.send(httpx.Request("GET", link))


def test_a_link_tells_the_person_how_to_accept(plane):
    link = plane.ok("POST", PATH, json=BODY)["invite_link"]
    page = open_link(plane, link)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == "default-src 'none'"
    assert page.headers["referrer-policy"] == "no-referrer"
    text = html.unescape(page.text)
    assert f"new@example.org is invited as member, with access to {plane.other.name}" in text
    assert "curl http://gateway/v1/admin/users/invites/accept -H 'content-type: application/json' -d '{" in text
    sent = json.loads(text.partition("-d '")[2].partition("'</pre>")[0])
    assert plane.ok("POST", f"{PATH}/accept", None, json=sent)["email"] == "new@example.org"
    assert open_link(plane, link).status_code == 404


def test_a_link_that_leads_nowhere_says_so(plane):
    refused = open_link(plane, "http://gateway/invite/nope<b>")
    assert refused.status_code == 404
    assert "ask for a new one" in refused.text
    assert "<b>" not in refused.text
