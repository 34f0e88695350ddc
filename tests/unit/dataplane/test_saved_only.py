"""Where only what is saved may be used, nothing that a request brings along decides where it goes."""

import json

import pytest
from msgspec import structs

from lockgate.config import read_document
from lockgate.core.secret import Secret
from lockgate.plan.compile import Sources, compile_snapshot
from lockgate.providers import load_providers
from tests.unit.dataplane.fakes import JSON, FakeResponse, World

ASK = {"model": "@local/m", "messages": [{"role": "user", "content": "Hi"}]}
REPLY = {"id": "c", "object": "chat.completion", "model": "m", "choices": [], "usage": {}}
INLINE = json.dumps({"provider": "@local"})
CONFIGS = '\n[configs.main]\nprovider = "@local"\n'


def world(*, is_saved_only=True):
    from tests.unit.dataplane.fakes import CONFIG

    made = World(CONFIG + CONFIGS)
    snapshot = made.plane.snapshot
    workspaces = {id: structs.replace(one, is_saved_only=is_saved_only) for id, one in snapshot.workspaces.items()}
    made.plane.snapshot = structs.replace(snapshot, workspaces=workspaces)
    return made


UNSAVED = [
    ({"x_portkey_config": INLINE}, "config", "x-portkey-config"),
    ({"x_portkey_provider": "openai", "authorization": "Bearer sk-mine"}, "provider", "x-portkey-provider"),
    ({"x_portkey_provider": "openai-compatible"}, "provider", "x-portkey-provider"),
    ({"x_portkey_mode": "proxy openai", "authorization": "Bearer sk-mine"}, "provider", "x-portkey-provider"),
    ({"x_portkey_custom_host": "https://evil.example.com"}, "custom_host", "x-portkey-custom-host"),
    ({"x_portkey_forward_headers": "x-team", "x_team": "a"}, "forward_headers", "x-portkey-forward-headers"),
]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("headers, what, field", UNSAVED)
def test_what_is_not_saved_is_refused_and_goes_nowhere(path, headers, what, field):
    made = world()
    answer = made.call(path, {**ASK, "max_tokens": 5}, **headers)
    assert answer.status == 400
    error = answer.json()["error"]
    assert error["message"].startswith(f"{field}: this workspace serves only what is saved in it; ")
    assert f"inline_{what}_blocked" in answer.body.decode()
    assert made.upstream.sent == []
    assert made.record.status == 400


@pytest.mark.parametrize("path", ["/v1/models", "/v1/files"])
def test_so_it_is_on_routes_without_a_model(path):
    made = world()
    headers = {"x_portkey_provider": "openai", "authorization": "Bearer sk-mine"}
    assert made.call(path, method="GET", **headers).status == 400
    assert made.upstream.sent == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_portkey_provider": "@local"},
        {"x_portkey_virtual_key": "local"},
        {"x_portkey_config": "main"},
        {"x_portkey_provider": "local"},
    ],
)
def test_what_is_saved_serves(headers):
    made = world()
    made.upstream.will(FakeResponse(200, JSON, json.dumps(REPLY).encode()))
    assert made.call("/v1/chat/completions", ASK, **headers).status == 200
    assert made.sent.origin.host == "127.0.0.1"


def test_elsewhere_inline_configs_serve():
    made = world(is_saved_only=False)
    made.upstream.will(FakeResponse(200, JSON, json.dumps(REPLY).encode()))
    assert made.call("/v1/chat/completions", ASK, x_portkey_config=INLINE).status == 200


@pytest.mark.parametrize("value, wanted", [("true", True), ("1", True), ("True", True), ("false", False), ("", False)])
def test_the_environment_can_say_so_for_all(value, wanted):
    sources = Sources(environment={"BLOCK_INLINE_CONFIG": value}, providers=load_providers())
    snapshot = compile_snapshot(read_document("", "t"), sources, Secret, 1)
    assert snapshot.workspace_of(None).is_saved_only is wanted
