import pytest

from tests.unit.dataplane.fakes import JSON, FakeResponse, World

ASK = {"model": "@anthropic/claude-x", "messages": [{"role": "user", "content": "x" * 400}]}


@pytest.fixture
def world():
    return World()


def test_anthropic_counts_itself(world):
    world.upstream.will(FakeResponse(200, JSON, b'{"input_tokens": 42}'))
    answer = world.call(
        "/v1/messages/count_tokens", b'{"model":"@anthropic/claude-x","messages":[ ]}', query=b"beta=true"
    )
    assert answer.body == b'{"input_tokens": 42}'
    assert world.sent.target == b"/v1/messages/count_tokens?beta=true"
    assert world.sent.body == b'{"model":"claude-x","messages":[ ]}'
    assert world.record.tokens.input is None, "counting costs nothing"


def test_others_are_estimated(world):
    answer = world.call("/v1/messages/count_tokens", {**ASK, "model": "@openai/gpt-x"})
    assert answer.json() == {"input_tokens": 107}
    assert answer.headers["x-portkey-token-count"] == "estimated"
    assert world.upstream.sent == []


def test_errors_are_the_providers_own(world):
    body = b'{"type":"error","error":{"type":"not_found_error","message":"model: x"}}'
    world.upstream.will(FakeResponse(404, JSON, body))
    answer = world.call("/v1/messages/count_tokens", ASK)
    assert (answer.status, answer.body) == (404, body)
