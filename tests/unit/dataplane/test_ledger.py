import json
import re

import pytest

import lockgate
from lockgate.core.record import REUSED, SCHEMA_VERSION, Opened
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


def test_a_span_that_nobody_named_has_an_id_of_its_own_as_w3c_wants_it():
    world = World()
    for _ in range(2):
        world.upstream.will(FakeResponse(200, JSON, REPLY))
        world.call("/v1/messages", ASK)
    first, second = (record.span_id for record in world.records)
    assert first != second
    assert re.fullmatch("[0-9a-f]{16}", first)


@pytest.mark.parametrize(
    "model, kept", [("@gk_" + "a" * 49 + "/m", "@gk_***/m"), ("gk_" + "Z9" * 30, "gk_***"), ("@gk_x/m", "@gk_x/m")]
)
def test_a_key_in_the_models_place_is_not_recorded(model, kept):
    world = World()
    world.call("/v1/messages", {**ASK, "model": model})
    assert world.record.model_asked == kept


def test_the_path_and_what_is_replayed_stand_in_the_record():
    world = World()
    world.upstream.will(FakeResponse(200, JSON, REPLY), FakeResponse(200, JSON, REPLY))
    world.call("/v1/v1/chat/completions", ASK)
    assert (world.record.request_path, world.record.source, world.record.replay_of) == (
        "/v1/v1/chat/completions",
        None,
        None,
    )
    world = World()
    world.upstream.will(FakeResponse(200, JSON, REPLY))
    old = "rec_" + "01" * 16
    world.call("/v1/messages", ASK, x_lockgate_replay_of=old)
    assert (world.record.request_path, world.record.source, world.record.replay_of) == ("/v1/messages", "replay", old)


def test_a_record_says_who_called_and_what_served_it():
    world = World()
    world.upstream.will(FakeResponse(200, JSON, REPLY))
    world.call("/v1/chat/completions", ASK, x_forwarded_for="203.0.113.7")
    record = world.record
    assert (record.key_kind, record.workspace_slug, record.config_source) == ("workspace-service", "default", None)
    assert (record.message_count, record.tool_count, record.tool_choice) == (1, 0, None)
    assert (record.gateway_version, record.attempts[0].host) == (lockgate.__version__, "api.anthropic.com")
    assert (record.error_type, record.client_ip) == (None, None)


def test_a_connection_is_new_or_was_there_already():
    world = World()
    world.upstream.will(FakeResponse(200, JSON, REPLY), FakeResponse(200, JSON, REPLY), FakeResponse(200, JSON, REPLY))
    opened = Opened(dns_ms=1.0, tcp_ms=2.0, tls_ms=3.0)
    for answer, how in zip(world.upstream.answers, (None, opened, REUSED), strict=True):
        answer.opened = how
    for _ in range(3):
        world.call("/v1/messages", ASK)
    found = [(record.attempts[0].opened, record.attempts[0].is_reused) for record in world.records]
    assert found == [(None, False), (opened, False), (None, True)]


def test_a_failed_attempt_says_what_kind_of_error_it_was_and_how_long_to_wait():
    world = World()
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    world.upstream.will(FakeResponse(529, [*JSON, (b"retry-after", b"7")], error))
    world.call("/v1/messages", ASK)
    attempt = world.record.attempts[0]
    assert (attempt.error_type, attempt.retry_after_ms, world.record.error_type) == (
        "overloaded_error",
        7000.0,
        "overloaded_error",
    )


def test_tools_that_a_translated_answer_calls_are_named():
    world = World()
    reply = json.loads(REPLY) | {
        "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": "t", "name": "search", "input": {}}],
    }
    world.upstream.will(FakeResponse(200, JSON, json.dumps(reply).encode()))
    tool = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
    world.call("/v1/chat/completions", {**ASK, "tools": [tool], "tool_choice": "auto"})
    record = world.record
    assert (record.tool_count, record.tool_choice, record.tool_names) == (1, "auto", ("search",))
