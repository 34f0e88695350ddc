"""The endpoints of the Message Batches API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lockgate.simulator.anthropic import shapes
from lockgate.simulator.anthropic.batches import Batch, Item, Patience, batches_of
from lockgate.simulator.anthropic.errors import ApiError, from_fault, write_error
from lockgate.simulator.anthropic.headers import read_scope
from lockgate.simulator.anthropic.messages import answer_message, count_usage, read_message
from lockgate.simulator.anthropic.paging import cut_page, read_query
from lockgate.simulator.anthropic.replies import Call, check_shape, fail, read_body, send_bytes, send_json
from lockgate.simulator.anthropic.writing import write_message
from lockgate.simulator.dice import Dice
from lockgate.simulator.directives import BatchPlan, DirectiveError
from lockgate.simulator.provider import Reply, Usage
from lockgate.simulator.shapes import Scope, Shape, list_of, mapping_of, req, string

MAX_BYTES = 256 * 1024 * 1024
"""Source: Anthropic documentation, "Batch processing", limitations; so is the next."""
MAX_REQUESTS = 100_000
CREATE = Shape(
    "",
    {
        "requests": req(
            list_of(
                Shape("", {"custom_id": req(string(pattern="^[a-zA-Z0-9_-]{1,64}$")), "params": req(mapping_of())}),
                least=1,
                most=MAX_REQUESTS,
            )
        )
    },
)


def create_batch(call: Call) -> Reply:
    """``POST /v1/messages/batches``."""
    scope, body = read_body(call.request, CREATE)
    _check_unique(body["requests"])
    orders = call.read_orders()
    failed = fail(orders, call)
    if failed is not None:
        return failed
    headers = {name: value for name, value in call.request.headers.items() if name != "x-simulator"}
    part = call._replace(request=msgspec.structs.replace(call.request, headers=headers, body=b""))
    answered = [_answer_item(request, scope, part) for request in body["requests"]]
    patience = _read_patience([orders.batch, *(plan for _, plan in answered)], call)
    batch = batches_of(call.world).add([item for item, _ in answered], patience)
    batch.look(call.world.now_s())
    return send_json(batch.write(call.request.base_url), call, orders, _take_usage(call))


def list_batches(call: Call) -> Reply:
    """``GET /v1/messages/batches``."""
    read_scope(call.request)
    batches = batches_of(call.world).newest()
    for batch in batches:
        batch.look(call.world.now_s())
    page = cut_page(batches, read_query(call.request.query), lambda batch: batch.write(call.request.base_url))
    return send_json(page.write(), call, call.read_orders(), _take_usage(call))


def get_batch(call: Call) -> Reply:
    """``GET /v1/messages/batches/{id}``."""
    read_scope(call.request)
    batch = batches_of(call.world).find(call.id)
    orders = call.read_orders()
    failed = fail(orders, call)
    if failed is not None:
        return failed
    batch.look(call.world.now_s(), is_poll=True)
    return send_json(batch.write(call.request.base_url), call, orders, _take_usage(call))


def cancel_batch(call: Call) -> Reply:
    """``POST /v1/messages/batches/{id}/cancel``."""
    batch = _look(call)
    orders = call.read_orders()
    failed = fail(orders, call)
    if failed is not None:
        return failed
    batch.cancel()
    return send_json(batch.write(call.request.base_url), call, orders, _take_usage(call))


def delete_batch(call: Call) -> Reply:
    """``DELETE /v1/messages/batches/{id}``."""
    batch = _look(call)
    usage = _take_usage(call)
    orders = call.read_orders()
    failed = fail(orders, call)
    if failed is not None:
        return failed
    batches_of(call.world).delete(batch.id)
    return send_json({"id": batch.id, "type": "message_batch_deleted"}, call, orders, usage)


def get_results(call: Call) -> Reply:
    """``GET /v1/messages/batches/{id}/results``."""
    batch = _look(call)
    if batch.status != "ended":
        raise ApiError(f"Results of message batch {batch.id} are not available before it has ended.", status=404)
    orders = call.read_orders()
    lines = b"".join(batch.write_results(call.world.seed))
    headers = (("content-type", "application/x-jsonl"),)
    return fail(orders, call) or send_bytes(lines, headers, call, orders.fault, _take_usage(call))


def _look(call: Call) -> Batch:
    read_scope(call.request)
    batch = batches_of(call.world).find(call.id)
    batch.look(call.world.now_s())
    return batch


def _take_usage(call: Call) -> Usage:
    return batches_of(call.world).take_usage()


def _check_unique(requests: Sequence[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    for index, request in enumerate(requests):
        if request["custom_id"] in seen:
            raise ApiError(f"requests.{index}.custom_id: custom_id must be unique within a batch")
        seen.add(request["custom_id"])


def _read_patience(plans: Sequence[BatchPlan], call: Call) -> Patience:
    settings = call.world.settings
    polls = [plan.polls for plan in plans if plan.polls is not None]
    waits_s = [plan.wait_s for plan in plans if plan.wait_s is not None]
    default_polls = 0 if waits_s else settings.batch_polls
    wait_s = max(waits_s, default=settings.batch_wait_s)
    return Patience(polls=max(polls, default=default_polls), until_s=call.world.now_s() + wait_s)


# --- the requests of a batch --------------------------------------------------------------------------------------


def _answer_item(request: Mapping[str, Any], scope: Scope, call: Call) -> tuple[Item, BatchPlan]:
    """Answer one request as if it were alone; everything wrong with it is its result."""
    custom_id, plan = request["custom_id"], BatchPlan()
    try:
        check_shape(shapes.CREATE, request["params"], scope)
        _check_batchable(request["params"])
        prompt = read_message(request["params"], scope, call.world)
        orders = call.read_orders(model=prompt.body["model"], text=prompt.asked.source)
        plan = orders.batch
        if orders.answer.raw:
            raise DirectiveError("a request of a batch cannot be answered with a raw body")
        if orders.fault.status is not None or plan.result == "errored":
            raise from_fault(orders.fault)
        if plan.result in ("canceled", "expired"):
            result = msgspec.json.encode({"type": plan.result})
            return _item(custom_id, scope, plan, plan.result, result), plan
        answer, _ = answer_message(prompt, orders.answer, call.world, service_tier="batch")
        message = msgspec.Raw(write_message(answer, no_id=orders.fault.no_id))
        result = msgspec.json.encode({"type": "succeeded", "message": message})
        return _item(custom_id, scope, plan, "succeeded", result, count_usage(answer)), plan
    except DirectiveError as error:
        failed = ApiError(f"simulator: {error}")
    except ApiError as error:
        failed = error
    request_id = f"req_011C{Dice(call.request_id, custom_id).letters(20)}"
    envelope = msgspec.Raw(write_error(failed, request_id))
    return _item(custom_id, scope, plan, "errored", msgspec.json.encode({"type": "errored", "error": envelope})), plan


def _item(
    custom_id: str, scope: Scope, plan: BatchPlan, outcome: str, result: bytes, usage: Usage | None = None
) -> Item:
    return Item(
        custom_id=custom_id,
        version=scope.version,
        outcome=outcome,
        result=result,
        usage=usage or Usage(),
        is_final=bool(plan.result),
    )


def _check_batchable(params: Mapping[str, Any]) -> None:
    """Refuse what only makes sense when somebody waits for the answer."""
    if params.get("stream"):
        raise ApiError("stream: Input should be false in a message batch")
    if params.get("speed") == "fast":
        raise ApiError("speed: 'fast' is not supported in a message batch")
    if params.get("thread"):
        details = {"error_code": "thread_unsupported_request", "unsupported": ["batch"]}
        raise ApiError("thread: not supported in a message batch", details=details)
