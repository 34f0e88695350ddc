from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from lockgate.core.journal_line import frame
from lockgate.core.recording import Rules
from lockgate.entities import Workspace
from lockgate.records.from_record import read_row
from lockgate.telemetry.journal import read_line

LOG = {
    "request": {
        "url": "https://api.anthropic.com/v1/messages", "provider": "anthropic", "headers": {"x-api-key": "secret"},
        "body": {"model": "claude-haiku-4-5-20251001", "messages": [{"role": "user", "content": "hi"}]},
    },
    "response": {
        "status": 200, "response_time": 412,
        "body": {"id": "msg_1", "model": "claude-haiku-4-5-20251001", "usage": {"input_tokens": 1000, "output_tokens": 10}},
    },
    "metadata": {"traceId": "t-81", "user": "maria", "feature": "search"},
}  # fmt: skip


def rows(plane):
    return [read_row(data) for data in plane.desk.appended]


def test_one_is_kept_priced_and_never_charged(plane):
    answer = plane.ok("POST", "/logs", "service", json=LOG)
    assert (answer["status"], answer["accepted"], answer["rejected"], answer["errors"]) == ("success", 1, 0, [])
    (row,) = rows(plane)
    assert answer["ids"] == [row.id]
    assert (row.workspace_id, row.api_key_id, row.api_key_name) == (
        plane.home.id, plane.keys["service"].id, "service",
    )  # fmt: skip
    assert (row.trace_id, row.end_user, row.source, row.metadata["feature"]) == (
        "t-81",
        "maria",
        "insert_api",
        "search",
    )
    assert (row.cost_nano, row.cost_status, row.total_tokens) == (1_050_000, "priced", 1010)
    record = read_line(frame(plane.desk.appended[0]))
    assert record is not None, "whoever settles charges can read it"
    assert not record.charges
    assert b"secret" not in plane.desk.appended[0]


@pytest.mark.parametrize("mode", ["full", "redacted", "metrics_only", "off"])
def test_bodies_are_kept_as_the_rules_say(plane, mode):
    choice = {"defaults": {"recording": {"mode": mode, "sensitive_headers": ["x-team"]}}}
    plane.ok("PUT", f"/admin/workspaces/{plane.home.id}", json=choice)
    plane.ok("POST", "/logs", "service", json=[LOG, LOG])
    kept = [msgspec.json.decode(capture.request) for capture in plane.desk.offered]
    assert kept == ([LOG["request"]["body"]] * 2 if mode in ("full", "redacted") else [])
    assert all(one.rules == Rules(mode=mode, sensitive_headers=("x-team",)) for one in plane.desk.offered)
    assert [row.metadata.get("feature") for row in rows(plane)] == [None if mode == "off" else "search"] * 2


def test_a_price_is_found_by_a_slug_too(plane):
    plane.environment["ANTHROPIC_API_KEY"] = "sk-" + "ant-0123456789"
    plane.recompile()
    request = {**LOG["request"], "provider": "@anthropic"}
    plane.ok("POST", "/logs", "service", json={**LOG, "request": request})
    plane.ok("POST", "/logs", "service", json={**LOG, "request": {**request, "provider": "@nobody"}})
    assert [row.cost_status for row in rows(plane)] == ["priced", "unpriced"]


@pytest.mark.parametrize("is_object", [False, True], ids=["list", "index-keyed object"])
def test_of_several_the_good_ones_are_kept_and_the_others_told(plane, is_object):
    given = [LOG, {"request": 5}, LOG, "text", {"request": {}, "response": {"status": 2000}}, {"other": 1}]
    body = {str(n): item for n, item in enumerate(given)} if is_object else given
    answer = plane.ok("POST", "/logs", "user", json=body)
    assert (answer["accepted"], answer["rejected"], answer["message"]) == (2, 4, "2 of 6 logs stored")
    assert [(error["index"], error["message"].split()[0]) for error in answer["errors"]] == [
        (1, "request"), (3, "a"), (4, "response.status"), (5, "a"),
    ]  # fmt: skip
    assert answer["ids"] == [row.id for row in rows(plane)]


@pytest.mark.parametrize(
    "body", [{}, [], None, "text", 5, [1], [[]], {"request": 1}, [{"metadata": 5}], [LOG] * 1001],
    ids=["object", "list", "null", "text", "number", "list of number", "list of list", "request", "metadata", "1001"],
)  # fmt: skip
def test_where_nothing_can_be_kept_it_is_refused(plane, body):
    answer = plane.refused(400, "POST", "/logs", "service", json=body)
    assert answer["error"]["code"] == "AB01"
    assert plane.desk.appended == []


def test_metadata_of_headers_of_the_record_and_of_the_workspace(plane):
    with plane.directory.change() as tx:
        home = tx.get(Workspace, plane.home.id)
        tx.update(structs.replace(home, defaults=structs.replace(home.defaults, metadata={"tier": "gold"})))
    plane.recompile()
    headers = {"x-portkey-metadata": '{"feature": "header", "tier": "x", "n": 1}', "baggage": "region=eu,n=2"}
    plane.ok("POST", "/logs", "service", json={**LOG, "metadata": {"feature": "own", "tier": "y"}}, headers=headers)
    (row,) = rows(plane)
    assert row.metadata == {"feature": "own", "tier": "gold", "n": "1", "region": "eu"}


def test_a_key_of_the_organisation_hands_nothing_in(plane):
    plane.refused(403, "POST", "/logs", "admin", json=LOG)


def test_up_to_20_megabytes_are_read(plane):
    text = "x" * (1 << 20)
    many = [{**LOG, "request": {**LOG["request"], "body": {"model": "m", "prompt": text}}}] * 15
    assert plane.ok("POST", "/logs", "service", content=msgspec.json.encode(many))["accepted"] == 15


def test_what_an_sdk_sends_again_is_kept_once(plane):
    first, again = (plane.ok("POST", "/logs", "service", json=LOG) for _ in range(2))
    assert first == again
    plane.ok("POST", "/logs", "user", json=LOG)
    assert len(plane.desk.appended) == 2
    plane.clock.pass_by(seconds=10)
    plane.ok("POST", "/logs", "service", json=LOG)
    assert len(plane.desk.appended) == 3


def test_the_same_request_with_an_idempotency_key_is_done_once(plane):
    headers = {"idempotency-key": "a"}
    first = plane.ok("POST", "/logs", "service", json=LOG, headers=headers)
    assert plane.ok("POST", "/logs", "service", json=LOG, headers=headers) == first
    assert len(plane.desk.appended) == 1
