import pytest

from lockgate.simulator.anthropic import shapes
from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.replies import Call, check_shape, fail, read_body, refuse, send_bytes, send_json
from lockgate.simulator.directives import Fault, Orders
from lockgate.simulator.provider import Request, Usage, World
from lockgate.simulator.script import RawBody, Script
from lockgate.simulator.settings import SimulatorSettings
from lockgate.simulator.shapes import Scope
from tests.unit.simulator.driver import ANTHROPIC_HEADERS


def a_call(body=b"{}", raw=None, **headers):
    request = Request(method="POST", path="/v1/x", query="", headers={**ANTHROPIC_HEADERS, **headers}, body=body)
    return Call(request, World(SimulatorSettings(script=Script(raw=raw or {}))), "req_1")


def ordered(**fault):
    return Orders(fault=Fault(**fault))


@pytest.mark.parametrize("body, message", [(b"{", "not valid JSON"), (b"[]", "dictionary"), (b"{}", "Field required")])
def test_a_body_has_a_shape(body, message):
    with pytest.raises(ApiError, match=message):
        read_body(a_call(body).request, shapes.COUNT)


def test_a_shape_is_checked_in_the_words_of_the_api():
    with pytest.raises(ApiError, match="x: Extra inputs are not permitted"):
        check_shape(shapes.COUNT, {"model": "m", "messages": [], "x": 1}, Scope())


def test_an_answer_is_json():
    reply = send_json({"a": 1}, a_call(), Orders(), Usage(1, 2))
    assert (reply.status, reply.body, reply.usage) == (200, b'{"a":1}', Usage(1, 2))
    assert ("content-type", "application/json") in reply.headers
    assert ("request-id", "req_1") in reply.headers


def test_an_answer_may_be_empty_or_without_id():
    reply = send_bytes(b"x", (), a_call(), Fault(empty=True, no_id=True))
    assert reply.body == b""
    assert "request-id" not in dict(reply.headers)


def test_an_ordered_failure_takes_the_place_of_the_answer():
    reply = send_json({}, a_call(), ordered(status=529, retry_after="3"))
    assert (reply.status, dict(reply.headers)["retry-after"]) == (529, "3")
    assert fail(Orders(), a_call()) is None


def test_a_raw_body_is_an_answer_too():
    call = a_call(
        raw={"page": RawBody(body="hi", status=202, content_type="text/plain")}, **{"x-simulator": "raw=page"}
    )
    reply = fail(call.read_orders(), call)
    assert (reply.status, reply.body) == (202, b"hi")


@pytest.mark.parametrize(
    "fault, start", [(None, b'{"type":"error"'), (Fault(html=True), b"<html>"), (Fault(empty=True), b"")]
)
def test_a_refusal_has_the_envelope_unless_it_is_ordered_otherwise(fault, start):
    reply = refuse(ApiError("no", status=404), "req_1", fault)
    assert reply.status == 404
    assert reply.body.startswith(start)
    assert bool(reply.body) == bool(start)
