import json

import pytest

from lockgate.errors import InvalidRequest
from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.exports.items import item_of, needs_bodies
from lockgate.records.exports.portkey import DEFAULT, FIELDS, fields_of
from lockgate.records.store import Entry
from tests.unit.records.rows import START, row

ROW = row(
    1, provider="anthropic", model="claude-a", input_tokens=3, output_tokens=5, total_tokens=8, cost_nano=25_000_000,
    duration_us=412_600, path="/v1/messages", metadata={"team": "a"}, config_id="pc-1", attempt_count=2,
    fallback_count=1, status_code=200,
)  # fmt: skip


def item(names, bodies=None, one=ROW):
    return item_of(fields_of(names), Entry(one), bodies)


def bodies(request, response=b"{}"):
    views = {
        name: View(name=name, data=data, size_bytes=len(data))
        for name, data in (("request", request), ("response", response))
    }
    return Bodies(views, (), (), {})


def test_portkeys_fields():
    assert item(DEFAULT) == {
        "id": "rec_1", "trace_id": "t1", "created_at": "2026-02-16T00:00:00.000Z", "is_success": True,
        "ai_org": "anthropic", "ai_model": "claude-a", "req_units": 3, "res_units": 5, "total_units": 8,
        "request_url": "/v1/messages", "cost": 2.5, "cost_currency": "USD", "response_time": 413,
        "response_status_code": 200, "config": "pc-1", "prompt_slug": None, "metadata": {"team": "a"},
    }  # fmt: skip
    assert START == 1_771_200_000_000_000


def test_synonyms_are_written_under_the_name_that_was_asked_for():
    names = ("ai_provider", "request_tokens", "response_tokens", "total_tokens", "status_code", "mode")
    assert list(item(names).values()) == ["anthropic", 3, 5, 8, 200, "fallback"]


def test_what_is_absent_is_none_and_an_error_is_no_success():
    found = item(FIELDS, None, row(1, cost_nano=None, duration_us=None, is_error=True))
    assert (found["cost"], found["cost_currency"], found["response_time"], found["is_success"]) == (None,) * 3 + (
        False,
    )
    assert found["request"] is found["mode"] is found["metadata"] is None


@pytest.mark.parametrize(
    "data, value", [(b'{"a": 1}', {"a": 1}), (b"no json", "no json"), (b"\xff", "base64:/w=="), (b"[" * 5000, "[" * 5000)],
    ids=["json", "text", "bytes", "deep"],
)  # fmt: skip
def test_bodies_are_json_or_a_text_in_json(data, value):
    assert needs_bodies(fields_of(["request"]))
    assert json.loads(item(["request"], bodies(data))["request"]) == value


def test_our_columns_and_keys_of_the_metadata_may_be_named_too():
    assert item(["duration_us", "meta.team", "meta.none"]) == {
        "duration_us": 412_600, "meta.team": "a", "meta.none": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "denied, name, is_refused",
    [
        ("request", "request", True), ("request", "upstream_request", True), ("request", "request_preview", True),
        ("request", "response", False), ("ai_org", "ai_provider", True), ("status_code", "response_status_code", True),
        ("cost", "cost_nano", True), ("metadata", "meta.team", True), ("metadata", "end_user", True), ("id", "trace_id", False),
        ("cost_nano", "cost", True), ("metadata", "user", True), ("cost", "cost_status", False),
    ],
)  # fmt: skip
def test_what_is_denied_is_denied_under_every_name(denied, name, is_refused):
    if is_refused:
        with pytest.raises(InvalidRequest, match="does not let"):
            fields_of([name], [denied])
    else:
        assert fields_of([name], [denied])


def test_a_field_that_does_not_exist_is_named():
    with pytest.raises(InvalidRequest, match="colour") as caught:
        fields_of(["id", "colour"])
    assert caught.value.path == "requested_data[1]"
