"""What every endpoint has in common: who may, what is read, what is answered."""

import asyncio
import json

import pytest

from lockgate.admin.access import PUBLIC
from lockgate.admin.endpoint import Endpoint, Streamed
from tests.unit.admin.plane import make_plane
from tests.unit.admin.stage import Stage


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def plane(stage, tmp_path):
    plane = stage.open(tmp_path)
    yield plane
    plane.close()


def assert_union(answer, status, code):
    body = answer.json()
    assert answer.status_code == status
    assert body["status"] == "failure"
    assert body["success"] is False
    assert body["type"] == "error"
    assert body["message"] == body["error"]["message"] == body["data"]["message"]
    assert body["error"]["code"] == body["data"]["errorCode"] == code
    assert body["request_id"] == answer.headers["x-portkey-request-id"]
    assert answer.headers["x-portkey-trace-id"]
    return body


def test_a_thing_is_made_and_the_process_takes_it_over(plane, stage):
    answer = plane.ask("POST", "/v1/things", json={"name": "a", "isDefault": 1, "unknown": 2})
    assert answer.status_code == 200
    ignored = "unknown: there is no such field here; it was ignored"
    assert answer.json() == {"id": "a", "note": "", "warnings": [ignored]}
    assert answer.headers["x-portkey-ignored-fields"] == "unknown"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["etag"] == '"3"'
    assert stage.made[0].is_default is True
    assert plane.taken_over == 1


def test_nothing_to_say_is_an_empty_object_with_200(plane):
    answer = plane.ask("DELETE", "/v1/things/a", content=b"not json, and not wanted")
    assert (answer.status_code, answer.content) == (200, b"{}")


def test_the_client_names_the_trace(plane):
    answer = plane.ask("GET", "/v1/things", headers={"x-portkey-trace-id": "mine"})
    assert answer.headers["x-portkey-trace-id"] == "mine"
    assert answer.headers["x-portkey-total-count"] == "9"


@pytest.mark.parametrize(
    "query, ids",
    [
        ("", ["0", "1"]),
        ("?", ["0", "1"]),
        ("?pageSize=1&currentPage=2", ["2"]),
        ("?page_size=1&current_page=2", ["2"]),
        ("?page_size=99", ["0", "1", "2"]),
        ("?page_size=NOT_GIVEN&current_page=None&workspaceId=x&promptSlug=", ["0", "1"]),
    ],
)
def test_pages_under_both_spellings(plane, query, ids):
    assert [thing["id"] for thing in plane.ask("GET", "/v1/things" + query).json()["data"]] == ids


@pytest.mark.parametrize("path", ["/v1/things/x", "/v1/things/x/", "/v1/v1/things/x", "/things/x"])
def test_the_version_may_stand_once_twice_or_not_at_all(plane, path):
    assert plane.ask("GET", path).json()["id"] == "x"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-portkey-api-key": "KEY", "authorization": "Bearer OPENAI_API_KEY"},
        {"authorization": "Bearer KEY"},
        {"authorization": "KEY"},
        {"authorization": "Bearer OPENAI_API_KEY", "x-api-key": "KEY"},
    ],
)
def test_where_a_key_may_stand(plane, headers):
    given = {name: value.replace("KEY", plane.texts["service"], 1) if value != "Bearer OPENAI_API_KEY" else value
             for name, value in headers.items()}  # fmt: skip
    assert plane.ask("GET", "/v1/things", key=None, headers=given).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-portkey-api-key": "wrong", "authorization": "Bearer KEY"},
        {"x-portkey-api-key": "gk_mistyped"},
        {"authorization": "Bearer OPENAI_API_KEY"},
        {"authorization": "Basic KEY"},
    ],
)
def test_a_missing_or_unknown_key_is_401(plane, headers):
    given = {name: value.replace(" KEY", " " + plane.texts["service"]) for name, value in headers.items()}
    body = assert_union(plane.ask("POST", "/v1/things", key=None, headers=given, content=b"{"), 401, "AB05")
    assert body["error"]["type"] == "authentication_error"
    assert not any(key in json.dumps(body) for key in ("wrong", "mistyped", plane.texts["service"]))


def test_the_wrong_kind_of_key_is_told_which_kind(plane):
    body = assert_union(plane.ask("POST", "/v1/things", key="service", json={"name": "a"}), 403, "AB03")
    assert "organisation-service or workspace-user" in body["message"]


def test_a_persons_key_may_what_the_role_may_now(plane):
    body = assert_union(plane.ask("POST", "/v1/things", key="user", json={"name": "a"}), 403, "AB03")
    assert "policies.create" in body["message"]
    plane.promote("manager")
    assert plane.ask("POST", "/v1/things", key="user", json={"name": "a"}).status_code == 200
    plane.promote("member")
    assert plane.ask("POST", "/v1/things", key="user", json={"name": "a"}).status_code == 403


def test_the_refusal_of_a_key_comes_before_that_of_a_body(plane):
    assert_union(plane.ask("POST", "/v1/things", key="service", content=b"{"), 403, "AB03")


@pytest.mark.parametrize(
    "body, path, words",
    [
        (b"{", None, "not valid JSON"),
        (b"[" * 100_000, None, "larger"),
        (b"[" * 900, None, "JSON"),
        (b"[]", None, "expected an object, got a list"),
        (b"3", None, "expected an object"),
        (b"{}", "name", "name: is missing"),
        (b'{"name": null}', "name", "expected text, got null"),
        (b'{"name": "12345678901"}', "name", "at most 10 characters"),
        (b'{"name": "a", "is_default": "maybe"}', "is_default", "expected true or false, got text"),
        (b'{"name": "a\\u0000"}', "name", "NUL"),
    ],
)
def test_a_wrong_body_names_the_field_and_the_remedy(plane, stage, body, path, words):
    answer = plane.ask("POST", "/v1/things", content=body)
    found = assert_union(answer, 413 if words == "larger" else 400, "AB01")
    assert found["error"]["param"] == path
    assert words in found["message"]
    assert stage.made == []


def test_a_query_that_is_wrong_is_refused(plane):
    body = assert_union(plane.ask("GET", "/v1/things?page_size=many"), 400, "AB01")
    assert body["error"]["param"] == "page_size"


def test_an_unknown_thing_and_an_unknown_route_are_404(plane):
    assert assert_union(plane.ask("GET", "/v1/things/none"), 404, "AB02")["error"]["param"] == "id"
    assert_union(plane.ask("GET", "/v1/nothing"), 404, "AB02")
    assert_union(plane.ask("GET", "/v1/things/a%00b"), 404, "AB02")


def test_the_wrong_method_is_405_and_says_the_right_ones(plane):
    answer = plane.ask("PUT", "/v1/things/x", key=None)
    assert_union(answer, 405, "AB02")
    assert answer.headers["allow"] == "DELETE, GET, HEAD"


def test_head_is_get_without_a_body(plane):
    answer = plane.ask("HEAD", "/v1/things/x")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(plane.ask("GET", "/v1/things/x").content))


def test_options_needs_no_key_and_allows_no_origin(plane):
    answer = plane.ask("OPTIONS", "/v1/things", key=None)
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_a_bug_is_a_500_that_tells_nothing(plane, caplog):
    answer = plane.ask("POST", "/v1/things", json={"name": "bug"})
    assert_union(answer, 500, "AB04")
    assert "secret" not in answer.text
    assert answer.headers["x-portkey-request-id"] in caplog.text


def test_if_match_that_names_another_version_is_412(plane):
    assert plane.ask("GET", "/v1/things/x", headers={"if-match": '"1"'}).status_code == 200
    assert plane.ask("GET", "/v1/things/x", headers={"if-match": 'W/"1", "9"'}).status_code == 200
    assert plane.ask("GET", "/v1/things/x", headers={"if-match": "*"}).status_code == 200
    assert_union(plane.ask("GET", "/v1/things/x", headers={"if-match": '"6"'}), 412, "AB07")


def test_the_python_sdk_gets_the_first_limit_as_an_object(plane):
    plain = plane.ask("GET", "/v1/providers").json()["data"][0]
    assert plain == {"rate_limits": [{"value": 1}, {"value": 2}]}
    shaped = plane.ask("GET", "/v1/providers", headers={"x-portkey-package-version": "portkey-2.3.4"}).json()["data"][0]
    assert shaped == {"rate_limits": {"value": 1}, "rate_limits_list": [{"value": 1}, {"value": 2}]}


class TestIdempotencyKey:
    def test_the_same_request_is_done_once(self, plane, stage):
        first, second = (
            plane.ask("POST", "/v1/things", json={"name": "a"}, headers={"idempotency-key": "i-1"}) for _ in range(2)
        )
        assert len(stage.made) == 1
        assert first.content == second.content
        assert second.headers["etag"] == first.headers["etag"]
        assert second.headers["x-lockgate-idempotent-replay"] == "true"
        assert second.headers["x-portkey-request-id"] != first.headers["x-portkey-request-id"]

    def test_another_body_is_409(self, plane, stage):
        plane.ask("POST", "/v1/things", json={"name": "a"}, headers={"idempotency-key": "i-1"})
        answer = plane.ask("POST", "/v1/things", json={"name": "b"}, headers={"idempotency-key": "i-1"})
        assert_union(answer, 409, "AB07")
        assert len(stage.made) == 1

    def test_another_caller_has_keys_of_its_own(self, plane, stage):
        plane.promote("manager")
        plane.ask("POST", "/v1/things", json={"name": "a"}, headers={"idempotency-key": "i-1"})
        plane.ask("POST", "/v1/things", json={"name": "b"}, headers={"idempotency-key": "i-1"}, key="user")
        assert len(stage.made) == 2

    def test_a_request_that_failed_may_be_tried_again(self, plane, stage):
        for _ in range(2):
            plane.ask("POST", "/v1/things", json={"name": "bug"}, headers={"idempotency-key": "i-1"})
        assert len(stage.made) == 2

    def test_a_key_that_is_too_long_is_refused(self, plane):
        answer = plane.ask("POST", "/v1/things", json={"name": "a"}, headers={"idempotency-key": "i" * 256})
        assert_union(answer, 400, "AB01")


def test_the_document_describes_the_routes_and_needs_no_key(plane):
    document = plane.ask("GET", "/v1/openapi.json", key=None).json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {"/v1/things", "/v1/things/{id}", "/v1/providers", "/v1/open", "/v1/openapi.json"}


class Pieces:
    """What a streaming endpoint gives: pieces until it is closed, or until it fails."""

    def __init__(self, pieces, *, waits=False, error=None):
        self.pieces, self.waits, self.error, self.is_closed = pieces, waits, error, False

    async def give(self):
        try:
            for piece in self.pieces:
                yield piece
            if self.error is not None:
                raise self.error
            if self.waits:
                await asyncio.Event().wait()
        finally:
            self.is_closed = True


def streaming(tmp_path, source):
    def handle(call):
        return Streamed(content_type=b"text/plain", chunks=source.give(), headers=((b"x-a", b"1"),))

    endpoint = Endpoint(method="GET", path="/pieces", access=PUBLIC, summary="Give pieces", handler=handle)
    return make_plane(tmp_path / "home", endpoints=[endpoint])


def test_an_answer_may_come_piece_by_piece(tmp_path):
    source = Pieces([b"a", b"b"])
    plane = streaming(tmp_path, source)
    answer = plane.ask("GET", "/pieces", None)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"ab", "text/plain")
    assert answer.headers["x-a"] == "1"
    assert answer.headers["x-portkey-request-id"]
    assert source.is_closed
    assert plane.ask("HEAD", "/pieces", None).content == b""
    plane.close()


@pytest.mark.parametrize("error", [None, RuntimeError("in the middle")], ids=["left", "failed"])
def test_a_stream_ends_when_the_client_leaves_or_something_fails(tmp_path, error):
    source = Pieces([b"a"], waits=True, error=error)
    plane = streaming(tmp_path, source)
    sent = []

    async def run():
        has_piece = asyncio.Event()
        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive():
            if requests:
                return requests.pop()
            await has_piece.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if message.get("body"):
                has_piece.set()

        scope = {"type": "http", "method": "GET", "path": "/v1/pieces", "headers": [], "query_string": b""}
        await plane.app(scope, receive, send)

    if error is None:
        asyncio.run(run())
    else:
        with pytest.raises(RuntimeError):
            asyncio.run(run())
    assert [message.get("body") for message in sent] == [None, b"a"], "no end: what was cut off does not look whole"
    assert source.is_closed
    plane.close()
