"""Each failure reaches the caller as the SDK's own exception, in both dialects, streamed and not.

The table is in ``cases.py``; here it runs with the newest releases. What no SDK can send comes after it, as plain HTTP.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.e2e.cases import CASES, CLAUDE, GPT, Case, Result, check, error_of
from tests.e2e.clients import Client
from tests.e2e.gateway import BODY_LIMIT_BYTES, CANARIES, GATEWAY_KEY, UPSTREAM_KEY, Evidence, Server
from tests.e2e.recorder import DETAILED, Recorder
from tests.e2e.simulated import requests_with

# The first test to need an SDK may have to install it.
pytestmark = pytest.mark.timeout(600)

NEWEST = ["python-newest", "javascript-newest"]
KEY = {"x-portkey-api-key": GATEWAY_KEY}
MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"


@pytest.mark.parametrize("name", NEWEST)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_failure_is_the_sdks_own_exception(
    name: str, case: Case, client_named: Callable[[str], Client], results_of: Callable[[str], dict[str, Result]]
) -> None:
    check(case, client_named(name), results_of(name)[case.id])


@pytest.mark.parametrize("name", NEWEST)
@pytest.mark.parametrize(
    "sdk, status, calls", [("anthropic", 400, 1), ("anthropic", 529, 3), ("openai", 400, 1), ("openai", 529, 3)]
)
def test_upstream_is_called_as_often_as_the_sdk_asks(
    name: str,
    sdk: str,
    status: int,
    calls: int,
    client_named: Callable[[str], Client],
    gateway: Server,
    simulator: Server,
) -> None:
    """The gateway adds no retry of its own to the SDK's two."""
    tag = f"(retries {name} {sdk} {status})"
    text = f"[[sim: status={status}]] {tag}"
    model = f"@sim-anthropic/{CLAUDE}"
    client_named(name).one(sdk=sdk, origin=gateway.url, model=model, api_key=GATEWAY_KEY, text=text, max_retries=2)
    assert len(requests_with(simulator, tag)) == calls


@pytest.mark.parametrize("name", NEWEST)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_portkey_sdk_does_not_repeat_what_carries_our_headers(
    name: str, stream: bool, client_named: Callable[[str], Client], gateway: Server, simulator: Server
) -> None:
    """It calls again after every status from 500 on that lacks the x-portkey headers."""
    tag = f"(portkey {name} {stream})"
    outcome = client_named(name).one(
        sdk="portkey",
        origin=gateway.url,
        model=f"@sim-anthropic/{CLAUDE}",
        api_key=GATEWAY_KEY,
        text=f"[[sim: status=500]] {tag}",
        stream=stream,
    )
    assert outcome["error"]["status"] == 500
    assert len(requests_with(simulator, tag)) == 1


@contextmanager
def failing_without_our_headers() -> Iterator[tuple[str, list[str]]]:
    """Serve status 500 and nothing of ours; yield the address and the paths that were asked for."""
    seen: list[str] = []

    class Fail(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(500)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Fail) as server:
        threading.Thread(target=server.serve_forever, name="failing", daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


@pytest.mark.parametrize("name", NEWEST)
def test_portkey_sdk_repeats_what_lacks_our_headers(
    name: str, client_named: Callable[[str], Client], gateway: Server, upstream: Recorder
) -> None:
    """Why the headers matter: the same failure, once from a server that is no gateway and once through ours."""
    call = {"sdk": "portkey", "api_key": GATEWAY_KEY, "text": "[[fault: page]]"}
    with failing_without_our_headers() as (origin, seen):
        straight = client_named(name).one(origin=origin, model="m", **call)
    assert straight["error"]["status"] == 500
    assert len(seen) == 2
    through = client_named(name).one(origin=gateway.url, model="@rec-openai/m", **call)
    assert through["error"]["status"] == 502
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("name", [*NEWEST, "python-previous", "python-older", "javascript-previous"])
@pytest.mark.parametrize("model", ["@rec-openai/m", "@rec-anthropic/m"])
def test_openai_sdk_prints_what_an_html_page_says(
    name: str, model: str, client_named: Callable[[str], Client], gateway: Server
) -> None:
    """Newer ones print ``error.message`` and nothing else; a page, as a proxy before the provider sends it, has none."""
    page = "[[fault: page]]"
    outcome = client_named(name).one(sdk="openai", origin=gateway.url, model=model, api_key=GATEWAY_KEY, text=page)
    assert outcome["error"]["status"] == 502
    assert "Bad Gateway" in outcome["error"]["message"]
    assert "<html" not in outcome["error"]["message"]


@pytest.mark.parametrize("name", ["python-newest", "python-older", "javascript-newest"])
def test_details_of_an_error_come_byte_for_byte_and_their_code_in_chat(
    name: str, client_named: Callable[[str], Client], http: httpx.Client, gateway: Server
) -> None:
    text = "[[fault: detailed]]"
    body = {"model": "@rec-anthropic/m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    assert http.post(MESSAGES, headers=KEY, json=body).content == DETAILED
    call = {"origin": gateway.url, "model": "@rec-anthropic/m", "api_key": GATEWAY_KEY, "text": text}
    native = client_named(name).one(sdk="anthropic", **call)["error"]
    assert error_of(native["body"])["details"] == json.loads(DETAILED)["error"]["details"]
    chat = client_named(name).one(sdk="openai", **call)["error"]
    assert (native["status"], chat["status"]) == (400, 400)
    assert error_of(chat["body"])["code"] == "image_too_large"


# ---- what no SDK sends --------------------------------------------------------------------------------------------


def assert_has_ids(response: httpx.Response) -> None:
    assert response.headers["x-portkey-trace-id"]
    assert response.headers["x-portkey-request-id"]


def assert_is_superset(response: httpx.Response, status: int, kind: str) -> dict[str, object]:
    """Assert the one error body that all SDKs understand; return its error object."""
    assert response.status_code == status
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["x-portkey-gateway-exception"] == "true"
    assert_has_ids(response)
    body = response.json()
    assert body["status"] == "failure"
    assert body["message"] == body["error"]["message"] != ""
    assert body["error"]["type"] == kind
    assert {"message", "type", "param", "code"} <= body["error"].keys()
    assert body["error"]["code"] is None or isinstance(body["error"]["code"], str)
    if MESSAGES in response.request.url.path:
        assert body["type"] == "error"
        assert body["request_id"]
    return body["error"]


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
@pytest.mark.parametrize(
    "body, position",
    [
        (b'{"model": "@sim-anthropic/m", }', 30),
        (b'{"model": "@sim-anthropic/m"', 28),
        (b'{"model": "@sim-anthropic/m", "messages": [1, 2', 47),
        (b"\x00", 0),
    ],
    ids=["comma", "open object", "open array", "no json"],
)
def test_malformed_json_is_refused_with_its_byte_position(
    path: str, body: bytes, position: int, http: httpx.Client
) -> None:
    response = http.post(path, headers=KEY | {"content-type": "application/json"}, content=body)
    error = assert_is_superset(response, 400, "invalid_request_error")
    assert f"byte {position}" in str(error["message"])


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
@pytest.mark.parametrize("body", [b"", b"[]", b'"text"', b"null"])
def test_body_that_is_no_object_is_refused(path: str, body: bytes, http: httpx.Client) -> None:
    response = http.post(path, headers=KEY | {"content-type": "application/json"}, content=body)
    assert_is_superset(response, 400, "invalid_request_error")


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_missing_model_is_refused(path: str, http: httpx.Client) -> None:
    response = http.post(path, headers=KEY, json={"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5})
    assert_is_superset(response, 400, "invalid_request_error")


def pieces() -> Iterator[bytes]:
    yield b'{"model": "'
    for _ in range(32):
        yield b"x" * (BODY_LIMIT_BYTES // 16)


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_body_of_unknown_length_is_refused_at_the_limit(path: str, http: httpx.Client) -> None:
    response = http.post(path, headers=KEY | {"content-type": "application/json"}, content=pieces())
    assert_is_superset(response, 413, "request_too_large")


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_missing_key_is_refused_before_the_body_is_judged(path: str, http: httpx.Client) -> None:
    error = assert_is_superset(http.post(path, content=b"not json"), 401, "authentication_error")
    assert error["code"] == "03"


@pytest.mark.parametrize("path", ["/nothing", "/v2/messages", "/v1x"])
def test_unknown_route_is_not_found(path: str, http: httpx.Client) -> None:
    response = http.post(path, headers=KEY, json={})
    assert_is_superset(response, 404, "not_found_error")
    assert response.json()["ok"] is False


@pytest.mark.parametrize("method, path", [("GET", MESSAGES), ("DELETE", CHAT), ("POST", "/v1/models")])
def test_wrong_method_is_refused(method: str, path: str, http: httpx.Client) -> None:
    response = http.request(method, path, headers=KEY)
    assert_is_superset(response, 405, "invalid_request_error")
    assert response.headers["allow"]


@pytest.mark.parametrize(
    "path, model", [(MESSAGES, CLAUDE), (CHAT, CLAUDE), (CHAT, GPT)], ids=["messages", "translated", "chat"]
)
@pytest.mark.parametrize("status", [500, 529])
def test_upstream_5xx_carries_our_ids(path: str, model: str, status: int, http: httpx.Client) -> None:
    provider = "sim-openai" if model == GPT else "sim-anthropic"
    text = f"[[sim: status={status}]]"
    body = {"model": f"@{provider}/{model}", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    response = http.post(path, headers=KEY, json=body)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert_has_ids(response)


def test_success_carries_our_ids_too(http: httpx.Client) -> None:
    body = {"model": f"@sim-anthropic/{CLAUDE}", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
    for path in (MESSAGES, CHAT):
        for stream in (False, True):
            response = http.post(path, headers=KEY, json=body | {"stream": stream})
            assert response.status_code == 200
            assert response.headers["x-portkey-provider"] == "anthropic"
            assert_has_ids(response)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_upstreams_own_gateway_headers_are_replaced(
    path: str, stream: bool, http: httpx.Client, upstream: Recorder
) -> None:
    """The recorder answers with x-portkey headers and a cookie, as a chained gateway might."""
    body = {"model": "@rec-anthropic/m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
    response = http.post(path, headers=KEY, json=body | {"stream": stream})
    assert response.status_code == 200
    assert response.headers.get_list("x-portkey-trace-id") != ["not-ours"]
    assert len(response.headers.get_list("x-portkey-trace-id")) == 1
    assert response.headers.get_list("x-portkey-provider") == ["anthropic"]
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
@pytest.mark.parametrize(
    "upstream_says, client_sees", [("60", {"60"}), ("3600", {"60", None}), ("518400", {"60", None})]
)
def test_client_is_never_told_to_wait_longer_than_a_minute(
    path: str, upstream_says: str, client_sees: set[str | None], http: httpx.Client
) -> None:
    """Newer SDKs obey any value, so a longer one would hang the caller."""
    text = f"[[sim: status=429, retry_after={upstream_says}]]"
    body = {"model": f"@sim-anthropic/{CLAUDE}", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    response = http.post(path, headers=KEY, json=body)
    assert response.status_code == 429
    assert response.headers.get("retry-after") in client_sees
    if "retry-after" not in response.headers:
        assert response.headers["x-should-retry"] == "false"


def test_request_ids_differ_and_a_given_trace_id_is_kept(http: httpx.Client) -> None:
    answers = [http.post(CHAT, headers={"x-portkey-trace-id": "trace-of-mine"}, json={}) for _ in range(2)]
    assert {answer.headers["x-portkey-trace-id"] for answer in answers} == {"trace-of-mine"}
    assert len({answer.headers["x-portkey-request-id"] for answer in answers}) == 2


def test_translated_provider_error_names_its_provider(http: httpx.Client) -> None:
    """So that a provider's 401 is not mistaken for ours."""
    body = {
        "model": f"@sim-anthropic/{CLAUDE}",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "[[sim: status=401]]"}],
    }
    answer = http.post(CHAT, headers=KEY, json=body)
    assert answer.status_code == 401
    assert answer.json()["provider"] == "anthropic"
    assert answer.json()["error"]["message"].startswith("anthropic error: ")
    assert "x-portkey-gateway-exception" not in answer.headers


def test_native_messages_error_is_the_providers_own_bytes(http: httpx.Client, simulator: Server) -> None:
    body = {"model": CLAUDE, "max_tokens": 9, "messages": [{"role": "user", "content": "[[sim: status=529]]"}]}
    direct = httpx.post(
        simulator.url + MESSAGES,
        headers={"x-api-key": UPSTREAM_KEY, "anthropic-version": "2023-06-01"},
        json=body,
        trust_env=False,
    )
    answer = http.post(MESSAGES, headers=KEY, json=body | {"model": f"@sim-anthropic/{CLAUDE}"})
    assert answer.status_code == direct.status_code == 529
    assert answer.json().keys() == direct.json().keys()
    assert answer.json()["error"] == direct.json()["error"]


@pytest.mark.parametrize("name", CANARIES)
def test_leak_check_notices_a_canary(name: str, tmp_path) -> None:
    for evidence in (texts := Evidence(), folders := Evidence()):
        assert evidence.leaks() == []
    texts.add("an error", {"message": f"wrong key {CANARIES[name]}"})
    (tmp_path / "output.log").write_bytes(b"\xff" + CANARIES[name].encode())
    folders.folders.append(tmp_path)
    assert texts.leaks() == [f"{name} in an error"]
    assert folders.leaks() == [f"{name} in {tmp_path / 'output.log'}"]
