"""How the endpoints are called and what they answer with: JSON, an ordered failure, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from lockgate.simulator.anthropic.errors import ApiError, from_fault, from_shape, write_error
from lockgate.simulator.anthropic.headers import check_content_type, common_headers, read_scope
from lockgate.simulator.directives import Fault, Orders
from lockgate.simulator.provider import Headers, Reply, Request, Usage, Whole, World
from lockgate.simulator.shapes import Scope, Shape, ShapeError

JSON = ("content-type", "application/json")
_HTML = b"<html>\n<head><title>Error</title></head>\n<body><h1>Simulated proxy error</h1></body>\n</html>\n"


class Call(NamedTuple):
    """One request to an endpoint."""

    request: Request
    world: World
    request_id: str
    id: str = ""
    """The id in the path."""

    def read_orders(self, *, model: str = "", text: str = "") -> Orders:
        """Return what is ordered for this request."""
        return self.world.read_orders(self.request, provider="anthropic", model=model, text=text)


def read_body(request: Request, shape: Shape) -> tuple[Scope, Mapping[str, Any]]:
    """Return the headers' scope and the JSON body. Raises :class:`ApiError`."""
    scope = read_scope(request)
    check_content_type(request)
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(f"The request body is not valid JSON: {error}") from error
    check_shape(shape, body, scope)
    return scope, body


def check_shape(shape: Shape, body: Any, scope: Scope) -> None:
    """Refuse a body that does not have a shape. Raises :class:`ApiError`."""
    try:
        shape(body, scope)
    except ShapeError as error:
        raise from_shape(error) from error


def send_json(value: Any, call: Call, orders: Orders, usage: Usage | None = None) -> Reply:
    """Return a JSON answer, or the failure that was ordered in its place."""
    return fail(orders, call) or send_bytes(msgspec.json.encode(value), (JSON,), call, orders.fault, usage)


def send_bytes(body: bytes, headers: Headers, call: Call, fault: Fault, usage: Usage | None = None) -> Reply:
    """Return an answer of any type."""
    common = common_headers("" if fault.no_id else call.request_id)
    data = b"" if fault.empty else body
    return Whole(status=200, headers=(*headers, *common), body=data, fault=fault, usage=usage or Usage())


def fail(orders: Orders, call: Call) -> Whole | None:
    """Return the failure or the raw body that was ordered."""
    fault = orders.fault
    if orders.answer.raw:
        raw = call.world.raw_body(orders.answer.raw)
        headers = (("content-type", raw.content_type), *raw.headers.items(), *common_headers(call.request_id))
        return Whole(status=raw.status, headers=headers, body=raw.data(), fault=fault)
    if fault.status is None:
        return None
    return refuse(from_fault(fault), "" if fault.no_id else call.request_id, fault)


def refuse(error: ApiError, request_id: str, fault: Fault | None = None) -> Whole:
    """Return a refusal in the API's envelope, or as the fault wants it."""
    fault = fault or Fault()
    extra = [(name, value) for name, value in _retry_headers(fault)]
    common = common_headers(request_id, is_limited=error.status == 429)
    body = write_error(error, request_id)
    kind = JSON
    if fault.html:
        body, kind = _HTML, ("content-type", "text/html")
    if fault.empty:
        body = b""
    return Whole(status=error.status, headers=(kind, *extra, *common), body=body, fault=fault)


def _retry_headers(fault: Fault) -> Headers:
    pairs = (("retry-after", fault.retry_after), ("x-should-retry", fault.should_retry))
    return tuple((name, value) for name, value in pairs if value)
