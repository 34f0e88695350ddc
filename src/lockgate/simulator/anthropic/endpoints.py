"""The endpoints of the Anthropic API that the fake has, and the way to each of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from lockgate.simulator.anthropic import batch_endpoints as batches
from lockgate.simulator.anthropic import file_endpoints as files
from lockgate.simulator.anthropic import shapes
from lockgate.simulator.anthropic.answer import Answer
from lockgate.simulator.anthropic.errors import ApiError, write_stream_error
from lockgate.simulator.anthropic.files import MAX_FILE_BYTES, Upload
from lockgate.simulator.anthropic.headers import check_key, common_headers, read_scope
from lockgate.simulator.anthropic.messages import answer_message, count_usage, read_count, read_message
from lockgate.simulator.anthropic.models import MODELS, describe_model, find_model, write_model
from lockgate.simulator.anthropic.paging import cut_page, read_query
from lockgate.simulator.anthropic.replies import JSON, Call, fail, read_body, refuse, send_json
from lockgate.simulator.anthropic.writing import write_events, write_message
from lockgate.simulator.dice import Dice
from lockgate.simulator.directives import DirectiveError, Fault
from lockgate.simulator.provider import BodyPlan, Headers, Reply, Request, Stream, Whole, World

_SSE: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
_FORM_BYTES = 1024 * 1024
"""How much larger than its file the body of an upload may be."""


class AnthropicFake:
    """Answers as api.anthropic.com does."""

    name = "anthropic"

    def is_for(self, request: Request) -> bool:
        """Whether a request without a provider prefix is meant for Anthropic."""
        if request.path.startswith("/v1/chat/"):
            return False
        is_ours = request.path.startswith("/v1/messages")
        return is_ours or "anthropic-version" in request.headers or "x-api-key" in request.headers

    def plan_body(self, request: Request, world: World) -> BodyPlan:
        """Uploads are read as they arrive, and batches may be large."""
        path = request.path.rstrip("/")
        content_type = request.headers.get("content-type", "")
        if path == "/v1/messages/batches":
            return BodyPlan(batches.MAX_BYTES)
        if (request.method, path) == ("POST", "/v1/files") and content_type.lower().startswith("multipart/"):
            upload = Upload(content_type, keep_bytes=world.settings.keep_file_bytes)
            return BodyPlan(MAX_FILE_BYTES + _FORM_BYTES, upload)
        return BodyPlan()

    def answer(self, request: Request, world: World) -> Reply:
        """Return the reply; every refusal is a reply too."""
        request_id = f"req_011C{Dice(world.seed, request.path, request.body).child('request').letters(20)}"
        try:
            return _route(Call(request, world, request_id))
        except ApiError as error:
            return refuse(error, request_id)
        except DirectiveError as error:
            return refuse(ApiError(f"simulator: {error}"), request_id)

    def refuse_size(self, request: Request) -> Whole:
        """Return the reply to a body that is too large."""
        error = ApiError("Request exceeds the maximum size", status=413)
        return refuse(error, f"req_011C{Dice(request.path).letters(20)}")


# --- messages -----------------------------------------------------------------------------------------------------


def _create(call: Call) -> Reply:
    scope, body = read_body(call.request, shapes.CREATE)
    prompt = read_message(body, scope, call.world)
    orders = call.read_orders(model=prompt.body["model"], text=prompt.asked.source)
    failed = fail(orders, call)
    if failed is not None:
        return failed
    answer, dice = answer_message(prompt, orders.answer, call.world)
    return _send(answer, dice, orders.fault, call.request_id, is_streamed=bool(body.get("stream")))


def _send(answer: Answer, dice: Dice, fault: Fault, request_id: str, *, is_streamed: bool) -> Reply:
    headers = common_headers("" if fault.no_id else request_id)
    counted = count_usage(answer)
    if is_streamed:
        return Stream(
            headers=(*_SSE, *headers),
            events=write_events(answer, dice.child("stream"), no_id=fault.no_id),
            write_error=lambda ordered: write_stream_error(ordered, request_id),
            fault=fault,
            usage=counted,
        )
    body = b"" if fault.empty else write_message(answer, no_id=fault.no_id)
    return Whole(status=200, headers=(JSON, *headers), body=body, fault=fault, usage=counted)


def _count(call: Call) -> Reply:
    scope, body = read_body(call.request, shapes.COUNT)
    prompt = read_count(body, scope, call.world)
    counted: dict[str, Any] = {"input_tokens": prompt.tokens}
    if body.get("context_management"):
        counted["context_management"] = {"original_input_tokens": prompt.tokens}
    return send_json(counted, call, call.read_orders(model=body["model"], text=prompt.asked.source))


# --- models -------------------------------------------------------------------------------------------------------


def _list_models(call: Call) -> Reply:
    read_scope(call.request)
    query = read_query(call.request.query)
    wanted = query.get("lifecycle", [])
    if not {"active", "deprecated", "retired"}.issuperset(wanted):
        raise ApiError("lifecycle.0: Input should be 'active', 'deprecated' or 'retired'")
    models = [model for model in MODELS if model.lifecycle in (wanted or ("active", "deprecated"))]
    return send_json(cut_page(models, query, write_model).write(), call, call.read_orders())


def _get_model(call: Call) -> Reply:
    read_scope(call.request)
    model = describe_model(call.id) or find_model(call.id, extra=call.world.settings.extra_models)
    if model is None:
        raise ApiError(f"model: {call.id}", status=404)
    return send_json(write_model(model), call, call.read_orders(model=call.id))


# --- routes -------------------------------------------------------------------------------------------------------


class Route(NamedTuple):
    """Where an endpoint is."""

    method: str
    path: re.Pattern[str]
    handler: Callable[[Call], Reply]


def _at(method: str, path: str, handler: Callable[[Call], Reply]) -> Route:
    return Route(method, re.compile(path.replace("{id}", "(?P<id>[^/]+)")), handler)


_ROUTES = (
    _at("POST", "/v1/messages", _create),
    _at("POST", "/v1/messages/count_tokens", _count),
    _at("POST", "/v1/messages/batches", batches.create_batch),
    _at("GET", "/v1/messages/batches", batches.list_batches),
    _at("GET", "/v1/messages/batches/{id}", batches.get_batch),
    _at("DELETE", "/v1/messages/batches/{id}", batches.delete_batch),
    _at("POST", "/v1/messages/batches/{id}/cancel", batches.cancel_batch),
    _at("GET", "/v1/messages/batches/{id}/results", batches.get_results),
    _at("POST", "/v1/files", files.upload_file),
    _at("GET", "/v1/files", files.list_files),
    _at("GET", "/v1/files/{id}", files.get_file),
    _at("DELETE", "/v1/files/{id}", files.delete_file),
    _at("GET", "/v1/files/{id}/content", files.download_file),
    _at("GET", "/v1/models", _list_models),
    _at("GET", "/v1/models/(?P<id>.+)", _get_model),
)


def _route(call: Call) -> Reply:
    path = call.request.path.rstrip("/")
    found = [(route, match) for route in _ROUTES if (match := route.path.fullmatch(path))]
    if not found:
        raise ApiError("Not Found", status=404)
    for route, match in found:
        if route.method == call.request.method:
            check_key(call.request, call.world.settings)
            return route.handler(call._replace(id=match.groupdict().get("id") or ""))
    raise ApiError("Method Not Allowed", status=405)
