import json

import pytest

from lockgate.simulator.app import MAX_BODY_BYTES, Simulator, SimulatorSettings
from lockgate.simulator.script import RawBody, Rule, Script
from tests.unit.simulator.driver import ANTHROPIC_HEADERS, ask, call, user


def get(path, query="", simulator=None, headers=None):
    sent = {key: value for key, value in (headers or ANTHROPIC_HEADERS).items() if key != "content-type"}
    return call(simulator or Simulator(), "GET", path, headers=sent, query=query)


def post(body, path="/v1/messages", simulator=None):
    return call(simulator or Simulator(), "POST", path, headers=ANTHROPIC_HEADERS, body=body)


@pytest.mark.parametrize("body", [b"", b"{", b'{"model": "\\ud83d"}', b'{"model": "\xff"}'])
def test_what_is_no_json_is_refused(body):
    answer = post(body)
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert answer.message.startswith("The request body is not valid JSON")


def test_json_that_is_no_object_is_refused():
    assert "dictionary" in post(b"[]").message


def test_an_unknown_model_is_not_found():
    answer = ask(model="claude-haiku-4-5-20250929")
    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")
    assert answer.message == "model: claude-haiku-4-5-20250929"


def test_extra_models_are_served():
    assert ask(Simulator(SimulatorSettings(extra_models=("mine",))), model="mine", max_tokens=4000).status == 200


def test_a_body_may_be_too_large():
    answer = post(b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status, answer.json["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/v1/messages", 405),
        ("POST", "/v1/models", 405),
        ("PUT", "/v1/messages/batches", 405),
        ("POST", "/v1/files/file_1", 405),
        ("GET", "/v1/files/file_1/nothing", 404),
        ("GET", "/anthropic/v1/nothing", 404),
        ("POST", "/anthropic/v1/messages/", 400),
    ],
)
def test_other_routes_are_errors_too(method, path, status):
    answer = call(Simulator(), method, path, headers=ANTHROPIC_HEADERS)
    assert answer.status == status
    assert answer.json["type"] == "error"


def test_counting_has_fewer_fields_and_the_same_rules():
    path = "/v1/messages/count_tokens"
    assert ask(path=path, max_tokens=None).json == {"input_tokens": 6}
    assert ask(path=path).message == "max_tokens: Extra inputs are not permitted"
    assert ask(path=path, max_tokens=None, temperature=1).message == "temperature: Extra inputs are not permitted"
    assert ask(path=path, max_tokens=None, messages=user(" ")).status == 400
    assert ask(path=path, max_tokens=None, messages=user("x [[sim: status=500]]")).status == 500
    beta = "context-management-2025-06-27"
    counted = ask(path=path, max_tokens=None, context_management={"edits": []}, beta=beta).json
    assert counted["context_management"] == {"original_input_tokens": counted["input_tokens"]}


# --- models -------------------------------------------------------------------------------------------------------


def test_models_are_listed_without_the_retired_ones():
    found = get("/v1/models").json
    assert found["first_id"] == found["data"][0]["id"]
    assert found["last_id"] == found["data"][-1]["id"]
    assert not found["has_more"]
    assert {model["lifecycle"] for model in found["data"]} == {"active", "deprecated"}


@pytest.mark.parametrize("key", ["lifecycle", "lifecycle[]"])
def test_models_are_filtered_by_lifecycle(key):
    found = get("/v1/models", f"{key}=retired&{key}=deprecated").json
    assert {model["lifecycle"] for model in found["data"]} == {"retired", "deprecated"}


def test_models_are_paged():
    ids = [model["id"] for model in get("/v1/models").json["data"]]
    first = get("/v1/models", "limit=5").json
    assert (len(first["data"]), first["has_more"]) == (5, True)
    second = get("/v1/models", f"limit=5&after_id={first['last_id']}").json
    assert [model["id"] for model in second["data"]] == ids[5:10]
    back = get("/v1/models", f"limit=3&before_id={second['first_id']}").json
    assert ([model["id"] for model in back["data"]], back["has_more"]) == (ids[2:5], True)
    assert get("/v1/models", f"after_id={ids[-1]}").json == {
        "data": [], "has_more": False, "first_id": None, "last_id": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "after_id=nothing", "after_id=a&before_id=b", "lifecycle=new"],
)
def test_a_wrong_query_is_refused(query):
    assert get("/v1/models", query).status == 400


def test_a_model_is_found_by_id_and_alias():
    assert get("/v1/models/claude-haiku-4-5").json["id"] == "claude-haiku-4-5-20251001"
    assert get("/v1/models/claude-opus-4-1").json["lifecycle"] == "retired"
    assert get("/v1/models/nothing").status == 404


def test_models_need_key_and_version():
    assert get("/v1/models", headers={"anthropic-version": "2023-06-01"}).status == 401
    assert get("/v1/models", headers={"x-api-key": "k"}).status == 400


# --- orders -------------------------------------------------------------------------------------------------------


def test_a_directive_that_means_nothing_is_refused():
    answer = ask(messages=user("x [[sim: statuss=500]]"))
    assert (answer.status, answer.message) == (400, "simulator: unknown directive 'statuss'")


def test_the_header_orders_too():
    assert ask(headers={"x-simulator": "status=500"}).status == 500


def test_a_script_orders_too_and_may_answer_word_for_word():
    raw = {"odd": RawBody(body='{"odd": true}', status=202, headers={"x-odd": "1"})}
    script = Script(rules=(Rule(answer={"raw": "odd"}, times=1), Rule(fault={"status": 503})), raw=raw)
    simulator = Simulator(SimulatorSettings(script=script))
    answer = ask(simulator)
    assert (answer.status, json.loads(answer.body), answer.headers["x-odd"]) == (202, {"odd": True}, "1")
    assert ask(simulator).status == 503
    assert get("/v1/models/claude-opus-5", simulator=simulator).status == 503
    assert get("/v1/models", simulator=simulator).status == 503


def test_an_empty_answer_is_empty():
    assert ask(messages=user("x [[sim: empty=1]]")).body == b""
