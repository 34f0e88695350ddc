import json
from dataclasses import dataclass

import pytest

from tests.unit.dataplane.fakes import JSON, FakeResponse, World


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize("path", ["/v2/x", "/v1/nothing", "/v1/messages/nothing"])
def test_unknown_routes_are_404_with_ids(world, path):
    answer = world.call(path, method="GET")
    assert answer.status == 404
    assert answer.json()["error"]["type"] == "not_found_error"
    assert answer.json()["ok"] is False
    assert answer.headers["x-portkey-trace-id"]
    assert answer.headers["x-portkey-request-id"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_wrong_methods_are_405(world, method):
    answer = world.call("/v1/chat/completions", method=method)
    assert answer.status == 405
    assert "takes POST" in answer.json()["error"]["message"]
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/api/hello"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_claude_code_asks_first_needs_no_key(world, path, method):
    answer = world.call(path, method=method, key="")
    assert answer.status == 200


@pytest.mark.parametrize("path", ["/v1/messages", "/anything"])
def test_a_preflight_needs_no_key_and_allows_no_origin(world, path):
    answer = world.call(path, method="OPTIONS", key="")
    assert answer.status == 204
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_the_ids_of_a_refusal_agree(world):
    answer = world.call("/v1/messages/nothing", method="GET")
    assert answer.json()["request_id"] == answer.headers["x-portkey-request-id"]


def test_health_touches_nothing(world):
    answer = world.call("/v1/health", method="GET", key="")
    assert answer.json()["status"] == "success"
    assert world.upstream.sent == []


def test_readiness_ends_with_draining(world):
    assert world.call("/ready", method="GET", key="").status == 200
    world.plane.is_draining = True
    assert world.call("/ready", method="GET", key="").status == 503
    answer = world.call("/v1/messages", b"{}")
    assert answer.status == 503
    assert "shutting down" in answer.json()["error"]["message"]


def test_too_many_open_requests_are_refused():
    world = World("[limits]\nconnections = 1\n")
    world.plane.exchanges.add(None)
    answer = world.call("/v1/messages", b"{}")
    assert answer.status == 503
    assert "limits.connections" in answer.json()["error"]["message"]


@dataclass(frozen=True, kw_only=True)
class Refused:
    path: str
    method: str = "POST"
    is_draining: bool = False
    running: int = 0
    status: int
    error: str
    route: str


REFUSED = {
    "no route": Refused(path="/v1/nothing", status=404, error="not_found", route="unknown"),
    "wrong method": Refused(
        path="/v1/chat/completions", method="PUT", status=405, error="method_not_allowed", route="chat"
    ),
    "too many": Refused(path="/v1/messages", running=1, status=503, error="draining", route="messages"),
    "shutting down": Refused(path="/v1/messages", is_draining=True, status=503, error="draining", route="messages"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refusals_before_any_key_are_recorded_ten_times_a_minute(case):
    world = World("[limits]\nconnections = 1\n")
    world.plane.is_draining = case.is_draining
    world.plane.exchanges |= set(range(case.running))
    answers = [world.call(case.path, b"{}", method=case.method, key="") for _ in range(25)]
    assert [answer.status for answer in answers] == [case.status] * 25
    assert len(world.records) == 10
    for answer, record in zip(answers, world.records, strict=False):
        assert record.id == "rec_" + answer.headers["x-portkey-request-id"].replace("-", "")
        assert record.trace_id == answer.headers["x-portkey-trace-id"]
        seen = (record.status, record.error, record.error_origin, record.route, record.method)
        assert seen == (case.status, case.error, "gateway", case.route, case.method)
        assert record.bytes_out == len(answer.body)
    world.clock.unix = lambda: 1_790_000_060.0
    world.call(case.path, b"{}", method=case.method, key="")
    assert len(world.records) == 11


def test_a_flood_of_one_refusal_hides_no_other(world):
    for _ in range(20):
        world.call("/v1/nothing", key="")
    world.call("/v1/messages", b"{}", key="wrong")
    world.call("/v1/messages", method="PUT")
    assert [record.status for record in world.records] == [404] * 10 + [401, 405]


def test_what_a_key_could_not_find_is_always_recorded(world):
    for _ in range(20):
        world.upstream.will(FakeResponse(404, JSON, b"{}"))
        world.call("/v1/messages", {"model": "@anthropic/m", "messages": []})
    assert len(world.records) == 20


def test_the_count_of_open_requests_goes_down_again(world):
    world.upstream.will(FakeResponse(200, JSON, b"{}"))
    world.call("/v1/messages", {"model": "@anthropic/m", "messages": []})
    assert world.plane.exchanges == set()


@pytest.mark.parametrize("path", ["/v1/v1/messages", "/messages", "/v1/messages/"])
def test_sdk_habits_of_base_urls(world, path):
    world.upstream.will(FakeResponse(200, JSON, b"{}"))
    assert world.call(path, {"model": "@anthropic/m", "messages": []}).status == 200


def test_errors_of_the_http_server_have_our_shape(world):
    headers, body = world.plane.server_error(431, "The request head is too large")
    assert dict(headers)[b"x-portkey-trace-id"]
    assert json.loads(body)["error"]["message"] == "The request head is too large"
