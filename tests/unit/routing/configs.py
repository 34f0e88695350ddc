"""Configs, requests and dice for the tests of routing."""

from __future__ import annotations

import json

import msgspec

from lockgate.config.routes import ConfigRules, read_config
from lockgate.core.json_text import object_keys
from lockgate.routing.compile import compile_routes
from lockgate.routing.machine import Call, begin, proceed
from lockgate.routing.outcome import Origin, Outcome
from lockgate.routing.scene import Scene
from lockgate.routing.tree import Routes

RULES = ConfigRules(providers=frozenset({"openai", "anthropic"}))


def routes_of(config: object, *, id: str = "pc-test", is_saved: bool = False) -> Routes:
    """Compile a config that is given as data."""
    text = json.dumps(config).encode()
    rules = msgspec.structs.replace(RULES, is_saved=is_saved)
    return compile_routes(read_config(text, rules), id, is_saved=is_saved)


def scene_of(*, body: object = None, rolls: list[float] | None = None, **given: object) -> Scene:
    """Return a request; ``rolls`` are the dice, the last one comes up for ever."""
    left = list(rolls or [0.0])
    if body is not None:
        given["params"] = object_keys(json.dumps(body).encode())
    given.setdefault("path", "/v1/chat/completions")
    return Scene(roll=lambda: left.pop(0) if len(left) > 1 else left[0], **given)


def status(code: int, **given: object) -> Outcome:
    """Return what a provider answered."""
    return Outcome(status=code, **given)


LOST = Outcome(status=503, origin=Origin.CONNECTION)
BROKEN = Outcome(status=502, origin=Origin.CONNECTION)
TIMEOUT = Outcome(status=408, origin=Origin.TIMEOUT)


def play(config, outcomes, scene=None):
    """Feed outcomes to the machine, the last one for ever; return each step as text or the wait, and the Stop."""
    scene = scene or scene_of()
    step = begin(routes_of(config) if isinstance(config, dict) else config, scene)
    calls, left = [], list(outcomes)
    while isinstance(step, Call):
        calls.append(step)
        step = proceed(step, left.pop(0) if len(left) > 1 else left[0], scene)
    return calls, step


def waits(config, outcomes, scene=None):
    """Return the waits before each retry, and the attempt header."""
    calls, stop = play(config, outcomes, scene)
    return [call.wait_s for call in calls[1:]], stop.retry_count


def paths(config, outcomes, scene=None):
    """Return the paths of all calls, in order."""
    return [call.leaf.path for call in play(config, outcomes, scene)[0]]
