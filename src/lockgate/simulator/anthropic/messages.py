"""How one set of Messages parameters is checked and answered, alone or as a part of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lockgate.simulator.anthropic import rules, turns
from lockgate.simulator.anthropic.answer import Answer, Draft, compose
from lockgate.simulator.anthropic.asked import Asked, read_asked
from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.files import files_of
from lockgate.simulator.anthropic.models import Model, find_model
from lockgate.simulator.anthropic.prompt import Piece, PromptCache, check_breakpoints, read_pieces
from lockgate.simulator.anthropic.references import check_references
from lockgate.simulator.anthropic.seal import Sealer
from lockgate.simulator.anthropic.threads import Threads
from lockgate.simulator.dice import Dice
from lockgate.simulator.directives import AnswerPlan
from lockgate.simulator.provider import Usage, World
from lockgate.simulator.shapes import Scope


class Prompt(Struct, frozen=True, kw_only=True):
    """A request that was found to be right."""

    body: Mapping[str, Any]
    model: Model
    scope: Scope
    pieces: list[Piece]
    asked: Asked
    file_names: Mapping[str, str]

    @property
    def tokens(self) -> int:
        """What the whole prompt counts for."""
        return sum(piece.tokens for piece in self.pieces)


def read_message(body: Mapping[str, Any], scope: Scope, world: World) -> Prompt:
    """Check a request for an answer, whose shape is right. Raises :class:`ApiError`."""
    body = threads_of(world).resolve(body)
    model = _find_model(body["model"], world)
    rules.check_request(body, model, scope)
    return _read_prompt(body, model, scope, world)


def read_count(body: Mapping[str, Any], scope: Scope, world: World) -> Prompt:
    """Check a request to count tokens, whose shape is right. Raises :class:`ApiError`."""
    model = _find_model(body["model"], world)
    rules.check_prompt_fields(body, model, scope)
    return _read_prompt(body, model, scope, world)


def answer_message(
    prompt: Prompt, plan: AnswerPlan, world: World, *, service_tier: str = "standard"
) -> tuple[Answer, Dice]:
    """Return the answer, and the dice it was made with."""
    seen = {key: value for key, value in prompt.body.items() if key != "stream"}
    dice = Dice(world.seed, "anthropic", msgspec.json.encode(seen, order="sorted"))
    draft = Draft(
        body=prompt.body,
        model=prompt.model,
        asked=prompt.asked,
        plan=plan,
        dice=dice,
        sealer=Sealer(world.seed),
        betas=prompt.scope.betas,
        pieces=prompt.pieces,
        cache=_cache(world).use(prompt.model.id, prompt.pieces),
        file_names=prompt.file_names,
        service_tier=service_tier,
    )
    answer = compose(draft)
    threads_of(world).keep(prompt.body, answer)
    return answer, dice


def count_usage(answer: Answer) -> Usage:
    """Return what an answer counts for, cache included."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return Usage(sum(answer.usage[name] for name in names), answer.output_tokens)


def threads_of(world: World) -> Threads:
    """Return the threads of a world."""
    threads: Threads = world.memory.setdefault("anthropic.threads", Threads())
    return threads


def _read_prompt(body: Mapping[str, Any], model: Model, scope: Scope, world: World) -> Prompt:
    system = body.get("system")
    if isinstance(system, list) and any(not block["text"].strip() for block in system):
        raise ApiError("system: text content blocks must be non-empty")
    turns.check_messages(body, model, scope, Sealer(world.seed))
    file_names = check_references(body["messages"], files_of(world))
    pieces = read_pieces(body)
    check_breakpoints(pieces, body)
    asked = read_asked(body["messages"])
    prompt = Prompt(body=body, model=model, scope=scope, pieces=pieces, asked=asked, file_names=file_names)
    if prompt.tokens > model.context_tokens:
        raise ApiError(f"prompt is too long: {prompt.tokens} tokens > {model.context_tokens} maximum")
    return prompt


def _find_model(name: str, world: World) -> Model:
    settings = world.settings
    model = find_model(name, extra=settings.extra_models, has_retired=settings.has_retired_models)
    if model is None:
        raise ApiError(f"model: {name}", status=404)
    return model


def _cache(world: World) -> PromptCache:
    cache: PromptCache = world.memory.setdefault("anthropic.cache", PromptCache())
    return cache
