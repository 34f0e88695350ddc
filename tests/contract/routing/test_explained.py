"""What ``lockgate routes explain`` says of a config is what the gateway then does: random configs, scripted failures."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.config.routes import ConfigRules
from lockgate.errors import Unreachable
from lockgate.plan.explain import described_of, explain_request, find_routes
from lockgate.routing.explain import LOST_CONNECTION, Event
from tests.unit.dataplane.fakes import JSON, FakeResponse, World

PATHS = ("/v1/chat/completions", "/v1/messages")
STATUSES = (LOST_CONNECTION, 400, 402, 408, 429, 500, 503, 529)
MODELS = ("claude-x", "gpt-x")
CODES = st.lists(st.sampled_from([400, 402, 408, 429, 500, 503, 529]), max_size=3)
QUERIES = st.one_of(
    st.builds(lambda tier: {"metadata.tier": tier}, st.sampled_from(["gold", "iron"])),
    st.builds(lambda model: {"params.model": {"$in": [model]}}, st.sampled_from(MODELS)),
    st.builds(lambda most: {"params.max_tokens": {"$lte": most}}, st.sampled_from([5, 50])),
    st.just({"url.pathname": {"$regex": "messages$"}}),
    st.just({"$or": [{"metadata.tier": {"$ne": "gold"}}, {"params.stream": True}]}),
    st.just({"metadata.odd": {"$like": "x"}}),
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "retry": st.fixed_dictionaries(
            {"attempts": st.integers(0, 6)},
            optional={"on_status_codes": CODES, "use_retry_after_headers": st.booleans()},
        ),
        "override_params": st.fixed_dictionaries({}, optional={"model": st.sampled_from(MODELS), "top_k": st.just(3)}),
        "request_timeout": st.sampled_from([1000, 60000]),
        "weight": st.sampled_from([0, 1, 2.5]),
    },
)
LEAVES = st.builds(
    lambda settings, provider: {**settings, **provider},
    SETTINGS,
    st.sampled_from(
        [{"provider": "@anthropic"}, {"provider": "@openai"}, {"provider": "@gone"}, {"virtual_key": "local"}]
    ),
)


@st.composite
def routers(draw, children):
    targets = draw(st.lists(children, min_size=1, max_size=3))
    mode = draw(st.sampled_from(["single", "fallback", "loadbalance", "conditional"]))
    strategy: dict[str, object] = {"mode": mode}
    if mode == "fallback" and draw(st.booleans()):
        strategy["on_status_codes"] = draw(CODES)
    if mode == "loadbalance" and draw(st.booleans()):
        strategy["sticky"] = {"enabled": True, "hash_fields": ["metadata.tier", "model"]}
    if mode == "conditional":
        targets = [{**target, "name": f"t{at}"} for at, target in enumerate(targets)]
        names = st.sampled_from([target["name"] for target in targets])
        conditions = st.lists(st.fixed_dictionaries({"query": QUERIES, "then": names}), min_size=1, max_size=3)
        strategy |= {"conditions": draw(conditions), "default": draw(names)}
    return {**draw(SETTINGS), "strategy": strategy, "targets": targets}


CONFIGS = st.recursive(LEAVES, routers, max_leaves=6)
REQUESTS = st.fixed_dictionaries(
    {"path": st.sampled_from(PATHS), "model": st.sampled_from(MODELS), "roll": st.sampled_from([0.0, 0.3, 0.6, 0.99])},
    optional={"tier": st.sampled_from(["gold", "iron", "tin"]), "timeout": st.sampled_from(["2000", "x", "0"])},
)


def explained(world, config, request, failure):
    workspace = world.plane.snapshot.workspaces[world.plane.snapshot.default_workspace]
    rules = ConfigRules(providers=frozenset(world.plane.snapshot.raw_targets))
    routes = find_routes(json.dumps(config), workspace, rules)
    described = described_of(
        path=request["path"],
        headers=headers_of(request),
        body=json.dumps(body_of(request)).encode(),
        roll=request["roll"],
    )
    return explain_request(world.plane.snapshot, workspace, None, routes, described, [failure])


def headers_of(request):
    found = {"x-portkey-metadata": json.dumps({"tier": request["tier"]})} if "tier" in request else {}
    return found | ({"x-portkey-request-timeout": request["timeout"]} if "timeout" in request else {})


def body_of(request):
    return {"model": request["model"], "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def answered(failure):
    if failure == LOST_CONNECTION:
        return Unreachable("no")
    return FakeResponse(failure, JSON, b'{"type":"error","error":{"type":"api_error","message":"no"}}')


async def no_sleep(delay_s):
    pass


@pytest.fixture(scope="module")
def without_waits():
    with patch("lockgate.dataplane.walk.asyncio.sleep", no_sleep):
        yield


def played(world, config, request, failure):
    """Make the request while every try fails in the same way."""
    world.upstream.sent.clear()
    world.upstream.answers.clear()
    world.records.clear()
    world.captures.clear()
    world.upstream.will(*(answered(failure) for _ in range(60)))
    world.plane.roll = lambda: request["roll"]
    headers = {name.replace("-", "_"): value for name, value in headers_of(request).items()}
    return world.call(request["path"], body_of(request), x_portkey_config=json.dumps(config), **headers)


def serves(config, path):
    """Tell whether the target at a path names a provider that there is."""
    node = config
    for step in path.removeprefix("config").replace("targets", "").replace("[", "").replace("]", "").split(".")[1:]:
        node = node["targets"][int(step)]
    return node.get("provider") != "@gone"


@pytest.mark.usefixtures("without_waits")
@settings(max_examples=200)
@given(config=CONFIGS, request=REQUESTS, failure=st.sampled_from(STATUSES))
def test_what_is_explained_is_what_the_gateway_does(config, request, failure):
    world = World()
    told = explained(world, config, request, failure)
    answer = played(world, config, request, failure)
    if told.target is None:
        assert (world.upstream.sent, answer.status) == ([], 400)
        assert told.refusal in answer.json()["error"]["message"]
        return
    (if_it_fails,) = told.what_if
    first = Event(path=told.target.path, because="")
    *calls, end = (first, *if_it_fails.events)
    expected = [(call.path, call.retry > 0, call.wait_s * 1000) for call in calls if serves(config, call.path)]
    done = [(attempt.path, attempt.kind == "retry", attempt.waited_ms) for attempt in world.record.attempts]
    assert done == expected
    assert len(world.upstream.sent) == len(expected)
    assert answer.headers["x-portkey-last-used-option-index"] == end.path
    assert answer.headers["x-portkey-retry-attempt-count"] == str(end.retry_count)
    if serves(config, told.target.path):
        served = told.served_by
        assert (world.record.attempts[0].slug, world.record.attempts[0].model) == (served.slug, served.model)
        assert json.loads(world.upstream.sent[0].body)["model"] == served.model
    else:
        assert told.served_by.problem
