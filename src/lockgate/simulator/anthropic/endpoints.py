"""The endpoints of the Anthropic API that the fake has. Files and batches will be added here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from lockgate.simulator.anthropic import rules, shapes, turns
from lockgate.simulator.anthropic.answer import Answer, Draft, compose
from lockgate.simulator.anthropic.asked import read_asked
from lockgate.simulator.anthropic.errors import ApiError, from_fault, from_shape, write_error, write_stream_error
from lockgate.simulator.anthropic.headers import check_content_type, check_key, common_headers, read_scope
from lockgate.simulator.anthropic.models import MODELS, Model, describe_model, find_model, write_model
from lockgate.simulator.anthropic.prompt import Piece, PromptCache, check_breakpoints, read_pieces
from lockgate.simulator.anthropic.seal import Sealer
from lockgate.simulator.anthropic.threads import Threads
from lockgate.simulator.anthropic.writing import write_events, write_message
from lockgate.simulator.dice import Dice
from lockgate.simulator.directives import DirectiveError, Fault, Orders
from lockgate.simulator.provider import Headers, Reply, Request, Stream, Usage, Whole, World
from lockgate.simulator.shapes import Scope, Shape, ShapeError

_JSON = ("content-type", "application/json")
_SSE: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
_HTML = b"<html>\n<head><title>Error</title></head>\n<body><h1>Simulated proxy error</h1></body>\n</html>\n"


class AnthropicFake:
    """Answers as api.anthropic.com does."""

    name = "anthropic"

    def is_for(self, request: Request) -> bool:
        """Whether a request without a provider prefix is meant for Anthropic."""
        if request.path.startswith("/v1/chat/"):
            return False
        is_ours = request.path.startswith("/v1/messages")
        return is_ours or "anthropic-version" in request.headers or "x-api-key" in request.headers

    def answer(self, request: Request, world: World) -> Reply:
        """Return the reply; every refusal is a reply too."""
        request_id = f"req_011C{Dice(world.seed, request.path, request.body).child('request').letters(20)}"
        try:
            return _route(request, world, request_id)
        except ApiError as error:
            return _refuse(error, request_id)
        except DirectiveError as error:
            return _refuse(ApiError(f"simulator: {error}"), request_id)

    def refuse_size(self, request: Request) -> Whole:
        """Return the reply to a body that is too large."""
        error = ApiError("Request exceeds the maximum size", status=413)
        return _refuse(error, f"req_011C{Dice(request.path).letters(20)}")


def _route(request: Request, world: World, request_id: str) -> Reply:
    path = request.path.rstrip("/")
    handlers = {"/v1/messages": ("POST", _create), "/v1/messages/count_tokens": ("POST", _count)}
    method, handler = handlers.get(path, ("GET", _list_models if path == "/v1/models" else _get_model))
    if path not in handlers and not (path == "/v1/models" or path.startswith("/v1/models/")):
        raise ApiError("Not Found", status=404)
    if request.method != method:
        raise ApiError("Method Not Allowed", status=405)
    check_key(request, world.settings)
    return handler(request, world, request_id)


# --- messages -----------------------------------------------------------------------------------------------------


def _create(request: Request, world: World, request_id: str) -> Reply:
    scope, body = _read_body(request, shapes.CREATE)
    body = _threads(world).resolve(body)
    model = _find_model(body["model"], world)
    sealer = Sealer(world.seed)
    rules.check_request(body, model, scope)
    pieces = _check_prompt(body, model, scope, sealer)
    asked = read_asked(body["messages"])
    orders = world.read_orders(request, provider="anthropic", model=body["model"], text=asked.source)
    failed = _fail(orders, request_id, world)
    if failed is not None:
        return failed
    seen = {key: value for key, value in body.items() if key != "stream"}
    dice = Dice(world.seed, "anthropic", msgspec.json.encode(seen, order="sorted"))
    draft = Draft(
        body=body,
        model=model,
        asked=asked,
        plan=orders.answer,
        dice=dice,
        sealer=sealer,
        betas=scope.betas,
        pieces=pieces,
        cache=_cache(world).use(model.id, pieces),
    )
    answer = compose(draft)
    _threads(world).keep(body, answer)
    return _send(answer, dice, orders.fault, request_id, is_streamed=bool(body.get("stream")))


def _send(answer: Answer, dice: Dice, fault: Fault, request_id: str, *, is_streamed: bool) -> Reply:
    headers = common_headers("" if fault.no_id else request_id)
    usage = answer.usage
    totals = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counted = Usage(sum(usage[name] for name in totals), answer.output_tokens)
    if is_streamed:
        return Stream(
            headers=(*_SSE, *headers),
            events=write_events(answer, dice.child("stream"), no_id=fault.no_id),
            write_error=lambda ordered: write_stream_error(ordered, request_id),
            fault=fault,
            usage=counted,
        )
    body = b"" if fault.empty else write_message(answer, no_id=fault.no_id)
    return Whole(status=200, headers=(_JSON, *headers), body=body, fault=fault, usage=counted)


def _count(request: Request, world: World, request_id: str) -> Reply:
    scope, body = _read_body(request, shapes.COUNT)
    model = _find_model(body["model"], world)
    rules.check_prompt_fields(body, model, scope)
    pieces = _check_prompt(body, model, scope, Sealer(world.seed))
    text = read_asked(body["messages"]).source
    orders = world.read_orders(request, provider="anthropic", model=body["model"], text=text)
    failed = _fail(orders, request_id, world)
    if failed is not None:
        return failed
    total = sum(piece.tokens for piece in pieces)
    counted: dict[str, Any] = {"input_tokens": total}
    if body.get("context_management"):
        counted["context_management"] = {"original_input_tokens": total}
    return _json(counted, request_id, orders.fault)


def _read_body(request: Request, shape: Shape) -> tuple[Scope, Mapping[str, Any]]:
    scope = read_scope(request)
    check_content_type(request)
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(f"The request body is not valid JSON: {error}") from error
    try:
        shape(body, scope)
    except ShapeError as error:
        raise from_shape(error) from error
    return scope, body


def _check_prompt(body: Mapping[str, Any], model: Model, scope: Scope, sealer: Sealer) -> list[Piece]:
    """Check system and messages, and return the prompt's pieces."""
    system = body.get("system")
    if isinstance(system, list) and any(not block["text"].strip() for block in system):
        raise ApiError("system: text content blocks must be non-empty")
    turns.check_messages(body, model, scope, sealer)
    pieces = read_pieces(body)
    check_breakpoints(pieces, body)
    total = sum(piece.tokens for piece in pieces)
    if total > model.context_tokens:
        raise ApiError(f"prompt is too long: {total} tokens > {model.context_tokens} maximum")
    return pieces


def _find_model(name: str, world: World) -> Model:
    settings = world.settings
    model = find_model(name, extra=settings.extra_models, has_retired=settings.has_retired_models)
    if model is None:
        raise ApiError(f"model: {name}", status=404)
    return model


def _cache(world: World) -> PromptCache:
    cache: PromptCache = world.memory.setdefault("anthropic.cache", PromptCache())
    return cache


def _threads(world: World) -> Threads:
    threads: Threads = world.memory.setdefault("anthropic.threads", Threads())
    return threads


# --- models -------------------------------------------------------------------------------------------------------


def _list_models(request: Request, world: World, request_id: str) -> Reply:
    read_scope(request)
    query = parse_qs(request.query, keep_blank_values=True)
    wanted = [value for key, values in query.items() if key in ("lifecycle", "lifecycle[]") for value in values]
    unknown = [stage for stage in wanted if stage not in ("active", "deprecated", "retired")]
    if unknown:
        raise ApiError("lifecycle.0: Input should be 'active', 'deprecated' or 'retired'")
    models = [model for model in MODELS if model.lifecycle in (wanted or ("active", "deprecated"))]
    page, has_more = _page(models, query)
    orders = world.read_orders(request, provider="anthropic", model="", text="")
    return _fail(orders, request_id, world) or _json(
        {
            "data": [write_model(model) for model in page],
            "has_more": has_more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        },
        request_id,
        orders.fault,
    )


def _page(models: list[Model], query: Mapping[str, list[str]]) -> tuple[list[Model], bool]:
    limit_text = query.get("limit", ["20"])[0]
    if not limit_text.isdecimal():
        raise ApiError("limit: Input should be a valid integer, unable to parse string as an integer")
    limit = int(limit_text)
    if not 1 <= limit <= 1000:
        bound = "greater than or equal to 1" if limit < 1 else "less than or equal to 1000"
        raise ApiError(f"limit: Input should be {bound}")
    if "after_id" in query and "before_id" in query:
        raise ApiError("only one of `after_id` and `before_id` may be given")
    ids = [model.id for model in models]
    cursor = (query.get("after_id") or query.get("before_id") or [""])[0]
    if cursor and cursor not in ids:
        raise ApiError(f"{'after_id' if 'after_id' in query else 'before_id'}: no such object: {cursor}")
    if "before_id" in query:
        rest = models[: ids.index(cursor)]
        return rest[-limit:], len(rest) > limit
    rest = models[ids.index(cursor) + 1 :] if cursor else models
    return rest[:limit], len(rest) > limit


def _get_model(request: Request, world: World, request_id: str) -> Reply:
    read_scope(request)
    name = request.path.removeprefix("/v1/models/")
    model = describe_model(name) or find_model(name, extra=world.settings.extra_models)
    if model is None:
        raise ApiError(f"model: {name}", status=404)
    orders = world.read_orders(request, provider="anthropic", model=name, text="")
    return _fail(orders, request_id, world) or _json(write_model(model), request_id, orders.fault)


# --- replies ------------------------------------------------------------------------------------------------------


def _json(value: Any, request_id: str, fault: Fault) -> Reply:
    return Whole(status=200, headers=(_JSON, *common_headers(request_id)), body=msgspec.json.encode(value), fault=fault)


def _fail(orders: Orders, request_id: str, world: World) -> Whole | None:
    """Return the failure or the raw body that was ordered."""
    fault = orders.fault
    if orders.answer.raw:
        raw = world.raw_body(orders.answer.raw)
        headers = (("content-type", raw.content_type), *raw.headers.items(), *common_headers(request_id))
        return Whole(status=raw.status, headers=headers, body=raw.data(), fault=fault)
    if fault.status is None:
        return None
    return _refuse(from_fault(fault), "" if fault.no_id else request_id, fault)


def _refuse(error: ApiError, request_id: str, fault: Fault | None = None) -> Whole:
    fault = fault or Fault()
    extra = [(name, value) for name, value in _retry_headers(fault)]
    common = common_headers(request_id, is_limited=error.status == 429)
    body = write_error(error, request_id)
    kind = _JSON
    if fault.html:
        body, kind = _HTML, ("content-type", "text/html")
    if fault.empty:
        body = b""
    return Whole(status=error.status, headers=(kind, *extra, *common), body=body, fault=fault)


def _retry_headers(fault: Fault) -> Headers:
    pairs = (("retry-after", fault.retry_after), ("x-should-retry", fault.should_retry))
    return tuple((name, value) for name, value in pairs if value)
