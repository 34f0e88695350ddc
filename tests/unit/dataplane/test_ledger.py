import json

import pytest

from lockgate.core.record import SCHEMA_VERSION
from lockgate.errors import Unreachable
from tests.unit.dataplane.fakes import JSON, FakeResponse, World

ASK = {"model": "@anthropic/claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
REPLY = json.dumps(
    {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 1,
            "output_tokens": 2,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 4,
            "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 3},
            "output_tokens_details": {"thinking_tokens": 1},
        },
    }
).encode()


@pytest.mark.parametrize("answer", [FakeResponse(200, JSON, REPLY), FakeResponse(500, JSON, b"{}"), Unreachable("no")])
def test_stages_add_up_to_the_duration(answer):
    world = World()
    world.upstream.will(answer)
    world.call("/v1/chat/completions", ASK)
    stages = world.record.stages
    total = stages.receive + stages.prepare + stages.upstream_first + stages.upstream_rest + stages.finish
    assert total == pytest.approx(world.record.duration_ms, abs=0.01)
    assert all(getattr(stages, f) >= 0 for f in stages.__struct_fields__)


@pytest.mark.parametrize("body", [b"{", b""])
def test_stages_add_up_for_refusals_too(body):
    world = World()
    world.call("/v1/chat/completions", body)
    stages = world.record.stages
    total = stages.receive + stages.prepare + stages.upstream_first + stages.upstream_rest + stages.finish
    assert total == pytest.approx(world.record.duration_ms, abs=0.01)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_tokens_are_kept_in_disjoint_parts(path):
    world = World()
    world.upstream.will(FakeResponse(200, JSON, REPLY))
    world.call(path, ASK)
    tokens = world.record.tokens
    assert (tokens.input, tokens.output, tokens.cache_read, tokens.cache_write) == (1, 2, 3, 4)
    assert (tokens.cache_write_1h, tokens.reasoning) == (3, 1)


def test_a_record_says_who_asked_for_what():
    world = World()
    world.upstream.will(FakeResponse(200, JSON, REPLY))
    world.call("/v1/messages", ASK, user_agent="sdk/1")
    record = world.record
    assert (record.schema_version, record.key_id, record.user_agent) == (SCHEMA_VERSION, "key_test", "sdk/1")
    assert (record.route, record.dialect, record.method) == ("messages", "anthropic_messages", "POST")
    assert (record.model_asked, record.model, record.slug) == ("@anthropic/claude-x", "claude-x", "anthropic")
    assert record.started_at == 1_790_000_000.0
    assert record.bytes_in == len(json.dumps(ASK))
