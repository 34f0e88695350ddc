import pytest

from lockgate.simulator.app import MAX_BODY_BYTES, Simulator, SimulatorSettings
from lockgate.simulator.script import RawBody, Rule, Script
from tests.unit.simulator.driver import OPENAI_HEADERS, call, chat, user

PATH = "/v1/chat/completions"


@pytest.mark.parametrize(
    "authorization, status, message",
    [
        ("Bearer right", 200, ""),
        ("", 401, "You didn't provide an API key."),
        ("Basic right", 401, "You didn't provide an API key."),
        ("Bearer wrong", 401, "Incorrect API key provided: ***."),
    ],
)
def test_a_key_is_needed(authorization, status, message):
    simulator = Simulator(SimulatorSettings(api_keys=("right",)))
    answer = chat(simulator, headers={"authorization": authorization})
    assert answer.status == status
    if status == 401:
        assert answer.message.startswith(message)
        assert answer.json["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": "\\ud83d"}'])
def test_what_is_no_json_object_is_refused(body):
    answer = call(Simulator(), "POST", PATH, headers=OPENAI_HEADERS, body=body)
    assert (answer.status, answer.message[:42]) == (400, "We could not parse the JSON body of your r")


def test_another_content_type_is_refused():
    assert chat(headers={"content-type": "text/plain"}).status == 400


def test_a_body_may_be_too_large():
    body = b" " * (MAX_BODY_BYTES + 1)
    assert call(Simulator(), "POST", PATH, headers=OPENAI_HEADERS, body=body).status == 413


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("POST", "/v1/embeddings", 404),
        ("GET", PATH, 405),
        ("POST", "/v1/models", 405),
        ("DELETE", "/v1/models", 405),
        ("GET", "/openai/v1/x", 404),
    ],
)
def test_other_routes_are_errors_too(method, path, status):
    answer = call(Simulator(), method, path, headers=OPENAI_HEADERS)
    assert answer.status == status
    assert answer.json["error"]["message"]


@pytest.mark.parametrize(
    "model, code", [("gpt-9", "model_not_found"), ("gpt-5.2-pro", None), ("claude-opus-5", "model_not_found")]
)
def test_a_model_may_not_be_there(model, code):
    answer = chat(model=model)
    assert (answer.status, answer.json["error"]["code"]) == (404, code)


def test_a_prompt_may_be_too_long():
    answer = chat(messages=user("abcd" * 128_000))
    assert answer.json["error"]["code"] == "context_length_exceeded"


def test_answers_carry_the_headers_of_the_api():
    headers = chat().headers
    assert headers["x-lockgate-simulated"] == "true"
    assert headers["x-request-id"].startswith("req_")
    assert {"openai-processing-ms", "openai-version", "x-ratelimit-remaining-tokens"} <= set(headers)


def test_models_are_listed_and_shown():
    found = call(Simulator(), "GET", "/v1/models", headers=OPENAI_HEADERS).json
    assert found["object"] == "list"
    assert "gpt-4o" in {model["id"] for model in found["data"]}
    assert call(Simulator(), "GET", "/v1/models/gpt-4o", headers=OPENAI_HEADERS).json["id"] == "gpt-4o"
    assert call(Simulator(), "GET", "/v1/models/nothing", headers=OPENAI_HEADERS).status == 404


@pytest.mark.parametrize("name, status", [("ft:gpt-4o:org::1", 200), ("gpt-4o", 403), ("nothing", 404)])
def test_only_fine_tuned_models_are_deleted(name, status):
    answer = call(Simulator(), "DELETE", f"/v1/models/{name}", headers=OPENAI_HEADERS)
    assert answer.status == status
    if status == 200:
        assert answer.json == {"id": name, "object": "model", "deleted": True}


def test_a_long_prompt_is_cached_in_steps():
    simulator = Simulator()
    messages = [{"role": "system", "content": "a" * 8000}, *user("abcd")]

    def cached(messages):
        return chat(simulator, messages=messages).json["usage"]["prompt_tokens_details"]["cached_tokens"]

    assert cached(messages) == 0
    assert cached(messages) == 1920
    assert cached([messages[0], *user("other")]) == 1920
    assert cached([{"role": "system", "content": "b" * 8000}]) == 0


def test_failures_raw_bodies_and_nonsense_may_be_ordered():
    raw = {"odd": RawBody(body="odd", status=299, content_type="text/plain")}
    simulator = Simulator(SimulatorSettings(script=Script(rules=(Rule(answer={"raw": "odd"}, times=1),), raw=raw)))
    answer = chat(simulator)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (299, b"odd", "text/plain")
    assert chat(messages=user("[[sim: status=502, html]]")).headers["content-type"] == "text/html"
    assert chat(messages=user("[[sim: status=502, empty]]")).body == b""
    assert chat(messages=user("[[sim: empty]] x")).body == b""
    assert chat(messages=user("[[sim: nonsense]]")).message == "simulator: unknown directive 'nonsense'"
    headers = {**OPENAI_HEADERS, "x-simulator": "status=503"}
    assert call(Simulator(), "GET", "/v1/models", headers=headers).status == 503
