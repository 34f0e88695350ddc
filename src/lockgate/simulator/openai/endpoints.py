"""The endpoints of the OpenAI API that the fake has. Responses, embeddings, files and batches will be added here."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from lockgate.simulator.dice import Dice
from lockgate.simulator.directives import DirectiveError, Fault, Orders
from lockgate.simulator.openai import rules, shapes
from lockgate.simulator.openai.answer import Answer, Draft, compose
from lockgate.simulator.openai.asked import Asked, count_message, count_prompt, read_asked
from lockgate.simulator.openai.errors import ApiError, from_fault, from_shape, write_error, write_stream_error
from lockgate.simulator.openai.models import MODELS, Model, find_model, write_model
from lockgate.simulator.openai.writing import write_completion, write_events
from lockgate.simulator.provider import BodyPlan, Headers, Reply, Request, Stream, Usage, Whole, World
from lockgate.simulator.shapes import Scope, ShapeError

_JSON = ("content-type", "application/json")
_SSE: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
_HTML = b"<html>\n<head><title>502 Bad Gateway</title></head>\n<body><h1>Simulated proxy error</h1></body>\n</html>\n"
_SCOPE = Scope()
_LEAST_CACHED_TOKENS = 1024
_CACHE_STEP_TOKENS = 128
_MOST_CACHED = 100_000
_LIMIT_REQUESTS = 10_000
_LIMIT_TOKENS = 2_000_000


class OpenAIFake:
    """Answers as api.openai.com does."""

    name = "openai"

    def is_for(self, request: Request) -> bool:
        """Everything without a provider prefix that no other fake wants comes here."""
        return True

    def plan_body(self, request: Request, world: World) -> BodyPlan:
        """Every body is kept whole."""
        return BodyPlan()

    def answer(self, request: Request, world: World) -> Reply:
        """Return the reply; every refusal is a reply too."""
        request_id = f"req_{Dice(world.seed, request.path, request.body).child('request').bytes(16).hex()}"
        try:
            return _route(request, world, request_id)
        except ApiError as error:
            return _refuse(error, request_id)
        except DirectiveError as error:
            return _refuse(ApiError(f"simulator: {error}"), request_id)

    def refuse_size(self, request: Request) -> Whole:
        """Return the reply to a body that is too large."""
        return _refuse(ApiError("Request body is too large.", status=413), f"req_{Dice(request.path).bytes(16).hex()}")


def _route(request: Request, world: World, request_id: str) -> Reply:
    path = request.path.rstrip("/")
    is_models = path == "/v1/models" or path.startswith("/v1/models/")
    if path != "/v1/chat/completions" and not is_models:
        raise ApiError(f"Invalid URL ({request.method} {request.path})", status=404)
    is_right = request.method in _methods(path) if is_models else request.method == "POST"
    if not is_right:
        raise ApiError(f"Not allowed to {request.method} on {request.path}.", status=405, code="method_not_supported")
    _check_key(request, world)
    if is_models:
        return _models(path, request, world, request_id)
    return _create(request, world, request_id)


def _check_key(request: Request, world: World) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise ApiError(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY).",
            status=401,
            code="invalid_api_key",
        )
    if world.settings.api_keys and key not in world.settings.api_keys:
        raise ApiError("Incorrect API key provided: ***.", status=401, code="invalid_api_key")


# --- chat completions ---------------------------------------------------------------------------------------------


def _create(request: Request, world: World, request_id: str) -> Reply:
    body = _read_body(request)
    model = _find_model(body["model"], world)
    rules.check_request(body, model)
    prompt_tokens = count_prompt(body)
    if prompt_tokens > model.context_tokens:
        raise ApiError(
            f"This model's maximum context length is {model.context_tokens} tokens. However, your messages resulted in "
            f"{prompt_tokens} tokens. Please reduce the length of the messages.",
            param="messages",
            code="context_length_exceeded",
        )
    asked = read_asked(body["messages"])
    orders = world.read_orders(request, provider="openai", model=body["model"], text=asked.source)
    failed = _fail(orders, request_id, world)
    if failed is not None:
        return failed
    return _answer(body, model, asked, orders, prompt_tokens, world, request_id)


def _answer(
    body: Mapping[str, Any],
    model: Model,
    asked: Asked,
    orders: Orders,
    prompt_tokens: int,
    world: World,
    request_id: str,
) -> Reply:
    seen = {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
    dice = Dice(world.seed, "openai", msgspec.json.encode(seen, order="sorted"))
    draft = Draft(
        body=body,
        model=model,
        asked=asked,
        plan=orders.answer,
        dice=dice,
        prompt_tokens=prompt_tokens,
        cached_tokens=_use_cache(body, prompt_tokens, world),
    )
    return _send(compose(draft), dice.child("stream"), body, orders.fault, request_id)


def _send(answer: Answer, dice: Dice, body: Mapping[str, Any], fault: Fault, request_id: str) -> Reply:
    headers = _common_headers("" if fault.no_id else request_id)
    counted = Usage(answer.usage["prompt_tokens"], answer.usage["completion_tokens"])
    if not body.get("stream"):
        data = b"" if fault.empty else write_completion(answer, no_id=fault.no_id)
        return Whole(status=200, headers=(_JSON, *headers), body=data, fault=fault, usage=counted)
    options = body.get("stream_options") or {}
    events = write_events(
        answer,
        dice,
        no_id=fault.no_id,
        has_usage=bool(options.get("include_usage")),
        has_obfuscation=options.get("include_obfuscation", True),
    )
    return Stream(headers=(*_SSE, *headers), events=events, write_error=write_stream_error, fault=fault, usage=counted)


def _read_body(request: Request) -> Mapping[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        body = msgspec.json.decode(request.body) if kind == "application/json" else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict):
        raise ApiError("We could not parse the JSON body of your request. The OpenAI API expects a JSON payload.")
    unknown = [name for name in body if name not in shapes.CREATE.fields]
    if len(unknown) > 1:
        raise ApiError(f"Unrecognized request arguments supplied: {', '.join(unknown)}")
    try:
        shapes.CREATE(body, _SCOPE)
    except ShapeError as error:
        raise from_shape(error) from error
    return body


def _find_model(name: str, world: World) -> Model:
    model = find_model(name, extra=world.settings.extra_models)
    if model is None:
        raise ApiError(
            f"The model `{name}` does not exist or you do not have access to it.", status=404, code="model_not_found"
        )
    if not model.is_chat:
        raise ApiError(
            "This model is only supported in v1/responses and not in v1/chat/completions.", status=404, param="model"
        )
    return model


def _use_cache(body: Mapping[str, Any], prompt_tokens: int, world: World) -> int:
    """Return how much of a long prompt was sent before, in whole steps, and remember the prompt."""
    if prompt_tokens < _LEAST_CACHED_TOKENS:
        return 0
    known: set[bytes] = world.memory.setdefault("openai.cache", set())
    if len(known) > _MOST_CACHED:
        known.clear()
    head = {key: body.get(key) for key in ("model", "tools", "response_format")}
    digest = blake2b(msgspec.json.encode(head, order="sorted"), digest_size=16)
    found = tokens = 0
    for message in body["messages"]:
        digest.update(msgspec.json.encode(message, order="sorted"))
        tokens += count_message(message)
        found = tokens if digest.digest() in known else found
        known.add(digest.digest())
    return found // _CACHE_STEP_TOKENS * _CACHE_STEP_TOKENS


# --- models and replies -------------------------------------------------------------------------------------------


def _methods(path: str) -> tuple[str, ...]:
    return ("GET",) if path == "/v1/models" else ("GET", "DELETE")


def _models(path: str, request: Request, world: World, request_id: str) -> Reply:
    name = path.removeprefix("/v1/models").removeprefix("/")
    orders = world.read_orders(request, provider="openai", model=name, text="")
    failed = _fail(orders, request_id, world)
    if failed is not None:
        return failed
    if not name:
        return _json({"object": "list", "data": [write_model(model) for model in MODELS]}, request_id, orders.fault)
    model = find_model(name, extra=world.settings.extra_models)
    if model is None:
        raise ApiError(f"The model '{name}' does not exist", status=404, param="model", code="model_not_found")
    if request.method == "DELETE":
        if not name.startswith("ft:"):
            raise ApiError("You have insufficient permissions for this operation.", status=403)
        return _json({"id": name, "object": "model", "deleted": True}, request_id, orders.fault)
    return _json(write_model(model), request_id, orders.fault)


def _json(value: Any, request_id: str, fault: Fault) -> Reply:
    return Whole(
        status=200, headers=(_JSON, *_common_headers(request_id)), body=msgspec.json.encode(value), fault=fault
    )


def _fail(orders: Orders, request_id: str, world: World) -> Whole | None:
    """Return the failure or the raw body that was ordered."""
    fault = orders.fault
    if orders.answer.raw:
        raw = world.raw_body(orders.answer.raw)
        headers = (("content-type", raw.content_type), *raw.headers.items(), *_common_headers(request_id))
        return Whole(status=raw.status, headers=headers, body=raw.data(), fault=fault)
    if fault.status is None:
        return None
    return _refuse(from_fault(fault), "" if fault.no_id else request_id, fault)


def _refuse(error: ApiError, request_id: str, fault: Fault | None = None) -> Whole:
    fault = fault or Fault()
    pairs = (("retry-after", fault.retry_after), ("x-should-retry", fault.should_retry))
    extra = tuple((name, value) for name, value in pairs if value)
    body, kind = write_error(error), _JSON
    if fault.html:
        body, kind = _HTML, ("content-type", "text/html")
    if fault.empty:
        body = b""
    common = _common_headers(request_id, is_limited=error.status == 429)
    return Whole(status=error.status, headers=(kind, *extra, *common), body=body, fault=fault)


def _common_headers(request_id: str, *, is_limited: bool = False) -> Headers:
    return (
        ("x-lockgate-simulated", "true"),
        *((("x-request-id", request_id),) if request_id else ()),
        ("openai-organization", "org-simulated"),
        ("openai-processing-ms", "12"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", str(_LIMIT_REQUESTS)),
        ("x-ratelimit-limit-tokens", str(_LIMIT_TOKENS)),
        ("x-ratelimit-remaining-requests", "0" if is_limited else str(_LIMIT_REQUESTS - 1)),
        ("x-ratelimit-remaining-tokens", "0" if is_limited else str(_LIMIT_TOKENS - 100)),
        ("x-ratelimit-reset-requests", "6ms"),
        ("x-ratelimit-reset-tokens", "0s"),
    )
