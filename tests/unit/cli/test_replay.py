"""What the command refuses and tells; sending is shown in ``test_replaying`` and, with a gateway, in ``tests/e2e``."""

import hashlib
import json

import pytest

from tests.unit.cli.kept import capture, record, write_records

BODY = b'{"model": "@anthropic/claude",\n "messages": []}'
SECRET = json.dumps({"key": "sk-ant-api03-" + "a1B2" * 20}).encode()


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("LOCKGATE_API_KEY", "LOCKGATE_URL", "LOCKGATE_PORT", "LOCKGATE_HOST"):
        monkeypatch.delenv(name, raising=False)
    plain = record(1, bytes_in=len(BODY))
    secret = record(2, bytes_in=len(SECRET))
    silent = record(3, bytes_in=9, log_mode="metrics_only", log_mode_reason="key", trace_id="trace-2")
    headers = [(b"content-type", b"application/json"), (b"x-portkey-api-key", b"never")]
    captures = [capture(plain, BODY, request_headers=headers), capture(secret, SECRET)]
    write_records(tmp_path / "home", [plain, secret, silent], captures)
    return tmp_path / "home"


def test_a_dry_run_says_what_would_go_out(run, ask, home):
    said = run("replay", record(1)["id"], "--dry-run")
    assert "POST http://127.0.0.1:8787/v1/chat/completions" in said
    assert "content-type: application/json" in said
    assert "never" not in said
    assert f"{len(BODY)} bytes, SHA-256 {hashlib.sha256(BODY).hexdigest()}, byte for byte" in said
    found = ask("replay", "msg_1", "--dry-run", "--target", "@openai/gpt-5", "--url", "http://there:1")
    assert (found["url"], found["is_exact"], found["body_bytes"]) == (
        "http://there:1/v1/chat/completions",
        True,
        len(BODY),
    )
    assert ["x-portkey-config", '{"provider":"@openai","override_params":{"model":"gpt-5"}}'] in found["headers"]


@pytest.mark.parametrize(
    "variables, url",
    [
        ({"LOCKGATE_PORT": "9"}, "http://127.0.0.1:9/"),
        ({"LOCKGATE_HOST": "0.0.0.0"}, "http://127.0.0.1:8787/"),
        ({"LOCKGATE_HOST": "::1"}, "http://[::1]:8787/"),
        ({"LOCKGATE_URL": "http://a:1"}, "http://a:1/"),
    ],
)
def test_where_the_gateway_is(run, home, monkeypatch, variables, url):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert f"POST {url}v1" in run("replay", record(1)["id"], "--dry-run")


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((record(3)["id"],), "not kept, the mode of this record is metrics_only, chosen by the key"),
        ((record(2)["id"],), "is not what the client sent: taken out before it was written"),
        ((record(1)["id"],), "a key that opens the gateway is needed: --key or LOCKGATE_API_KEY"),
        ((record(1)["id"], "--key", "k", "--url", "http://127.0.0.1:1"), "start it with lockgate up"),
        ((record(1)["id"], "--key", "k", "--url", "nowhere"), "is no address of a gateway"),
        ((record(1)["id"], "--target", "openai"), "write @slug or @slug/model"),
        ((record(1)["id"], "--target", "@a", "--config", "b"), "Either --target or --config"),
        (("trace-2",), "2 records belong to 'trace-2'"),
        (("nothing",), "there is no record with the id 'nothing'"),
    ],
)
def test_refusals(run, home, arguments, words):
    assert words in run("replay", *arguments, status=1)


def test_a_redacted_body_goes_out_if_that_is_allowed(run, home):
    said = run("replay", record(2)["id"], "--allow-redacted", "--dry-run")
    assert "NOT as the client sent it" in said
