"""Every method of the unmodified JavaScript SDK for these resources."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from lockgate.entities import User
from lockgate.records.store import Scope
from tests.e2e.clients import EXAMPLES, RUN_S
from tests.e2e.gateway import clean_environment
from tests.e2e.installs import announcer, find_node, npm_or_skip
from tests.unit.records.rows import row

PROGRAM = Path(__file__).parent / "manage.mjs"


@pytest.fixture(scope="module")
def program(request, tmp_path_factory):
    """The driver beside the installed SDK, and the node that runs it."""
    node = find_node(22)
    modules = npm_or_skip(EXAMPLES / "javascript", node, announcer(request.config))
    folder = tmp_path_factory.mktemp("node")
    (folder / "node_modules").symlink_to(modules / "node_modules")
    shutil.copy(PROGRAM, folder)
    return [str(node), str(folder / PROGRAM.name)]


@pytest.fixture
def drive(program, plane, base_url, tmp_path):
    """Make calls one after the other; return their outcomes."""

    def run(*calls):
        full = [
            {"key": plane.texts.get(call.get("key", "admin"), call.get("key")), "base_url": base_url, "args": []} | call
            for call in calls
        ]
        for call, given in zip(full, calls, strict=True):
            call["key"] = plane.texts.get(given.get("key", "admin"), given.get("key", "admin"))
        done = subprocess.run(
            program,
            input=json.dumps(full) + "\n",
            capture_output=True,
            text=True,
            timeout=RUN_S,
            env=clean_environment(HOME=str(tmp_path)),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def values(outcomes):
    assert [outcome for outcome in outcomes if "value" not in outcome] == []
    return [outcome["value"] for outcome in outcomes]


def without_headers(value):
    """What the SDK gives back beside the answer's own fields is left out."""
    return {name: field for name, field in value.items() if name != "getHeaders" and not name.startswith("_")}


def test_api_keys(drive, plane):
    body = {
        "type": "workspace", "sub-type": "service", "name": "bot", "scopes": ["completions.write"],
        "usage_limits": {"credit_limit": 40}, "rate_limits": [{"type": "requests", "unit": "rpm", "value": 5}],
    }  # fmt: skip
    made, shown, listed, updated, again, deleted = values(
        drive(
            {"name": "apiKeys.create", "args": [body]},
            {"name": "apiKeys.retrieve", "args": [{"id": "$0.id"}]},
            {"name": "apiKeys.list", "args": [{"workspace_id": plane.home.id, "page_size": 2, "current_page": 0}]},
            {"name": "apiKeys.update", "args": [{"id": "$0.id", "name": "robot", "usage_limits": None}]},
            {"name": "apiKeys.retrieve", "args": [{"id": "$0.id"}]},
            {"name": "apiKeys.delete", "args": [{"id": "$0.id"}]},
        )
    )
    assert made["key"].startswith("gk_")
    assert (shown["id"], shown["usage_limits"]["credit_limit"], shown["rate_limits"][0]["value"]) == (made["id"], 40, 5)
    assert (listed["total"], len(listed["data"])) == (3, 2)
    assert without_headers(updated) == without_headers(deleted) == {}
    assert (again["name"], again["usage_limits"]) == ("robot", None)


def test_people(drive, plane):
    shown, listed, made, invite, invites, resent, updated, cancelled = values(
        drive(
            {"name": "admin.users.retrieve", "args": [{"userId": plane.person.id}]},
            {"name": "admin.users.list", "args": [{"pageSize": 5, "currentPage": 0, "role": "owner"}]},
            {
                "name": "admin.users.invites.create",
                "args": [
                    {
                        "email": "n@example.org",
                        "role": "member",
                        "workspaces": [{"id": plane.other.slug, "role": "admin"}],
                    }
                ],
            },
            {"name": "admin.users.invites.retrieve", "args": [{"inviteId": "$2.id"}]},
            {"name": "admin.users.invites.list", "args": [{"status": "pending"}]},
            {"name": "admin.users.invites.resend", "args": [{"inviteId": "$2.id"}]},
            {"name": "admin.users.update", "args": [{"userId": plane.person.id, "role": "admin"}]},
            {"name": "admin.users.invites.delete", "args": [{"inviteId": "$2.id"}]},
        )
    )
    assert shown["email"] == "kim@example.org"
    assert [user["email"] for user in listed["data"]] == ["owner@example.org"]
    assert made["invite_link"] == made["inviteLink"] != resent["inviteLink"]
    assert invite["workspaces"] == [{"id": plane.other.id, "role": "admin"}]
    assert invites["data"][0]["id"] == made["id"]
    assert without_headers(updated) == without_headers(cancelled) == {}
    with plane.directory.read() as view:
        assert view.get(User, plane.person.id).role == "admin"
    values(drive({"name": "admin.users.delete", "args": [{"userId": plane.person.id}]}))
    with plane.directory.read() as view:
        assert view.find(User, plane.person.id) is None


def test_workspaces_and_members(drive, plane):
    where = {"workspaceId": "$0.id"}
    made, shown, listed, changed, joined, member, members, promoted, left, deleted = values(
        drive(
            {"name": "admin.workspaces.create", "args": [{"name": "Billing", "description": "d", "defaults": {"metadata": {"a": "b"}}}]},
            {"name": "admin.workspaces.retrieve", "args": [where]},
            {"name": "admin.workspaces.list", "args": [{"pageSize": 1, "name": "Bill"}]},
            {"name": "admin.workspaces.update", "args": [{**where, "name": "Money"}]},
            {"name": "admin.workspaces.users.create", "args": [{**where, "users": [{"id": plane.person.id, "role": "member"}]}]},
            {"name": "admin.workspaces.users.retrieve", "args": [{**where, "userId": plane.person.id}]},
            {"name": "admin.workspaces.users.list", "args": [{**where, "role": "member"}]},
            {"name": "admin.workspaces.users.update", "args": [{**where, "userId": plane.person.id, "role": "admin"}]},
            {"name": "admin.workspaces.users.delete", "args": [{**where, "userId": plane.person.id}]},
            {"name": "admin.workspaces.delete", "args": [{**where, "name": "Money"}]},
        )
    )  # fmt: skip
    assert (shown["slug"], shown["defaults"]["metadata"]) == (made["slug"], {"a": "b"})
    assert listed["data"][0]["id"] == made["id"]
    assert changed["name"] == "Money"
    assert (member["role"], members["total"]) == ("member", 1)
    for answer in (joined, promoted, left, deleted):
        assert without_headers(answer) == {}


def test_refusals_have_their_status_and_message(drive, plane):
    wrong, forbidden, missing, invalid = drive(
        {"name": "apiKeys.list", "args": [{}], "key": "gk_wrong"},
        {"name": "admin.users.list", "args": [{}], "key": "service"},
        {"name": "apiKeys.retrieve", "args": [{"id": "nothing"}]},
        {"name": "apiKeys.create", "args": [{"type": "workspace", "sub-type": "service"}]},
    )
    assert [each["status"] for each in (wrong, forbidden, missing, invalid)] == [401, 403, 404, 400]
    assert "name: is missing" in invalid["message"]
    assert "organisation-service" in forbidden["message"]
    assert "gk_wrong" not in wrong["message"]


GRAPHS = (
    "requests", "cost", "latency", "tokens", "users", "usersRequests", "errors", "errors_rate", "errors_stack",
    "errors_status_code", "requests_rescued", "cache_hit_rate", "cache_latency", "feedbacks", "feedbacks_score",
    "feedbacks_weighted", "feedback_ai_models",
)  # fmt: skip
GROUPS = ("ai_service", "model", "status_code", "api_key", "config", "workspace", "provider", "prompt")


def test_analytics(plane, drive):
    now = int(plane.clock.now.timestamp()) * 10**6
    mine = {"workspace_id": plane.home.id, "started_us": now - 10**6, "metadata": {"team": "search"}, "model": "m"}
    plane.desk.store.append([row(1, **mine), row(2, **mine, status_code=500, is_error=True)])
    day = {"time_of_generation_min": "2026-08-21T00:00:00Z", "time_of_generation_max": "2026-08-21T23:00:00+02:00"}
    calls = [
        *(("graphs." + name, [day]) for name in GRAPHS),
        *(("groups.groupedData", [name, {**day, "columns": "cost", "include_total": True}]) for name in GROUPS),
        *(("groups." + name, [day]) for name in ("users", "aiModels", "workspaces")),
        ("groups.metadata", ["team", day]),
        ("summary.cache", [day]),
    ]
    found = values(drive(*({"key": "service", "name": f"analytics.{name}", "args": args} for name, args in calls)))
    by_name = dict(zip((name for name, _ in calls), found, strict=True))
    assert by_name["graphs.requests"]["summary"] == {"total": 2}
    assert by_name["graphs.errors_rate"]["summary"] == {"rate": 50}
    assert by_name["graphs.errors_stack"]["summary"] == by_name["graphs.errors"]["summary"] == {"total": 1}
    assert by_name["graphs.errors_status_code"]["data"] == [{"status_code": 500, "count": 1}]
    assert by_name["groups.aiModels"]["data"][0]["requests"] == 2
    assert by_name["groups.metadata"]["data"][0]["metadata_value"] == "search"
    assert by_name["summary.cache"]["data"]["total_requests"] == 2


def test_exports(plane, drive):
    now = plane.desk.now_us = int(plane.clock.now.timestamp()) * 10**6
    plane.desk.store.append([row(1, workspace_id=plane.home.id, started_us=now - 10**6)])
    body = {"filters": {"status_code": "200"}, "requestedData": ["id", "cost"], "description": "mine"}
    made, changed, started = values(
        drive(
            {"key": "service", "name": "logs.exports.create", "args": [body]},
            {"key": "service", "name": "logs.exports.update", "args": [{"exportId": "$0.id", "requestedData": ["id"]}]},
            {"key": "service", "name": "logs.exports.start", "args": [{"exportId": "$0.id"}]},
        )
    )
    assert (made["total"], changed["id"], started["object"]) == (1, made["id"], "export")
    plane.desk.exports.work()
    job, listed, link, cancelled = drive(
        *(
            {"key": "service", "name": f"logs.exports.{name}", "args": [{"exportId": made["id"]}]}
            for name in ("retrieve", "list", "download", "cancel")
        )
    )
    assert (job["value"]["status"], job["value"]["requested_data"]) == ("success", ["id"])
    assert [one["id"] for one in listed["value"]["data"]] == [made["id"]]
    assert cancelled["status"] == 400
    assert httpx.get(link["value"]["signed_url"], trust_env=False).json() == {"id": "rec_1"}


def test_feedback_and_logs_in_bulk(plane, drive):
    """The SDK makes an object that counts ("0", "1", ...) of a list."""
    log = {"request": {"url": "/v1/chat/completions", "body": {"model": "m"}}, "response": {}, "metadata": {}}
    opinions = [{"trace_id": "t1", "value": 5}, {"trace_id": "t2", "value": -5}]
    one, several, logged = values(
        drive(
            {"key": "service", "name": "feedback.create", "args": [{"traceID": "t1", "value": 1, "weight": 0.5}]},
            {"key": "service", "name": "feedback.create", "args": [opinions]},
            {"key": "service", "name": "logs.create", "args": [log]},
        )
    )
    assert (len(one["feedback_id"]), len(several["feedback_ids"])) == (1, 2)
    assert logged["accepted"] == len(plane.desk.appended) == 1
    kept = plane.desk.reader.feedback(Scope(workspaces=frozenset({plane.home.id})))
    assert sorted((each.trace_id, each.value, each.weight) for each in kept) == [
        ("t1", 1, 0.5), ("t1", 5, 1.0), ("t2", -5, 1.0),
    ]  # fmt: skip
