import logging

import msgspec
import pytest

from lockgate.entities import Integration
from lockgate.errors import Unreachable
from tests.unit.admin.catalog_plane import SECRET, make_integration

MODELS = b'{"data":[{"id":"claude-a","type":"model","display_name":"A","created_at":"2026-01-01T00:00:00Z"}]}'
PATH = "/integrations/main/test"


def refusal(kind, message):
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})


def test_one_list_of_models_with_the_credential_is_enough(plane):
    make_integration(plane, slug="main", configurations={"custom_headers": {"x-tenant": "acme"}})
    plane.upstream.answers = [(200, MODELS)]
    assert plane.ok("POST", PATH) == {
        "ok": True, "status": "success", "code": "ok", "message": "The provider accepts the credential.",
        "provider_message": None, "provider_status": 200, "checked": "models", "model": None, "model_count": 1,
        "host": "api.anthropic.com", "latency_ms": 0, "object": "connection-test",
    }  # fmt: skip
    (sent,) = plane.upstream.seen
    assert (sent.method, sent.target, sent.body) == ("GET", b"/v1/models?limit=1000", b"")
    headers = dict(sent.headers)
    assert headers[b"x-api-key"] == SECRET.encode()
    assert (headers[b"x-tenant"], b"anthropic-version" in headers) == (b"acme", True)


def test_a_named_model_is_asked_for_one_token(plane):
    make_integration(plane, slug="main")
    plane.upstream.answers = [(200, b"{}"), (404, refusal("not_found_error", "model: nope"))]
    assert plane.ok("POST", PATH, json={"model": "claude-a"})["checked"] == "chat"
    (sent,) = plane.upstream.seen
    assert (sent.method, sent.target) == ("POST", b"/v1/messages")
    assert msgspec.json.decode(sent.body) == {
        "model": "claude-a", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}],
    }  # fmt: skip
    shown = plane.ok("POST", PATH, json={"model": "nope"})
    assert (shown["ok"], shown["code"], shown["provider_message"]) == (False, "no_model", "model: nope")


def test_where_no_models_are_listed_a_known_one_is_asked(plane):
    make_integration(plane, slug="main")
    plane.upstream.answers = [(404, b"<html>"), (404, b"<html>"), (200, b"{}")]
    assert plane.ok("POST", PATH)["code"] == "wrong_host"
    plane.ok("PUT", "/integrations/main/models", json={"models": [{"slug": "m"}]})
    shown = plane.ok("POST", PATH)
    assert (shown["code"], shown["checked"], shown["model"]) == ("ok", "chat", "m")


def test_a_provider_without_lists_needs_a_model(plane):
    body = {
        "ai_provider_id": "openai-compatible",
        "slug": "main",
        "configurations": {"custom_host": "https://llm.example.org/v1"},
    }
    make_integration(plane, **body)
    provider = plane.snapshot.raw_targets["openai-compatible"].provider
    plane.upstream.answers = [(200, b'{"object":"list","data":[]}')]
    shown = plane.ok("POST", PATH)
    assert (shown["host"], shown["checked"]) == ("llm.example.org", "models" if provider.models else "chat")


def test_an_oauth_token_is_sent_as_one(plane):
    make_integration(plane, slug="main", key="sk-ant-oat01-canary-0123456789")
    plane.upstream.answers = [(200, MODELS)]
    plane.ok("POST", PATH)
    headers = dict(plane.upstream.seen[0].headers)
    assert headers[b"authorization"] == b"Bearer sk-ant-oat01-canary-0123456789"
    assert b"oauth-2025-04-20" in headers[b"anthropic-beta"]
    assert b"x-api-key" not in headers


def test_the_secret_is_in_no_answer_and_no_log(plane, caplog):
    caplog.set_level(logging.DEBUG)
    make_integration(plane, slug="main", configurations={"custom_headers": {"x-auth": "canary-header-0123456789"}})
    for echo in (SECRET, SECRET[5:20], "canary-header-0123"):
        plane.upstream.answers = [(401, refusal("authentication_error", f"invalid x-api-key: {echo}"))]
        answer = plane.ask("POST", PATH)
        assert (answer.json()["code"], answer.json()["provider_status"]) == ("wrong_key", 401)
        assert echo not in answer.text
    assert "canary" not in caplog.text


def test_a_call_without_an_answer_is_explained(plane):
    make_integration(plane, slug="main")
    error = Unreachable("the provider refused the connection")
    error.__cause__ = ConnectionRefusedError()
    plane.upstream.answers = [error, (200, b"not json")]
    shown = plane.ok("POST", PATH)
    assert (shown["code"], shown["provider_status"], shown["latency_ms"]) == ("connection_refused", None, None)
    assert plane.ok("POST", PATH)["code"] == "wrong_host"


def test_what_does_not_compile_is_explained_without_a_call(plane):
    plane.environment["UP_KEY"] = SECRET
    make_integration(plane, slug="main", key="env:UP_KEY")
    del plane.environment["UP_KEY"]
    shown = plane.ok("POST", PATH)
    assert (shown["code"], shown["checked"], "UP_KEY is not set" in shown["message"]) == (
        "configuration",
        "nothing",
        True,
    )
    with plane.directory.change() as tx:
        main = tx.get(Integration, "main")
        bad = {"custom_host": msgspec.Raw(b'"http://10.0.0.1/"')}
        tx.update(msgspec.structs.replace(main, references={}, configurations=bad), secrets={"key": None})
    shown = plane.ok("POST", PATH)
    assert shown["ok"] is False
    assert plane.upstream.seen == []


@pytest.mark.parametrize("who, status", [("service", 404), ("other", 404), ("user", 403)])
def test_only_who_may_change_it_may_try_it(plane, who, status):
    make_integration(plane, slug="main")
    plane.refused(status, "POST", PATH, who)
    assert plane.upstream.seen == []
