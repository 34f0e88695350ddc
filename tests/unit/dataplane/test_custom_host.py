import json

import pytest

from tests.unit.dataplane.fakes import JSON, FakeResponse, World
from tests.unit.dataplane.test_exchange import ASK, CHAT, MESSAGE


@pytest.fixture
def world():
    return World()


def test_a_callers_own_key_goes_to_the_callers_host_and_is_guarded(world):
    world.upstream.will(FakeResponse(200, JSON, json.dumps(MESSAGE).encode()))
    world.call(
        "/v1/messages",
        {**ASK, "model": "claude-x"},
        x_portkey_provider="anthropic",
        x_api_key="sk-own",
        x_portkey_custom_host="https://models.example.com/v1/",
    )
    assert (world.sent.origin.host, world.sent.origin.guarded) == ("models.example.com", True)
    assert world.sent.target == b"/v1/messages"


def test_a_record_that_allows_it_can_be_pointed_elsewhere(world):
    world.upstream.will(FakeResponse(200, JSON, json.dumps(CHAT).encode()))
    world.call(
        "/v1/chat/completions", {**ASK, "model": "@local/m"}, x_portkey_custom_host="https://gpu.example.com:8443/v1"
    )
    assert (world.sent.origin.host, world.sent.origin.port) == ("gpu.example.com", 8443)
    assert world.sent.target == b"/v1/chat/completions"


def test_a_records_credential_does_not_go_to_a_host_of_the_callers_choice(world):
    answer = world.call("/v1/messages", ASK, x_portkey_custom_host="https://evil.example.com/v1")
    assert answer.status == 400
    assert "allow_custom_host" in answer.json()["error"]["message"]
    assert answer.json()["error"]["param"] == "x-portkey-custom-host"
    assert world.upstream.sent == []


def test_a_private_host_needs_no_credential_of_ours(world):
    world.upstream.will(FakeResponse(200, JSON, json.dumps(CHAT).encode()))
    world.call(
        "/v1/chat/completions",
        {**ASK, "model": "m"},
        x_portkey_provider="openai-compatible",
        x_portkey_custom_host="https://models.example.com",
    )
    assert world.sent.target == b"/chat/completions"
    assert all(name != b"authorization" for name, _ in world.sent.headers)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://metadata/", "ftp://x/", "http://u:p@x.example/", "x" * 3000, "http://0x7f000001/"],
)
def test_hosts_that_are_never_allowed(world, url):
    answer = world.call("/v1/chat/completions", {**ASK, "model": "@local/m"}, x_portkey_custom_host=url)
    assert answer.status == 400
    assert world.upstream.sent == []
