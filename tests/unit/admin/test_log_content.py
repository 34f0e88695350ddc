"""Who sees what requests said, and what is said where there is nothing."""

from __future__ import annotations

import pytest

from lockgate.records.bodies.assembly import Timeline
from lockgate.records.bodies.kept import Kept, View
from tests.unit.records.rows import row

US = 1_000_000


@pytest.fixture
def kept(plane):
    """Keep a record, and its bodies unless there are none."""
    now = int(plane.clock.now.timestamp()) * US

    def keep(*views, timeline=None, **columns):
        values = {"log_mode": "full", "log_mode_reason": "configuration", "path": "/v1/messages", **columns}
        plane.desk.store.append([row(1, started_us=now, workspace_id=plane.home.id, **values)])
        if views:
            plane.desk.bodies.put(
                [
                    Kept(
                        record_id="rec_1",
                        started_us=now,
                        workspace_id=plane.home.id,
                        views=views,
                        request_headers=[("accept", "a"), ("accept", "b")],
                        response_headers=[("x-r", "1")],
                        redactions={"anthropic": 2},
                        timeline=timeline,
                    )
                ]
            )

    return keep


def view(name, data, **more):
    return View(name=name, data=data, size_bytes=len(data), **more)


VIEWS = (
    view("request", b'{"a": 1}'),
    view("upstream_request", b'{"b":2}'),
    view("response", b'{"c":[', is_truncated=True),
    view("upstream_response", b"<html>"),
)


def show(plane, key="service"):
    answer = plane.ask("GET", "/logs/rec_1", key)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_all_views_are_shown_as_what_they_are(plane, kept):
    kept(*VIEWS, timeline=Timeline(("data",), (0,), (5,), (6,)), method="POST", status_code=200, duration_us=412_600)
    shown = show(plane)
    assert shown["request"] == {
        "method": "POST", "url": "/v1/messages", "headers": {"accept": "a, b"}, "body": {"a": 1},
    }  # fmt: skip
    assert (shown["response"]["status"], shown["response"]["responseTime"]) == (200, 413)
    assert (shown["response"]["headers"], shown["response"]["body"]) == ({"x-r": "1"}, '{"c":[')
    assert (shown["final_request"], shown["provider_response"]) == ({"body": {"b": 2}}, {"body": "<html>"})
    about = shown["content"]
    assert (about["mode"], about["reason"], about["is_kept"]) == ("full", "configuration", True)
    assert (about["redactions"], about["truncated"], about["sizes"]["request"]) == ({"anthropic": 2}, ["response"], 8)
    assert about["timeline"] == {"names": ["data"], "kinds": [0], "after_us": [5], "sizes": [6]}
    assert shown["id"] == "rec_1"


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"log_mode": "metrics_only", "log_mode_reason": "header"}, "x-portkey-debug"),
        ({"log_mode": "off", "log_mode_reason": "workspace"}, "the workspace"),
        ({}, "not there"),
        ({"log_mode": None, "log_mode_reason": None}, "not there"),
    ],
    ids=["header", "workspace", "gone", "refused before it was known who asks"],
)
def test_where_there_is_nothing_it_is_said_why(plane, kept, columns, why):
    kept(**columns)
    shown = show(plane)
    assert shown["content"]["is_kept"] is False
    assert why in shown["content"]["why"]
    assert "body" not in shown["request"]


def test_damage_is_said_and_the_record_is_shown(plane, kept):
    kept(view("request", b'{"messages":["' + b"x" * 9000 + b'"]}'))
    for path in plane.desk.store.layout.bodies.rglob("*.zst"):
        path.write_bytes(b"garbage")
    shown = show(plane)
    assert shown["content"]["why"].startswith("damaged")
    assert shown["id"] == "rec_1"


def test_who_may_list_only_sees_what_is_known_about_it(plane, kept):
    kept(*VIEWS)
    body = {"name": "lists", "scopes": ["logs.list"], "workspace_id": plane.home.id}
    key = plane.ok("POST", "/api-keys/workspace/service", json=body)["key"]
    shown = show(plane, key)
    assert (shown["id"], shown["content"]["is_kept"]) == ("rec_1", False)
    assert shown["content"]["why"].startswith("not shown")
    assert "body" not in shown["request"]
    assert plane.ask("GET", "/logs/rec_1", "other").status_code == 404


@pytest.mark.parametrize(
    ("key", "switches", "sees"),
    [
        ("user", {}, True),
        ("user", {"managersViewLogs": False, "membersViewLogs": False}, False),
        ("admin", {}, True),
        ("admin", {"organisationAdminsViewLogs": False}, False),
    ],
    ids=["person", "person without", "organisation", "organisation without"],
)
def test_the_switches_of_a_workspace_decide_about_content(plane, kept, key, switches, sees):
    kept(*VIEWS)
    plane.ok("PUT", f"/admin/workspaces/{plane.home.id}", json={"security_settings": switches})
    query = f"?workspace_id={plane.home.id}" if key == "admin" else ""
    answer = plane.ask("GET", f"/logs/rec_1{query}", key)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"]["is_kept"] is sees
