"""The two programs in C agree with each other; skipped where there is no C compiler."""

import http.client
import json
import subprocess

import pytest

from bench.errors import BenchError
from bench.payloads import Shape, write_body
from bench.processes import Children
from bench.programs import build
from bench.upstream import start_fake_provider

HEADERS = ("x-api-key: k", "anthropic-version: 2023-06-01")


@pytest.fixture(scope="module")
def programs():
    try:
        return build()
    except BenchError as error:
        pytest.skip(str(error))


@pytest.fixture
def provider(programs):
    with Children() as children:
        yield start_fake_provider(programs, children, None)


def run_load(programs, provider, tmp_path, shape, *options, headers=HEADERS):
    body = tmp_path / "body.json"
    body.write_bytes(write_body(shape, shape.model))
    path = "/v1/messages" if shape.api == "messages" else "/v1/chat/completions"
    command = [programs.load, "--port", str(provider.port), "--path", path, "--body", body, "--connections", "4"]
    for header in headers:
        command += ["--header", header]
    done = subprocess.run(
        [*command, "--seconds", "0.1", "--expect", shape.expected, *options], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_both_sides_count_the_same(programs, provider, tmp_path, api, is_stream):
    result = run_load(programs, provider, tmp_path, Shape(api=api, is_stream=is_stream))
    counters = provider.counters()
    assert result["ok"] == counters["requests"] > 0
    assert result["refused"] == result["broken"] == result["incomplete"] == 0
    assert result["events"] == counters["events"]
    assert counters["streams_done"] == (result["ok"] if is_stream else 0)


def test_a_fixed_rate_sends_by_the_timetable(programs, provider, tmp_path):
    result = run_load(programs, provider, tmp_path, Shape(api="messages"), "--rate", "100")
    assert 8 <= result["ok"] <= 10


@pytest.mark.parametrize("headers,status", [((), 401), (("x-api-key: k",), 400)])
def test_what_a_provider_would_refuse_is_refused(programs, provider, tmp_path, headers, status):
    result = run_load(programs, provider, tmp_path, Shape(api="messages"), headers=headers)
    assert result["ok"] == 0
    assert result["refused"] == provider.counters()["refused"] > 0
    assert result["last_status"] == status


def test_an_answer_without_its_end_is_incomplete(programs, provider, tmp_path):
    result = run_load(programs, provider, tmp_path, Shape(api="messages"), "--expect", "never said")
    assert result["ok"] == 0
    assert result["incomplete"] > 0


def test_leaving_in_the_middle_of_a_stream_is_counted(provider):
    shape = Shape(api="messages", model="claude-paced", is_stream=True)
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=5)
    connection.request(
        "POST", "/v1/messages", write_body(shape, shape.model), dict(line.split(": ") for line in HEADERS)
    )
    answer = connection.getresponse()
    assert answer.read(10)
    answer.close()
    connection.close()
    while not provider.counters()["streams_aborted"]:
        pass
    assert provider.counters()["streams_done"] == 0


def test_a_long_answer_has_256_events(programs):
    shape = Shape(api="messages", model="claude-long-paced", is_stream=True)
    headers = dict(line.split(": ") for line in HEADERS)
    with Children() as children:
        provider = start_fake_provider(programs, children, None, pace_ms=1)
        connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=5)
        connection.request("POST", "/v1/messages", write_body(shape, shape.model), headers)
        said = connection.getresponse().read()
        connection.close()
    assert said.count(b"data: ") == 256
    assert said.count(b"content_block_delta\ndata") == 250
    assert said.endswith(b'data: {"type":"message_stop"}\n\n')


def test_a_chunked_request_is_understood(provider):
    body = write_body(Shape(api="messages"), "claude-mock")
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=5)
    headers = {**dict(line.split(": ") for line in HEADERS), "Transfer-Encoding": "chunked"}
    pieces = (body[i : i + 100] for i in range(0, len(body), 100))
    connection.request("POST", "/v1/messages", pieces, headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert provider.counters()["largest_body_bytes"] == len(body)
