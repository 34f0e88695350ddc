import gzip
import json

import pytest

from lockgate.dataplane.batches import _QUERY_NAMES
from lockgate.dataplane.keepers import Keepers
from lockgate.errors import Broken, ConfigError, Unavailable
from tests.unit.dataplane.fakes import CONFIG, JSON, FakeResponse, World

BATCH = "msgbatch_1"
FOREIGN = "https://elsewhere.example/v1/messages/batches/msgbatch_1/results"
OURS = "http://gw.example:8787/v1/messages/batches/msgbatch_1/results"


def batch(**changes):
    counts = {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    return {
        "id": BATCH,
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": counts,
        "created_at": "2026-01-01T00:00:01Z",
        "expires_at": "2026-01-02T00:00:01.5+00:00",
        "ended_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
        **changes,
    }


def ended(**counts):
    every = {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0, **counts}
    return batch(processing_status="ended", request_counts=every, ended_at="2026-01-01T00:01:01Z", results_url=FOREIGN)


def answer(value, status=200, headers=JSON):
    return FakeResponse(status, headers, value if isinstance(value, bytes) else json.dumps(value).encode())


def item(model, **params):
    return {"custom_id": "a", "params": {"model": model, "max_tokens": 5, "messages": [], **params}}


@pytest.fixture
def world():
    return World()


# ---- native


def test_only_the_slugs_of_a_new_batch_change(world):
    world.upstream.will(answer(batch()))
    sent = (
        b' {"x":{"params":{"model":"@anthropic/one"}},"requests" : [ {"params": {"a":"@anthropic\\/one", '
        b'"model" :"@anthropic\\/one","z":1.0} ,"custom_id":"\\u00e9"},\n{"custom_id":"b","params":'
        b'{"model":"@anthropic/two"}} ]} '
    )
    got = world.call("/v1/messages/batches", sent, host="gw.example:8787")
    assert got.status == 200
    assert world.sent.body == sent.replace(b'"model" :"@anthropic\\/one"', b'"model" :"one"').replace(
        b'"@anthropic/two"', b'"two"'
    )
    assert (world.sent.method, world.sent.target) == ("POST", b"/v1/messages/batches")
    assert got.json() == batch()
    assert (world.record.route, world.record.dialect, world.record.slug) == (
        "batches",
        "anthropic_messages",
        "anthropic",
    )
    assert world.record.model_asked == "@anthropic/one"


def test_a_body_without_slugs_passes_as_it_is(world):
    world.upstream.will(answer(batch()))
    sent = b'{"requests":[{"params":{"model":"one"},"custom_id":"a"}]}'
    world.call("/v1/messages/batches", sent, x_portkey_provider="@anthropic", query=b"beta=true")
    assert world.sent.body == sent
    assert world.sent.target == b"/v1/messages/batches?beta=true"


def test_betas_of_the_requests_become_a_header(world):
    world.upstream.will(answer(batch()))
    first = {"betas": ["b-two"], "x": 1}
    body = {"requests": [item("@anthropic/m", **first), item("@anthropic/m", anthropic_beta="b-three,b-one")]}
    world.call("/v1/messages/batches", body, anthropic_beta="b-one", anthropic_version="2026-10-21")
    assert world.sent_headers()["anthropic-beta"] == "b-one,b-two,b-three"
    assert world.sent_headers()["anthropic-version"] == "2026-10-21"
    assert json.loads(world.sent.body) == {"requests": [item("m", x=1), item("m")]}


@pytest.mark.parametrize(
    "body, path",
    [
        ({"requests": [item("@anthropic/m"), item("@narrow/claude-one")]}, "requests[1].params.model"),
        ({"requests": [item("@anthropic/m"), item("m")]}, "requests[1].params.model"),
        ({"requests": [item("m"), item("@anthropic/m")]}, "requests[0].params.model"),
        ({"requests": [item("@anthropic/m"), item(7)]}, "requests[1].params.model"),
        ({"requests": [{"custom_id": "a"}]}, "requests[0].params"),
        ({"requests": [{"params": [1]}]}, "requests[0].params"),
        ({"requests": ["a"]}, "requests[0]"),
        ({"requests": []}, "requests"),
        ({"requests": {}}, "requests"),
        ({}, "requests"),
        ({"requests": [item("@openai/gpt")]}, "not supported by openai"),
        ({"requests": [item("@nobody/m")]}, "@nobody"),
        (b"[1]", "expected `object`"),
        (b'{"requests":' + b"[" * 90_000, "nests deeper"),
    ],
)
def test_a_new_batch_that_cannot_be_sent_is_refused(world, body, path):
    got = world.call("/v1/messages/batches", body)
    assert got.status == 400
    assert path in got.json()["error"]["message"]
    assert got.json()["type"] == "error"
    assert world.upstream.sent == []


def test_a_model_that_the_record_does_not_offer_is_refused(world):
    body = {"requests": [item("@narrow/claude-one"), item("@narrow/claude-two")]}
    got = world.call("/v1/messages/batches", body)
    assert (got.status, world.upstream.sent) == (412, [])
    assert "requests[1].params.model" in got.json()["error"]["message"]


def test_a_batch_that_is_too_large_is_refused():
    world = World(CONFIG + "batch_bytes = 100\n")
    got = world.call("/v1/messages/batches", {"requests": [item("@anthropic/" + "m" * 100)]})
    assert got.status == 413
    assert "limits.batch_bytes" in got.json()["error"]["message"]


def test_a_large_batch_is_read_beside_other_requests(world):
    world = World(CONFIG + "batch_bytes = 10000000\n")
    world.upstream.will(answer(batch()))
    body = {"requests": [item("@anthropic/m", text="x" * 1000) for _ in range(500)]}
    assert world.call("/v1/messages/batches", body).status == 200
    assert world.sent.body == json.dumps(body).encode().replace(b"@anthropic/", b"")


@pytest.mark.parametrize(
    "config, headers, scheme_and_host",
    [
        ("", {"host": "gw.example:8787"}, "http://gw.example:8787"),
        ("", {"host": "gw.example", "x-forwarded-proto": "https", "x-forwarded-host": "a.b"}, "http://gw.example"),
        ("trust_forwarded = true", {"host": "x", "x-forwarded-proto": "https", "x-forwarded-host": "a.b, c"}, "https://a.b"),
        ("trust_forwarded = true", {"host": "gw.example"}, "http://gw.example"),
        ('public_url = "https://ai.example/gate/v1/"', {"host": "x"}, "https://ai.example/gate"),
        ("", {"host": 'x"/..'}, ""),
        ("", {}, ""),
    ],
)  # fmt: skip
def test_results_are_found_at_our_own_address(config, headers, scheme_and_host):
    world = World(f"[server]\n{config}\n" + CONFIG)
    text = json.dumps(ended(extra=1.50), indent=3).encode()
    world.upstream.will(answer(text))
    got = world.call(f"/v1/messages/batches/{BATCH}", method="GET", x_portkey_provider="@anthropic", **headers)
    url = f"{scheme_and_host}/v1/messages/batches/{BATCH}/results"
    assert got.body == text.replace(FOREIGN.encode(), url.encode())


def test_every_batch_of_a_list_leads_to_us(world):
    other = ended() | {"id": "msgbatch_2"}
    text = b"\n " + json.dumps({"data": [ended(), batch(), other, None], "has_more": True}).encode()
    world.upstream.will(answer(text))
    got = world.call(
        "/v1/messages/batches", method="GET", query=b"limit=3", x_portkey_provider="@anthropic", host="gw.example:8787"
    )
    urls = [each and each["results_url"] for each in got.json()["data"]]
    assert urls == [OURS, None, OURS.replace("_1", "_2"), None]
    assert world.sent.target == b"/v1/messages/batches?limit=3"
    assert got.body.startswith(b"\n {")


@pytest.mark.parametrize("body", [b"", b"null", b"<html>", b'{"id":7,"results_url":"x"}', b'{"results_url":"x"}'])
def test_what_is_no_batch_is_relayed_as_it_is(world, body):
    world.upstream.will(answer(body))
    got = world.call("/v1/messages/batches/b", method="GET", x_portkey_provider="@anthropic")
    assert (got.status, got.body) == (200, body)


def test_results_come_from_the_providers_own_address_piece_by_piece(world):
    lines = [b'{"custom_id":"a"}\n{"cus', b'tom_id":"b"}\n']
    headers = [(b"content-type", b"application/x-jsonl"), (b"transfer-encoding", b"chunked")]
    world.upstream.will(FakeResponse(200, headers, *lines))
    got = world.call(f"/v1/messages/batches/{BATCH}/results", method="GET", x_portkey_provider="@anthropic")
    assert got.parts == [*lines, b""]
    assert got.headers["content-type"] == "application/x-jsonl"
    assert world.sent.origin.host == "api.anthropic.com"
    assert world.sent.target == b"/v1/messages/batches/msgbatch_1/results"
    assert world.sent_headers()["x-api-key"] == "sk-ant-record"
    assert world.upstream.responses[0].is_closed
    assert (world.record.status, world.record.bytes_out) == (200, sum(map(len, lines)))


def test_results_of_a_known_length_keep_it(world):
    world.upstream.will(FakeResponse(200, [(b"content-length", b"4")], b"ab", b"cd"))
    got = world.call("/v1/messages/batches/b/results", method="GET", x_portkey_provider="@anthropic")
    assert (got.parts, got.headers["content-length"]) == ([b"ab", b"cd"], "4")


def test_an_error_instead_of_results_is_relayed(world):
    body = b'{"type": "error","error":{"type":"not_found_error","message":"no"}}'
    world.upstream.will(answer(body, 404))
    got = world.call("/v1/messages/batches/b/results", method="GET", x_portkey_provider="@anthropic")
    assert (got.status, got.body) == (404, body)


def test_the_provider_of_a_batch_is_remembered(world):
    world.upstream.will(answer(batch()), answer(ended()), answer(batch()), answer({"id": BATCH}))
    world.call("/v1/messages/batches", {"requests": [item("@narrow/claude-one")]})
    for method, path in (("GET", ""), ("POST", "/cancel"), ("DELETE", "")):
        assert world.call(f"/v1/messages/batches/{BATCH}{path}", method=method).status == 200
    assert [dict(sent.headers)[b"x-api-key"] for sent in world.upstream.sent] == [b"sk-n"] * 4
    assert [sent.method for sent in world.upstream.sent] == ["POST", "GET", "POST", "DELETE"]
    assert world.call("/v1/messages/batches/msgbatch_2", method="GET").status == 400


def restarted(world):
    """Forget what is in memory only."""
    world.plane.keepers = Keepers(world.clock)
    return world


def test_the_provider_of_a_batch_is_known_after_a_restart(world):
    world.upstream.will(answer(batch()), answer(ended()))
    world.call("/v1/messages/batches", {"requests": [item("@narrow/claude-one")]})
    assert restarted(world).call(f"/v1/messages/batches/{BATCH}", method="GET").status == 200
    assert dict(world.upstream.sent[1].headers)[b"x-api-key"] == b"sk-n"


def test_the_provider_of_a_file_of_results_is_known_after_a_restart(world):
    done = {"id": "batch_1", "output_file_id": "file-1"}
    world.upstream.will(answer({"id": "batch_1"}), answer(done), FakeResponse(200, JSON, b'{"id":"file-1"}'))
    world.call("/v1/batches", {"input_file_id": "file-0"}, x_portkey_provider="@openai")
    world.call("/v1/batches/batch_1", method="GET")
    assert restarted(world).call("/v1/files/file-1", method="GET").status == 200
    assert dict(world.upstream.sent[2].headers)[b"authorization"] == b"Bearer sk-openai-record"


def test_a_batch_at_a_host_of_the_callers_choice_is_nobody_elses_after_a_restart(world):
    world.upstream.will(answer({"id": "batch_1"}))
    host = {"x_portkey_provider": "openai", "x_portkey_custom_host": "https://93.184.216.34/v1", "authorization": "k"}
    assert world.call("/v1/batches", {"input_file_id": "file-0"}, **host).status == 200
    assert restarted(world).call("/v1/batches/batch_1", method="GET").status == 400


@pytest.mark.parametrize("is_away", [False, True], ids=["unknown", "book away"])
@pytest.mark.parametrize("path", ["/v1/messages/batches/b", "/v1/batches/b", "/v1/files/b", "/v1/files/b/content"])
def test_an_id_that_nobody_knows_is_answered_with_what_to_send(world, path, is_away, monkeypatch):
    async def away(*args):
        raise Unavailable("away")

    if is_away:
        monkeypatch.setattr(world.plane.batch_book, "find", away)
        monkeypatch.setattr(world.plane.batch_book, "find_by_file", away)
    got = world.call(path, method="GET")
    assert got.status == 400
    assert json.loads(got.body)["error"]["message"].endswith(
        "it is not known which provider keeps b; send x-portkey-provider: @slug with the slug of that one"
    )


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/messages/batches", "/v1/files"])
def test_a_list_that_names_no_provider_is_answered_with_what_to_send(world, path):
    message = json.loads(world.call(path, method="GET").body)["error"]["message"]
    assert message.startswith("Either x-portkey-config or x-portkey-provider header is required: calls about ")
    assert message.endswith("send x-portkey-provider: @slug")


def test_a_header_is_stronger_than_memory(world):
    world.upstream.will(answer(batch()), answer(batch()))
    world.call("/v1/messages/batches", {"requests": [item("@narrow/claude-one")]})
    world.call(f"/v1/messages/batches/{BATCH}", method="GET", x_portkey_provider="@anthropic")
    assert dict(world.upstream.sent[1].headers)[b"x-api-key"] == b"sk-ant-record"


@pytest.mark.parametrize("id", ["a.b", "a b", "é", "x" * 300, "", "..", "a?b"])
def test_an_id_that_could_change_the_path_is_refused(world, id):
    got = world.call(f"/v1/messages/batches/{id}/results", method="GET", x_portkey_provider="@anthropic")
    assert (got.status, world.upstream.sent) == (400, [])


@pytest.mark.parametrize("path", ["a/b/results", "a/output", "a/cancel/x", "a/id"])
def test_what_is_no_route_is_not_found(world, path):
    assert world.call(f"/v1/messages/batches/{path}", method="GET").status == 404


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("PUT", "/v1/messages/batches", "GET, POST"),
        ("POST", "/v1/messages/batches/a", "DELETE, GET"),
        ("GET", "/v1/messages/batches/a/cancel", "POST"),
        ("DELETE", "/v1/batches/a", "GET"),
        ("POST", "/batches/a/output", "GET"),
    ],
)
def test_methods_are_those_of_the_table(world, method, path, allowed):
    got = world.call(path, method=method)
    assert (got.status, got.headers["allow"]) == (405, allowed)


# ---- OpenAI's shape


def test_a_file_of_requests_is_refused_for_claude_with_what_to_send(world):
    got = world.call("/v1/batches", {"input_file_id": "file-1", "requests": None}, x_portkey_provider="@anthropic")
    error = json.loads(got.body)["error"]
    assert (got.status, error["param"]) == (400, "input_file_id")
    assert error["message"].startswith("input_file_id: is not supported for Claude")
    assert "send requests" in error["message"]
    assert world.upstream.sent == []


def test_a_batch_of_claude_is_created_in_openais_shape(world):
    world.upstream.will(answer(batch()))
    got = world.call("/v1/batches", {"requests": [item("@anthropic/m")], "completion_window": "24h"})
    assert json.loads(world.sent.body)["requests"] == [item("m")]
    assert world.sent.target == b"/v1/messages/batches"
    assert got.json() == {
        "id": BATCH, "object": "batch", "endpoint": "/v1/batches", "errors": None, "input_file_id": None,
        "completion_window": "24h", "status": "in_progress", "output_file_id": None, "error_file_id": None,
        "created_at": 1767225601, "in_progress_at": 1767225601, "expires_at": 1767312001, "finalizing_at": None,
        "completed_at": None, "failed_at": None, "expired_at": None, "cancelling_at": None, "cancelled_at": None,
        "request_counts": {"total": 1, "completed": 0, "failed": 0, "processing": 1, "canceled": 0, "expired": 0},
        "metadata": None,
    }  # fmt: skip
    assert (world.record.route, world.record.dialect) == ("batches", "openai_chat")


CANCELED = {"cancel_initiated_at": "2026-01-01T00:00:31Z"}


@pytest.mark.parametrize(
    "given, status, moment",
    [
        (batch(processing_status="canceling", **CANCELED), "cancelling", None),
        (ended(), "completed", "completed_at"),
        (ended(errored=1, expired=1, canceled=1), "completed", "completed_at"),
        (ended(succeeded=0, canceled=2) | CANCELED, "cancelled", "cancelled_at"),
        (ended(succeeded=1, canceled=2) | CANCELED, "completed", "completed_at"),
        (ended(succeeded=0, expired=2), "expired", "expired_at"),
        (ended(succeeded=0, errored=2), "failed", "failed_at"),
        (ended(succeeded=0, errored=2, expired=1), "completed", "completed_at"),
    ],
)
def test_how_a_batch_ended(world, given, status, moment):
    world.upstream.will(answer(given))
    got = world.call(f"/v1/batches/{BATCH}", method="GET", x_portkey_provider="@anthropic").json()
    assert got["status"] == status
    moments = {name: got[name] for name in ("completed_at", "failed_at", "expired_at", "cancelled_at")}
    assert moments == dict.fromkeys(moments) | ({moment: 1767225661} if moment else {})
    assert got.get("results_url") == (FOREIGN if moment else None)


def test_a_list_in_openais_shape(world):
    page = {"data": [ended(), batch() | {"id": "msgbatch_0"}], "has_more": True, "first_id": "x", "last_id": "y"}
    world.upstream.will(answer(page))
    got = world.call("/v1/batches", method="GET", query=b"limit=2&after=x%26y&z=1", x_portkey_provider="@anthropic")
    shown = got.json()
    assert (shown["object"], shown["first_id"], shown["last_id"], shown["has_more"]) == (
        "list",
        BATCH,
        "msgbatch_0",
        True,
    )
    assert [each["status"] for each in shown["data"]] == ["completed", "in_progress"]
    assert world.sent.target == b"/v1/messages/batches?limit=2&after_id=x%26y"
    assert set(_QUERY_NAMES) == {"after", "before", "limit"}


def test_the_output_of_a_finished_batch_is_never_fetched_elsewhere(world):
    world.upstream.will(answer(ended()), FakeResponse(200, [(b"content-type", b"text/plain")], b"{}\n"))
    got = world.call(f"/v1/batches/{BATCH}/output", method="GET", x_portkey_provider="@anthropic")
    assert (got.status, got.body, got.headers["content-type"]) == (200, b"{}\n", "application/x-jsonl")
    assert {sent.origin.host for sent in world.upstream.sent} == {"api.anthropic.com"}
    assert [sent.target for sent in world.upstream.sent] == [
        b"/v1/messages/batches/msgbatch_1",
        b"/v1/messages/batches/msgbatch_1/results",
    ]


def test_the_output_of_a_batch_that_runs_is_a_conflict(world):
    world.upstream.will(answer(batch()))
    got = world.call(f"/v1/batches/{BATCH}/output", method="GET", x_portkey_provider="@anthropic")
    assert (got.status, got.headers["x-should-retry"]) == (409, "false")
    assert "batch msgbatch_1 has not finished: in_progress" in got.json()["error"]["message"]
    assert len(world.upstream.sent) == 1


def test_errors_are_in_the_clients_words(world):
    world.upstream.will(answer({"type": "error", "error": {"type": "not_found_error", "message": "no"}}, 404))
    got = world.call(f"/v1/batches/{BATCH}", method="GET", x_portkey_provider="@anthropic")
    assert (got.status, got.json()["error"]["type"]) == (404, "not_found_error")


def test_batches_of_openai_pass_as_they_are(world):
    world.upstream.will(answer(b'{"id": "batch_1", "x": 1.0}'), answer(b'{"data": []}'), answer(b'{"id":"batch_1"}'))
    sent = b'{ "input_file_id": "file-1", "endpoint":"/v1/chat/completions"}'
    got = world.call("/v1/batches", sent, x_portkey_provider="@openai")
    assert got.body == b'{"id": "batch_1", "x": 1.0}'
    first = world.upstream.sent[0]
    assert (first.target, first.body) == (b"/v1/batches", sent)
    world.call("/v1/batches", method="GET", query=b"after=x&limit=2", x_portkey_provider="@openai")
    assert world.upstream.sent[1].target == b"/v1/batches?after=x&limit=2"
    world.call("/v1/batches/batch_1/cancel")
    assert world.upstream.sent[2].target == b"/v1/batches/batch_1/cancel"
    assert dict(world.upstream.sent[2].headers)[b"authorization"] == b"Bearer sk-openai-record"


def test_a_batch_without_any_provider_is_refused(world):
    assert world.call("/v1/batches", {"input_file_id": "file-1"}).status == 400
    assert world.call("/v1/batches", method="GET").status == 400
    assert world.call("/v1/batches/b/output", method="GET", x_portkey_provider="@openai").status == 400
    assert world.upstream.sent == []


def test_results_that_break_off_never_look_complete(world):
    world.upstream.will(FakeResponse(200, [(b"content-type", b"application/x-jsonl")], b'{"cus', Broken("gone")))
    got = world.call("/v1/messages/batches/b/results", method="GET", x_portkey_provider="@anthropic")
    assert (got.status, got.body, got.is_complete) == (200, b'{"cus', False)
    assert (world.record.error, world.record.bytes_out) == ("upstream_broken", 5)


def test_compressed_results_are_undone(world):
    data = gzip.compress(b'{"custom_id":"a"}\n')
    headers = [(b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(data))]
    world.upstream.will(FakeResponse(200, headers, data[:9], data[9:]))
    got = world.call("/v1/messages/batches/b/results", method="GET", x_portkey_provider="@anthropic")
    assert got.body == b'{"custom_id":"a"}\n'
    assert "content-length" not in got.headers
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("url", ["ftp://x", "https://", "https://x/?a", 'https://x/"', "https://u:p@x"])
def test_a_public_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match="public_url"):
        World(f"[server]\npublic_url = '{url}'\n" + CONFIG)
