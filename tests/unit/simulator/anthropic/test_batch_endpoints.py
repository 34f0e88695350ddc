import json

import pytest

from lockgate.simulator.anthropic import endpoints
from lockgate.simulator.anthropic.batch_endpoints import MAX_BYTES, MAX_REQUESTS
from lockgate.simulator.app import Simulator, SimulatorSettings
from lockgate.simulator.script import Match, Rule, Script
from tests.unit.simulator.driver import HAIKU, NEW_VERSION, api, ask, file_part, upload, user

PATH = "/v1/messages/batches"


def request(text="Hello", custom_id="a", **changes):
    params = {"model": HAIKU, "max_tokens": 500, "messages": user(text), **changes}
    return {"custom_id": custom_id, "params": params}


def create(simulator, *requests, **headers):
    return api(simulator, "POST", PATH, {"requests": requests or [request()]}, **headers)


def finish(simulator, *requests, **headers):
    """Return the ended batch and its results by custom id."""
    made = create(simulator, *requests, **headers)
    assert made.status == 200, made.body
    while (shown := api(simulator, "GET", f"{PATH}/{made.json['id']}").json)["processing_status"] != "ended":
        pass
    answer = api(simulator, "GET", f"{PATH}/{shown['id']}/results")
    lines = [json.loads(line) for line in answer.body.splitlines()]
    return shown, {line["custom_id"]: line["result"] for line in lines}


def test_a_batch_ends_at_its_second_retrieval_and_has_results():
    simulator = Simulator()
    made = create(simulator, request("One", "a"), request("Two", "b"), host="sim.local:8788").json
    assert (made["processing_status"], made["results_url"]) == ("in_progress", None)
    path = f"{PATH}/{made['id']}"
    early = api(simulator, "GET", f"{path}/results")
    assert (early.status, early.json["error"]["type"]) == (404, "not_found_error")
    assert api(simulator, "GET", path).json == made
    ended = api(simulator, "GET", path, host="sim.local:8788").json
    assert ended["results_url"] == f"http://sim.local:8788{path}/results"
    assert ended["request_counts"]["succeeded"] == 2
    answer = api(simulator, "GET", f"{path}/results")
    assert answer.headers["content-type"] == "application/x-jsonl"
    results = {line["custom_id"]: line["result"] for line in map(json.loads, answer.body.splitlines())}
    message = results["b"]["message"]
    assert (results["b"]["type"], message["usage"]["service_tier"]) == ("succeeded", "batch")
    assert message["content"] == ask(simulator, messages=user("Two")).json["content"]


def test_the_address_of_the_results_has_the_prefix_of_the_provider():
    made = api(Simulator(SimulatorSettings(batch_polls=0)), "POST", f"/anthropic{PATH}", {"requests": [request()]})
    assert made.json["results_url"].startswith(f"http://localhost:80/anthropic{PATH}/msgbatch_")


SHAPES = [
    ({}, "requests: Field required"),
    ({"requests": []}, "requests: List should have at least 1 item after validation, not 0"),
    ({"requests": [request()] * (MAX_REQUESTS + 1)}, "requests: List should have at most 100000 items"),
    (
        {"requests": [request(custom_id="a b")]},
        "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
    ),
    ({"requests": [request(custom_id="a" * 65)]}, "requests.0.custom_id: String should match pattern"),
    ({"requests": [request(custom_id="")]}, "requests.0.custom_id: String should match pattern"),
    ({"requests": [request(), request()]}, "requests.1.custom_id: custom_id must be unique within a batch"),
    ({"requests": [{"params": {}}]}, "requests.0.custom_id: Field required"),
    ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
    ({"requests": [{**request(), "method": "POST"}]}, "requests.0.method: Extra inputs are not permitted"),
    ({"requests": [request()], "metadata": {}}, "metadata: Extra inputs are not permitted"),
]


@pytest.mark.parametrize("body, message", SHAPES, ids=[str(number) for number in range(len(SHAPES))])
def test_the_batch_itself_is_checked_at_once(body, message):
    answer = api(Simulator(), "POST", PATH, body)
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert answer.message.startswith(message)


WRONG = [
    (request(max_tokens="many"), "invalid_request_error", "max_tokens: Input should be a valid integer"),
    (request(nothing=1), "invalid_request_error", "nothing: Extra inputs are not permitted"),
    (request(model="claude-none"), "not_found_error", "model: claude-none"),
    (request(stream=True), "invalid_request_error", "stream: Input should be false"),
    (request(model="claude-opus-5", speed="fast"), "invalid_request_error", "speed: 'fast'"),
    (request(" "), "invalid_request_error", "messages: text content blocks must contain"),
    (request("x [[sim: status=529]]"), "overloaded_error", "Overloaded"),
    (request("x [[sim: batch_result=errored]]"), "api_error", "Internal server error"),
    (request("x [[sim: nonsense]]"), "invalid_request_error", "simulator: unknown directive"),
    (request("x [[sim: raw=page]]"), "invalid_request_error", "simulator: a request of a batch"),
    (request([{"type": "container_upload", "file_id": "file_x"}]), "not_found_error", "File not found"),
]


@pytest.mark.parametrize("wrong, kind, message", WRONG, ids=[case[2][:12] for case in WRONG])
def test_what_is_wrong_with_a_request_is_its_result(wrong, kind, message):
    shown, results = finish(Simulator(), {**wrong, "custom_id": "bad"}, request(custom_id="good", stream=False))
    assert shown["request_counts"] == {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 0}
    assert (results["good"]["type"], results["bad"]["type"]) == ("succeeded", "errored")
    envelope = results["bad"]["error"]
    assert (envelope["type"], envelope["error"]["type"]) == ("error", kind)
    assert envelope["error"]["message"].startswith(message)
    assert envelope["request_id"].startswith("req_")


def test_threads_are_not_for_batches():
    _, results = finish(Simulator(), request(thread={"type": "create"}), beta="message-threads-2026-08-12")
    assert results["a"]["error"]["error"]["details"]["error_code"] == "thread_unsupported_request"


def test_a_batch_keeps_the_version_it_was_created_with():
    warm = request(temperature=0.5)
    old, new = Simulator(), Simulator()
    assert finish(old, warm)[1]["a"]["type"] == "succeeded"
    assert finish(new, warm, **NEW_VERSION)[1]["a"]["error"]["error"]["message"].startswith("temperature: Extra")
    versions = [
        api(one, "GET", "/_simulator/batches").json["batches"][0]["requests"][0]["version"] for one in (old, new)
    ]
    assert versions == ["2023-06-01", "2026-10-21"]


def test_outcomes_are_ordered_one_by_one():
    outcomes = ("succeeded", "errored", "canceled", "expired")
    requests = [request(f"x [[sim: batch_result={outcome}]]", outcome) for outcome in outcomes]
    shown, results = finish(Simulator(), *requests)
    assert {name: result["type"] for name, result in results.items()} == {name: name for name in outcomes}
    assert shown["request_counts"] == {"processing": 0, **dict.fromkeys(outcomes, 1)}


@pytest.mark.parametrize(
    "settings, texts, header, polls",
    [
        ({}, ["x"], {}, 2),
        ({"batch_polls": 0}, ["x"], {}, 0),
        ({"batch_polls": 1}, ["x"], {}, 1),
        ({}, ["x [[sim: batch_polls=1]]", "y [[sim: batch_polls=3]]", "z"], {}, 3),
        ({"batch_polls": 4}, ["x [[sim: batch_polls=0]]"], {}, 0),
        ({}, ["x"], {"x_simulator": "batch_polls=1"}, 1),
    ],
)
def test_when_a_batch_ends_can_be_ordered(settings, texts, header, polls):
    simulator = Simulator(SimulatorSettings(**settings))
    shown = create(simulator, *(request(text, str(index)) for index, text in enumerate(texts)), **header).json
    count = 0
    while shown["processing_status"] != "ended":
        shown = api(simulator, "GET", f"{PATH}/{shown['id']}").json
        count += 1
    assert count == polls


@pytest.mark.parametrize("text, wait_s", [("x [[sim: batch_seconds=60]]", 0.0), ("x", 60.0)])
def test_a_batch_may_end_with_time(text, wait_s):
    simulator = Simulator(SimulatorSettings(batch_polls=0, batch_wait_s=wait_s))
    now_s = 1000.0
    simulator.world.now_s = lambda: now_s
    made = create(simulator, request(text)).json
    for now_s, status in ((1059.0, "in_progress"), (1060.0, "ended")):  # noqa: B007
        assert api(simulator, "GET", PATH).json["data"][0]["processing_status"] == status
    assert api(simulator, "GET", f"{PATH}/{made['id']}/results").status == 200


def test_a_batch_is_cancelled():
    simulator = Simulator()
    made = create(simulator, request("x", "a"), request("y [[sim: batch_result=succeeded]]", "b")).json
    path = f"{PATH}/{made['id']}"
    assert api(simulator, "POST", f"{path}/cancel").json["processing_status"] == "canceling"
    again = api(simulator, "POST", f"{path}/cancel")
    assert (again.status, again.json["request_counts"]["processing"]) == (200, 2)
    ended = api(simulator, "GET", path).json
    assert (ended["request_counts"]["canceled"], ended["request_counts"]["succeeded"]) == (1, 1)
    assert ended["cancel_initiated_at"]
    assert api(simulator, "POST", f"{path}/cancel").status == 400


def test_a_batch_is_deleted_when_it_has_ended():
    simulator = Simulator()
    path = f"{PATH}/{create(simulator).json['id']}"
    assert api(simulator, "DELETE", path).status == 400
    api(simulator, "GET", path)
    api(simulator, "GET", path)
    assert api(simulator, "DELETE", path).json == {"id": path.rpartition("/")[2], "type": "message_batch_deleted"}
    for method, tail in (("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")):
        assert api(simulator, method, path + tail).status == 404
        assert api(simulator, method, f"{PATH}/batch_1{tail}").status == 400


def test_batches_are_listed_newest_first():
    simulator = Simulator()
    ids = [create(simulator).json["id"] for _ in range(3)][::-1]
    found = api(simulator, "GET", PATH, query=f"limit=1&after_id={ids[0]}").json
    assert ([batch["id"] for batch in found["data"]], found["has_more"]) == ([ids[1]], True)
    assert (found["first_id"], found["last_id"]) == (ids[1], ids[1])
    assert api(simulator, "GET", PATH, query="after_id=none").status == 400


def test_tokens_are_counted_once_and_only_of_what_succeeded():
    simulator = Simulator()
    order = "[[sim: input_tokens=100, output_tokens=10]]"
    shown, _ = finish(
        simulator, request(f"x {order}", "a"), request(f"y {order}", "b"), request(stream=True, custom_id="c")
    )
    api(simulator, "GET", f"{PATH}/{shown['id']}/results")
    assert (simulator.counters.input_tokens, simulator.counters.tokens_generated) == (200, 20)


def test_a_request_may_use_files():
    simulator = Simulator()
    file = upload(simulator, file_part("grass.txt")).json
    document = {"type": "document", "source": {"type": "file", "file_id": file["id"]}}
    _, results = finish(simulator, request([document, {"type": "text", "text": "x"}]))
    assert "grass.txt" in results["a"]["message"]["content"][0]["text"]


def test_scripts_see_each_request():
    rule = Rule(match=Match(path=PATH, text_contains="two"), fault={"status": 500}, times=1)
    simulator = Simulator(SimulatorSettings(script=Script(rules=(rule,))))
    _, results = finish(simulator, request("one", "a"), request("two", "b"))
    assert (results["a"]["type"], results["b"]["type"]) == ("succeeded", "errored")


@pytest.mark.parametrize("tail, method", [("", "GET"), ("", "DELETE"), ("/cancel", "POST"), ("/results", "GET")])
def test_every_endpoint_fails_when_ordered(tail, method):
    simulator = Simulator(SimulatorSettings(batch_polls=0))
    made = create(simulator).json
    assert api(simulator, method, f"{PATH}/{made['id']}{tail}", x_simulator="status=503").status == 503
    assert api(simulator, "GET", f"{PATH}/{made['id']}").status == 200


def test_a_failed_creation_and_a_failed_list_are_ordered_too():
    simulator = Simulator()
    assert create(simulator, x_simulator="status=529").status == 529
    assert api(simulator, "GET", PATH, x_simulator="status=500").status == 500
    assert api(simulator, "GET", PATH).json["data"] == []


def test_a_failed_retrieval_is_no_poll():
    simulator = Simulator(SimulatorSettings(batch_polls=1))
    path = f"{PATH}/{create(simulator).json['id']}"
    assert api(simulator, "GET", path, x_simulator="status=500").status == 500
    assert api(simulator, "GET", PATH).json["data"][0]["processing_status"] == "in_progress"


def test_the_body_of_a_batch_may_be_large(monkeypatch):
    assert MAX_BYTES == 256 * 1024 * 1024
    monkeypatch.setattr(endpoints.batches, "MAX_BYTES", 100)
    answer = create(Simulator())
    assert (answer.status, answer.json["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize("headers, status", [({"x_api_key": ""}, 401), ({"anthropic_version": ""}, 400)])
def test_batches_need_key_and_version(headers, status):
    assert create(Simulator(), **headers).status == status
    assert api(Simulator(), "GET", f"{PATH}/msgbatch_1", **headers).status == status


def test_the_same_batch_in_a_new_world_has_the_same_results():
    first, second = (finish(Simulator(), request("x", "a"), request("y", "b")) for _ in range(2))
    assert first == second
