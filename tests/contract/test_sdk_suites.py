"""The tool that runs the SDKs' own tests reads, judges and relays as it says. The suites themselves run by hand."""

from __future__ import annotations

import http.client
import threading
from collections import Counter

import msgspec
import pytest
from anthropic.types import DeletedFile, FileMetadata, Message, MessageTokensCount, ModelInfo
from anthropic.types.messages import DeletedMessageBatch, MessageBatch
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionDeleted

from tools.sdk_mock import HeaderFront, MockUpstream, answer, fingerprint, with_headers
from tools.sdk_suites import (
    Outcome,
    differences,
    read_junit,
    report,
    requirements_of,
    short,
    verdict,
)

PASSED, SKIPPED = Outcome("passed"), Outcome("skipped", "not here")
FAILED = Outcome("failed", "AssertionError: no")
JUNIT = """<testsuites><testsuite>
<testcase classname="tests.a.TestA" name="test_x[loose]"/>
<testcase classname="tests.a.TestA" name="test_y"><failure message="E: 404 - There is no route GET /x">trace</failure></testcase>
<testcase classname="tests.a.TestA" name="test_z"><skipped message="not here"/></testcase>
<testcase classname="tests.b" name="test_e"><error>fixture broke</error></testcase>
</testsuite></testsuites>"""


def test_outcomes_are_read_from_junit():
    assert read_junit(JUNIT) == {
        "tests.a.TestA.test_x[loose]": PASSED,
        "tests.a.TestA.test_y": Outcome("failed", "E: 404 - There is no route GET /x"),
        "tests.a.TestA.test_z": SKIPPED,
        "tests.b.test_e": Outcome("failed", "fixture broke"),
    }


@pytest.mark.parametrize(
    ("gateway", "mock", "refused", "expected"),
    [
        (PASSED, PASSED, FAILED, "passed"),
        (PASSED, PASSED, PASSED, "needs no answer"),
        (PASSED, None, None, "passed"),
        (SKIPPED, SKIPPED, SKIPPED, "skipped"),
        (FAILED, PASSED, FAILED, "Lockgate"),
        (FAILED, None, None, "Lockgate"),
        (FAILED, FAILED, FAILED, "suite or mock"),
        (Outcome("failed", "404 - There is no route GET /v1/x"), PASSED, FAILED, "not offered"),
        (Outcome("failed", "405 - /chat/completions takes POST, not GET"), PASSED, FAILED, "not offered"),
        (Outcome("failed", "400 - Files of this shape are not supported by openai"), PASSED, FAILED, "not offered"),
    ],
)
def test_three_runs_tell_whose_fault_a_failure_is(gateway, mock, refused, expected):
    assert verdict(gateway, mock, refused) == expected


def test_the_report_counts_every_test_and_groups_reasons():
    gateway = {"a": PASSED, "b": Outcome("failed", "E: req_12 broke\nmore"), "c": Outcome("failed", "E: req_34 broke")}
    lines = report(gateway, dict.fromkeys(gateway, PASSED), dict.fromkeys(gateway, FAILED))
    assert "    3  tests" in lines
    assert "    2  Lockgate: E: ... broke" in lines
    assert "       such as b" in lines
    assert sum(int(line.split()[0]) for line in lines[: lines.index("    3  tests")]) == len(gateway)


def test_a_reason_without_text_is_named_so():
    assert short(" \n ") == "no reason given"


def test_requests_that_went_missing_or_changed_are_told():
    assert differences(Counter({"GET /a": 2, "GET /b": 1}), Counter({"GET /a": 1, "GET /c": 1})) == [
        "only without Lockgate, 1 times: GET /a",
        "only without Lockgate, 1 times: GET /b",
        "only through Lockgate, 1 times: GET /c",
    ]


def test_checkers_and_clouds_are_not_installed():
    text = '[dependency-groups]\ndev = ["ty==1", "mypy", "pytest>=9", "types-requests", "time-machine", {include-group = "x"}]'
    assert requirements_of(text) == ["pytest>=9", "time-machine"]


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({}, True),
        ({"target": "/v1/messages?beta=true"}, False),
        ({"body": b'{"a": 1}'}, False),
        ({"headers": {"anthropic-beta": "x", "x-api-key": "other", "user-agent": "other"}}, True),
        ({"headers": {"anthropic-beta": "y"}}, False),
        ({"target": "/messages"}, True),
    ],
)
def test_a_fingerprint_holds_what_a_gateway_may_not_change(change, is_same):
    asked = {
        "method": "POST",
        "target": "/v1/messages",
        "headers": {"anthropic-beta": "x", "x-api-key": "k"},
        "body": b'{"a":1}',
    }
    assert (fingerprint(**asked) == fingerprint(**asked | change)) is is_same


def test_a_form_has_the_same_fingerprint_with_another_boundary():
    one, other = (
        fingerprint("POST", "/files", {"content-type": f"multipart/form-data; boundary={mark}"}, f"--{mark}--".encode())
        for mark in ("one", "other")
    )
    assert one == other


@pytest.mark.parametrize(
    ("request_line", "kind"),
    [
        ("POST /v1/messages", Message),
        ("POST /v1/messages/count_tokens", MessageTokensCount),
        ("GET /v1/models/m", ModelInfo),
        ("POST /v1/files", FileMetadata),
        ("DELETE /v1/files/f", DeletedFile),
        ("POST /v1/messages/batches", MessageBatch),
        ("POST /v1/messages/batches/b/cancel", MessageBatch),
        ("DELETE /v1/messages/batches/b", DeletedMessageBatch),
        ("POST /chat/completions", ChatCompletion),
        ("DELETE /v1/chat/completions/c", ChatCompletionDeleted),
    ],
)
def test_the_mock_answers_in_the_shape_that_the_sdk_declares(request_line, kind):
    method, path = request_line.split()
    status, _, body = answer(method, path, b"{}")
    assert status == 200
    kind.model_validate_json(body)


def test_the_mock_streams_chat_chunks():
    _, content_type, body = answer("POST", "/v1/chat/completions", b'{"stream": true}')
    first, done, _ = body.split(b"\n\n")
    assert (content_type, done) == ("text/event-stream", b"data: [DONE]")
    ChatCompletionChunk.model_validate_json(first.removeprefix(b"data: "))


def test_the_mock_has_no_answer_for_what_is_not_documented():
    assert answer("GET", "/v1/nothing", b"")[0] == 404


def test_added_headers_stand_before_those_of_the_client():
    head = b"POST / HTTP/1.1\r\nhost: a\r\nConnection: keep-alive\r\n\r\n"
    assert with_headers(head, {"x-a": "1"}) == b"POST / HTTP/1.1\r\nx-a: 1\r\nconnection: close\r\nhost: a\r\n\r\n"


def test_a_request_passes_the_front_whole_and_with_its_headers():
    mock = MockUpstream()
    front = HeaderFront(mock.server_address[1], {"anthropic-beta": "added"})
    for server in (mock, front):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    client = http.client.HTTPConnection(*front.server_address, timeout=20)
    try:
        pieces = iter([b'{"text":"', b"x" * 200_000, b'"}'])
        client.request("POST", "/v1/messages?beta=true", pieces, {"transfer-encoding": "chunked"}, encode_chunked=True)
        response = client.getresponse()
        assert msgspec.json.decode(response.read())["type"] == "message"
        [(line, count)] = mock.seen.items()
        assert (line.split(" {")[0], len(line) > 200_000, count) == (
            "POST /messages?beta=true anthropic-beta=added",
            True,
            1,
        )
    finally:
        client.close()
        for server in (front, mock):
            server.shutdown()
            server.server_close()


def test_a_mock_that_refuses_says_400():
    mock = MockUpstream()
    mock.refuses = True
    threading.Thread(target=mock.serve_forever, daemon=True).start()
    client = http.client.HTTPConnection(*mock.server_address, timeout=20)
    try:
        client.request("GET", "/v1/models")
        assert client.getresponse().status == 400
    finally:
        client.close()
        mock.shutdown()
        mock.server_close()
