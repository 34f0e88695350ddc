"""``/model-configs``: what models cost and accept, for everybody who asks.

Source: control-plane specification, sections 5.3 and 8.4.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from lockgate.admin.access import PUBLIC
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.catalog import ModelFacts
from lockgate.catalog.prices_terms import pricing_answer
from lockgate.errors import NotFound
from lockgate.plan.snapshot import Snapshot

_MOUNTS = ("", "/v1")


def pricing(call: Call[Nothing, Nothing]) -> Raw:
    """Show what a model costs now, in US cents per token."""
    provider, model = call.parameters["provider"], call.parameters["model"]
    answer = pricing_answer(call.services.snapshot().prices, provider, model, call.now.timestamp())
    if answer is None:
        raise NotFound("Model not found", path="model")
    return Raw(msgspec.json.encode(answer))


def general(call: Call[Nothing, Nothing]) -> Raw:
    """Show what the models of a provider accept: parameters with their bounds, roles and kinds of content."""
    provider = call.parameters["provider"]
    snapshot = call.services.snapshot()
    models = snapshot.prices.models_of(provider)
    if not models and provider not in snapshot.raw_targets:
        raise NotFound("Provider not found", path="provider")
    answer: dict[str, Any] = {"name": provider, "description": "", "default": _default(provider)}
    answer |= {model: _entry(provider, snapshot, model) for model in sorted(models)}
    return Raw(msgspec.json.encode(answer))


def _default(provider: str) -> dict[str, Any]:
    most = 1 if provider == "anthropic" else 2
    return {
        "params": [
            {"key": "max_tokens", "minValue": 1},
            {"key": "temperature", "minValue": 0, "maxValue": most},
            {"key": "top_p", "minValue": 0, "maxValue": 1},
            {"key": "stream", "type": "boolean"},
            {"key": "stop", "type": "array-of-strings"},
            {"key": "tools", "type": "array"},
            {"key": "tool_choice", "type": "non-view-manage-data"},
        ],
        "messages": {"options": ["system", "user", "assistant"]},
        "type": {"primary": "chat", "supported": ["tools", "image"]},
    }


def _entry(provider: str, snapshot: Snapshot, model: str) -> dict[str, Any]:
    if provider != "anthropic":
        return {}
    return {"params": _params(snapshot.facts.find(model))}


def _params(facts: ModelFacts) -> list[dict[str, Any]]:
    params: list[dict[str, Any]] = []
    if facts.max_output:
        params.append({"key": "max_tokens", "minValue": 1, "maxValue": facts.max_output})
    if facts.sampling == "none":
        params += [{"key": name, "isSupported": False} for name in ("temperature", "top_p")]
    if facts.effort:
        params.append({"key": "reasoning_effort", "type": "string", "options": list(facts.effort)})
    return params


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/model-configs/pricing/{provider}/{model:path}",
        access=PUBLIC,
        summary="Show what a model costs, in US cents per token",
        handler=pricing,
        mounts=_MOUNTS,
    ),
    Endpoint(
        method="GET",
        path="/model-configs/general/{provider}",
        access=PUBLIC,
        summary="Show what the models of a provider accept",
        handler=general,
        mounts=_MOUNTS,
    ),
)
