"""The requests have the sizes and the marks that the programs in C look for."""

import json

import pytest

from bench.payloads import Shape, write_body
from bench.systems import direct, lockgate


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize(
    "size,least,most", [("small", 900, 1500), ("large", 90_000, 130_000), ("history", 430_000, 480_000)]
)
def test_sizes_are_as_the_table_says(api, size, least, most):
    assert least <= len(write_body(Shape(api=api, size=size), "claude-mock")) <= most


@pytest.mark.parametrize("api", ["chat", "messages"])
def test_a_huge_request_stays_below_32_mib(api):
    size_bytes = len(write_body(Shape(api=api, size="huge"), "claude-mock"))
    assert 32 * 1024 * 1024 - 8192 < size_bytes <= 32 * 1024 * 1024


def test_the_user_id_names_the_model_even_when_the_gateway_renames_it():
    body = write_body(Shape(api="chat", model="claude-paced", is_stream=True), "@anthropic/other")
    assert b'-paced"' in body
    assert b'"stream":true' in body


def test_a_proxy_gets_the_native_request_where_others_get_a_chat():
    path, shape, model = direct().request(Shape(api="chat"))
    assert (path, shape.api, model) == ("/v1/messages", "messages", "claude-mock")
    assert "max_tokens" in json.loads(write_body(shape, model))


def test_lockgate_is_asked_by_the_providers_name():
    path, _, model = lockgate("python").request(Shape(api="chat"))
    assert (path, model) == ("/v1/chat/completions", "@anthropic/claude-mock")
