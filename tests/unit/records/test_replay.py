"""What is sent again is what the client sent, or there is a reason why not."""

import json

import pytest

from lockgate.core.capture import Capture
from lockgate.core.recording import Rules
from lockgate.errors import Conflict, InvalidRequest
from lockgate.records.bodies.kept import View, keep
from lockgate.records.bodies.store import Bodies
from lockgate.records.replay import Wish, prepare, why_no_bodies
from tests.unit.records.rows import row

BODY = b'{"model": "@anthropic/claude",\n\t"odd" : 1.0e2, "messages":[{"role":"user","content":"Hi \\u00e4 \xf0\x9f\x99\x82"}]}'
HEADERS = [("content-type", "application/json"), ("anthropic-beta", "x"), ("host", "here"), ("x-portkey-trace-id", "t"),
           ("x-secret-thing", "sha256:0011aabb")]  # fmt: skip


def bodies(body=BODY, *, headers=HEADERS, redactions=None, **more):
    views = {} if body is None else {"request": View(name="request", data=body, size_bytes=len(body), **more)}
    return Bodies(views, headers, [], redactions or {})


def one(**changes):
    values = {
        "endpoint": "chat", "method": "POST", "source": "gateway", "request_model": "@anthropic/claude", "provider": "anthropic",
        "provider_slug": "anthropic", "request_bytes": len(BODY),
    }  # fmt: skip
    return row(1, **(values | changes))


def test_the_body_goes_out_as_it_came_and_headers_of_the_connection_stay_behind():
    again = prepare(one(), bodies(), Wish())
    assert (again.method, again.path, again.body, again.is_exact) == ("POST", "/v1/chat/completions", BODY, True)
    assert again.headers == [("content-type", "application/json"), ("anthropic-beta", "x")]


@pytest.mark.parametrize(
    "changes, path",
    [
        ({"path": "/v1/v1/messages", "endpoint": "messages"}, "/v1/v1/messages"),
        ({"endpoint": "count_tokens"}, "/v1/messages/count_tokens"),
    ],
)
def test_the_path_is_that_of_the_record(changes, path):
    assert prepare(one(**changes), bodies(), Wish()).path == path


@pytest.mark.parametrize(
    "wish, config",
    [
        (Wish(target="@openai/gpt-5"), {"provider": "@openai", "override_params": {"model": "gpt-5"}}),
        (Wish(target="@openai"), {"provider": "@openai"}),
        (Wish(target="@b/anthropic/claude@1"), {"provider": "@b", "override_params": {"model": "anthropic/claude@1"}}),
    ],
)
def test_another_target_is_asked_by_a_config_so_that_the_body_stays(wish, config):
    given = bodies(headers=[("x-portkey-provider", "@anthropic"), ("x-portkey-metadata", "{}")])
    again = prepare(one(config_id="inline-1"), given, wish)
    assert again.body == BODY
    assert [name for name, _ in again.headers] == ["x-portkey-metadata", "x-portkey-config"]
    assert json.loads(again.headers[-1][1]) == config


@pytest.mark.parametrize(
    "changes, header",
    [
        ({"config_id": "pc-main", "config_version": "3"}, ("x-portkey-config", "pc-main@3")),
        ({"config_id": "declared"}, ("x-portkey-config", "declared")),
        ({"request_model": "claude"}, ("x-portkey-provider", "@anthropic")),
    ],
)
def test_what_headers_do_not_say_any_more_follows_from_the_record(changes, header):
    assert prepare(one(**changes), bodies(), Wish()).headers[-1] == header
    other = prepare(one(**changes), bodies(), Wish(config="pc-other"))
    assert other.headers[-1] == ("x-portkey-config", "pc-other")


@pytest.mark.parametrize(
    "changes, given, words",
    [
        ({"source": "insert_api"}, bodies(), "was handed in"),
        ({"endpoint": "files"}, bodies(), "could leave something twice"),
        ({"endpoint": None}, bodies(), "which path"),
        ({}, None, "shed for want of room"),
        ({"log_mode": "metrics_only", "log_mode_reason": "workspace"}, None, "metrics_only, chosen by the workspace"),
        ({}, bodies(None), "is not there"),
        ({}, bodies(is_truncated=True), "was cut"),
        ({"request_bytes": 5}, bodies(), "it had 5 bytes"),
        ({"config_id": "inline-abc"}, bodies(), "brought its config along"),
        ({"provider_slug": None, "request_model": "claude"}, bodies(), "brought its provider's key along"),
    ],
)
def test_what_cannot_be_sent_again_says_why(changes, given, words):
    with pytest.raises(Conflict, match=words):
        prepare(one(**changes), given, Wish())


def test_a_body_with_a_secret_is_sent_only_if_that_is_allowed():
    body = json.dumps({"messages": [{"content": "sk-ant-api03-" + "a1B2" * 20}]}).encode()
    kept = keep(Capture(record_id="rec_1", started_at=1.0, request=body), Rules(), limit_bytes=10**6)
    found = Bodies({view.name: view for view in kept.views}, [], [], kept.redactions)
    assert b"a1B2a1B2" not in found.views["request"].data
    with pytest.raises(Conflict, match=r"taken out before it was written: 1 x .*--allow-redacted"):
        prepare(one(request_bytes=len(body)), found, Wish())
    again = prepare(one(request_bytes=len(body)), found, Wish(allows_redacted=True))
    assert (again.is_exact, again.body) == (False, found.views["request"].data)


def test_what_was_taken_out_of_the_answer_alone_is_no_reason():
    assert prepare(one(), bodies(redactions={"jwt": 1}), Wish()).is_exact


def test_a_request_without_a_body():
    again = prepare(one(endpoint="models", path="/v1/models", method="GET", request_bytes=0), bodies(None), Wish())
    assert (again.method, again.body) == ("GET", b"")


@pytest.mark.parametrize("wish", [Wish(target="openai/gpt"), Wish(target="@"), Wish(target="@a", config="b")])
def test_a_wish_that_is_none(wish):
    with pytest.raises(InvalidRequest):
        prepare(one(), bodies(), wish)


def test_why_there_are_no_bodies():
    assert "off" in why_no_bodies(one(log_mode="off"))
