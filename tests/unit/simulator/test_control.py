import base64
import hashlib
import json

from lockgate.simulator.app import Simulator
from tests.unit.simulator.driver import api, ask, call, chat, upload, user


def control(simulator, method, path, **more):
    return call(simulator, method, f"/_simulator/{path}", **more)


def test_requests_are_listed_as_they_came():
    simulator = Simulator()
    ask(simulator, headers={"x-team": "red"})
    chat(simulator)
    first, second = control(simulator, "GET", "requests").json["requests"]
    assert (first["id"], first["method"], first["path"], first["status"]) == (1, "POST", "/v1/messages", 200)
    assert ["x-team", "red"] in first["headers"]
    assert json.loads(base64.b64decode(first["body_base64"]))["max_tokens"] == 500
    assert b"Simulated answer" in base64.b64decode(first["sent_base64"])
    assert first["outcome"] == "completed"
    assert second["path"] == "/v1/chat/completions"


def test_requests_are_listed_from_an_id_on():
    simulator = Simulator()
    for _ in range(4):
        ask(simulator)
    found = control(simulator, "GET", "requests", query="after=1&limit=2").json
    assert ([entry["id"] for entry in found["requests"]], found["has_more"]) == ([2, 3], True)
    assert control(simulator, "GET", "requests", query="after=x").status == 400


def test_requests_are_listed_that_hold_a_text():
    simulator = Simulator()
    for text in ("one", "two", "two and more"):
        ask(simulator, messages=user(text))
    found = control(simulator, "GET", "requests", query="containing=two+and&limit=5").json
    assert ([entry["id"] for entry in found["requests"]], found["has_more"]) == ([3], False)
    found = control(simulator, "GET", "requests", query="containing=two&limit=1").json
    assert ([entry["id"] for entry in found["requests"]], found["has_more"]) == ([2], True)


def test_requests_are_deleted():
    simulator = Simulator()
    ask(simulator)
    assert control(simulator, "DELETE", "requests").status == 200
    assert control(simulator, "GET", "requests").json["requests"] == []
    assert control(simulator, "GET", "counters").json["requests"] == 1


def test_a_script_is_put_and_read():
    simulator = Simulator()
    body = b'{"rules": [{"fault": {"status": 503}}]}'
    assert control(simulator, "PUT", "script", body=body).status == 200
    assert ask(simulator).status == 503
    assert control(simulator, "GET", "script").json["rules"][0]["fault"] == {"status": 503}
    toml = b"[[rules]]\nfault = { status = 504 }"
    assert control(simulator, "PUT", "script", body=toml, headers={"content-type": "application/toml"}).status == 200
    assert ask(simulator).status == 504
    assert control(simulator, "PUT", "script", body=b"{").status == 400
    assert ask(simulator).status == 504


def test_counters_are_read_and_reset():
    simulator = Simulator()
    tokens = ask(simulator).json["usage"]["output_tokens"]
    found = control(simulator, "GET", "counters").json
    assert found == {
        "requests": 1, "completed": 1, "aborted": 0, "broken": 0, "input_tokens": 6, "tokens_generated": tokens,
        "connections_open": None,
    }  # fmt: skip
    control(simulator, "POST", "reset")
    assert control(simulator, "GET", "counters").json["requests"] == 0


def test_control_requests_are_not_counted():
    simulator = Simulator()
    assert control(simulator, "GET", "health").json["status"] == "ok"
    assert control(simulator, "GET", "").status == 200
    assert control(simulator, "GET", "nothing").status == 404
    assert len(simulator.requests) == 0
    assert control(simulator, "GET", "health").headers["x-lockgate-simulated"] == "true"


def test_files_are_listed_with_their_digests():
    simulator = Simulator()
    made = upload(simulator).json
    (file,) = control(simulator, "GET", "files").json["files"]
    assert (file["id"], file["is_kept"]) == (made["id"], True)
    assert file["sha256"] == hashlib.sha256(b"Grass is green.").hexdigest()
    control(simulator, "POST", "reset")
    assert control(simulator, "GET", "files").json["files"] == []


def test_batches_are_listed_with_their_requests():
    simulator = Simulator()
    requests = [{"custom_id": "a", "params": {"model": "none"}}]
    made = api(simulator, "POST", "/v1/messages/batches", {"requests": requests}).json
    expected = {"custom_id": "a", "version": "2023-06-01", "outcome": "errored"}
    assert control(simulator, "GET", "batches").json["batches"] == [
        {"id": made["id"], "processing_status": "in_progress", "requests": [expected]}
    ]
