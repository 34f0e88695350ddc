import asyncio
import json

import pytest
from msgspec import structs

from lockgate.core.limits import Budget, Claim
from lockgate.errors import Unreachable
from tests.unit.dataplane.fakes import JSON, FakeResponse, World


@pytest.mark.parametrize("path", ["/v1/files/{}", "/v1/files/{}/content", "/v1/batches/{}", "/v1/messages/batches/{}"])
@pytest.mark.parametrize("id", ["a.b", "..", "a%", "x" * 257])
def test_an_id_that_could_change_a_path_is_refused(path, id):
    world = World()
    got = world.call(path.format(id), method="GET", x_portkey_provider="@anthropic")
    assert (got.status, world.upstream.sent, world.record.error) == (400, [], "invalid_request")


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches", "/v1/messages/batches"])
def test_a_key_is_needed(path):
    world = World()
    assert world.call(path, method="GET", key=None, x_portkey_provider="@anthropic").status == 401
    assert world.upstream.sent == []


def test_what_is_kept_at_a_host_of_the_callers_choice_is_not_remembered():
    world = World()
    world.upstream.will(FakeResponse(200, JSON, b'{"id":"file_1"}'))
    host = {"x_portkey_provider": "openai", "x_portkey_custom_host": "https://93.184.216.34/v1", "authorization": "k"}
    assert world.call("/v1/files/file_1", method="GET", **host).status == 200
    assert world.call("/v1/files/file_1", method="GET").status == 400


def test_ids_of_files_and_of_batches_are_two_things():
    world = World()
    world.upstream.will(FakeResponse(200, JSON, b'{"id":"x"}'))
    world.call("/v1/files/x", method="GET", x_portkey_provider="@openai")
    assert world.call("/v1/batches/x", method="GET").status == 400


# ---- configs

BATCH = {
    "requests": [
        {
            "custom_id": "a",
            "params": {"model": "claude-one", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]},
        }
    ]
}
CALLS = [
    ("GET", "/v1/files", b""),
    ("GET", "/v1/files/file_1", b""),
    ("GET", "/v1/files/file_1/content", b""),
    ("DELETE", "/v1/files/file_1", b""),
    ("POST", "/v1/files", b"--b\r\n\r\nx\r\n--b--\r\n"),
    ("GET", "/v1/messages/batches", b""),
    ("POST", "/v1/messages/batches", BATCH),
    ("GET", "/v1/messages/batches/batch_1", b""),
    ("POST", "/v1/messages/batches/batch_1/cancel", b""),
    ("GET", "/v1/messages/batches/batch_1/results", b""),
    ("DELETE", "/v1/messages/batches/batch_1", b""),
    ("GET", "/v1/batches", b""),
    ("GET", "/v1/batches/batch_1", b""),
]
EVERY_CALL = pytest.mark.parametrize("call", CALLS, ids=[f"{method} {path}" for method, path, _ in CALLS])
FIRST, SECOND = {"provider": "@anthropic"}, {"provider": "@narrow"}
FALLBACK = {"strategy": {"mode": "fallback"}, "targets": [FIRST, SECOND]}
NATIVE = {"anthropic_version": "2023-06-01", "content_type": "multipart/form-data; boundary=b"}
THING = {
    "id": "batch_1",
    "type": "message_batch",
    "processing_status": "in_progress",
    "created_at": "2026-01-02T00:00:00Z",
    "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    "data": [],
    "has_more": False,
}


def ask(world, call, config, **headers):
    method, path, body = call
    return world.call(path, body, method=method, x_portkey_config=json.dumps(config), **NATIVE, **headers)


def good():
    return FakeResponse(200, JSON, json.dumps(THING).encode())


def bad(status=500):
    error = {"type": "error", "error": {"type": "api_error", "message": "no"}}
    return FakeResponse(status, JSON, json.dumps(error).encode())


def secrets_of(world):
    """Tell by whose credential each request was made."""
    return [dict(request.headers)[b"x-api-key"].decode() for request in world.upstream.sent]


@EVERY_CALL
@pytest.mark.parametrize(
    "config",
    [
        SECOND,
        {"strategy": {"mode": "single"}, "targets": [SECOND]},
        {"strategy": {"mode": "loadbalance"}, "targets": [{**FIRST, "weight": 0}, SECOND]},
        {
            "strategy": {
                "mode": "conditional",
                "conditions": [{"query": {"params.model": "x"}, "then": "one"}],
                "default": "two",
            },
            "targets": [{**FIRST, "name": "one"}, {**SECOND, "name": "two"}],
        },
    ],
    ids=["one", "single", "loadbalance", "conditional"],
)
def test_a_config_says_who_keeps_files_and_batches(call, config):
    world = World()
    world.upstream.will(good())
    got = ask(world, call, {**config, "override_params": {"model": "of-the-config"}})
    assert got.status == 200, got.body
    assert secrets_of(world) == ["sk-n"]
    assert b"of-the-config" not in world.sent.body, "what it sets in bodies of model calls is not for these"
    where = "config" if config is SECOND else f"config.targets[{len(config['targets']) - 1}]"
    assert got.headers["x-portkey-last-used-option-index"] == world.record.path == where
    assert (got.headers["x-portkey-cache-status"], world.record.config_id is not None) == ("DISABLED", True)


@EVERY_CALL
def test_a_wrong_config_is_refused_with_its_path_and_nobody_is_asked(call):
    world = World()
    got = ask(world, call, {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@anthropic", "weight": -1}]})
    assert got.status == 400
    assert "targets.0.weight" in got.body.decode()
    assert not world.upstream.sent


@EVERY_CALL
def test_a_target_that_fails_is_followed_by_the_next_unless_the_body_was_an_upload(call):
    world = World()
    world.upstream.will(bad(), good())
    got = ask(world, call, FALLBACK)
    is_upload = call[:2] == ("POST", "/v1/files")
    assert (got.status, secrets_of(world)) == (
        (500, ["sk-ant-record"]) if is_upload else (200, ["sk-ant-record", "sk-n"])
    )
    attempts = [(attempt.path, attempt.status) for attempt in world.record.attempts]
    second = [] if is_upload else [("config.targets[1]", 200)]
    assert attempts == [("config.targets[0]", 500), *second]
    assert world.record.error == ("upstream_rejected" if is_upload else None)


@EVERY_CALL
def test_a_target_that_cannot_be_asked_is_followed_by_the_next_uploads_too(call):
    world = World()
    world.upstream.will(good())
    got = ask(world, call, {**FALLBACK, "targets": [{"provider": "@nobody"}, SECOND]})
    assert (got.status, secrets_of(world)) == (200, ["sk-n"])
    assert got.headers["x-portkey-last-used-option-index"] == "config.targets[1]"


def test_a_list_is_tried_again_where_the_config_says_so(monkeypatch):
    slept = []

    async def sleep(delay_s):
        slept.append(delay_s)

    monkeypatch.setattr("lockgate.dataplane.walk.asyncio.sleep", sleep)
    world = World()
    world.upstream.will(bad(529), Unreachable("no"), good())
    got = ask(world, ("GET", "/v1/files", b""), {**FIRST, "retry": {"attempts": 3}})
    assert (got.status, slept, got.headers["x-portkey-retry-attempt-count"]) == (200, [1.0, 2.0], "2")


def test_what_one_target_keeps_is_asked_of_that_one_whatever_the_dice_say():
    world = World()
    config = {"strategy": {"mode": "loadbalance"}, "targets": [FIRST, SECOND]}
    world.plane.roll = lambda: 0.9
    world.upstream.will(good(), good(), good())
    ask(world, ("POST", "/v1/messages/batches", BATCH), config)
    world.plane.roll = lambda: 0.1
    ask(world, ("GET", "/v1/messages/batches/batch_1", b""), config)
    assert secrets_of(world) == ["sk-n", "sk-n"]
    assert [record.path for record in world.records] == ["config.targets[1]"] * 2
    ask(world, ("GET", "/v1/messages/batches/batch_1", b""), FIRST)
    assert secrets_of(world)[2] == "sk-ant-record", "a config that does not know the keeper is stronger than memory"


def test_a_batch_that_failed_at_one_target_reserves_nothing_there():
    world = World()
    budget = Budget(id="b", scope="key", name="k", unit="tokens", cap=10**9)
    snapshot = world.plane.snapshot
    keys = {digest: structs.replace(key, claims=(Claim(budget),)) for digest, key in snapshot.keys.items()}
    world.plane.snapshot = structs.replace(snapshot, keys=keys)
    world.upstream.will(bad(), bad())
    assert ask(world, ("POST", "/v1/messages/batches", BATCH), FALLBACK).status == 500
    assert len(world.upstream.sent) == 2
    (usage,) = asyncio.run(world.counters.usage([Claim(budget)]))
    assert (usage.reserved, usage.used) == (0, 0)


def test_the_config_of_a_key_holds_for_files_too_and_may_forbid_others():
    world = World()
    snapshot = world.plane.snapshot
    workspace = snapshot.workspace_of(None)
    routes = world.plane.crossroads.inline.compile(json.dumps(SECOND).encode())
    workspace = structs.replace(workspace, configs={"pc-one": routes})
    keys = {
        digest: structs.replace(key, config_id="pc-one", allow_config_override=False)
        for digest, key in snapshot.keys.items()
    }
    world.plane.snapshot = structs.replace(snapshot, keys=keys, workspaces={workspace.id: workspace})
    world.upstream.will(good())
    assert world.call("/v1/files", method="GET", anthropic_version="2023-06-01").status == 200
    assert secrets_of(world) == ["sk-n"]
    assert ask(world, ("GET", "/v1/files", b""), FIRST).status == 400
