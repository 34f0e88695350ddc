"""Writes a canonical call as a Messages request that the target's model accepts.

What Anthropic takes in every model belongs here and in the modules beside; what one model takes or refuses is a
fact of ``TargetInfo``. The output is legal under every API version up to 2026-10-21, but for sampling parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Raw

from lockgate.catalog import ModelFacts
from lockgate.core.blocks import TextOut
from lockgate.core.chat import Call
from lockgate.core.json_text import list_items, object_keys, text_of, write_json
from lockgate.core.native import ID_HEADERS
from lockgate.core.notes import Notes
from lockgate.dialects import ReplyRules, TargetInfo, Written
from lockgate.dialects.anthropic_messages.betas import needed_betas
from lockgate.dialects.anthropic_messages.forward import join_flags
from lockgate.dialects.anthropic_messages.native_body import NO_SLUG, without_slug
from lockgate.dialects.anthropic_messages.reasoning import Reasoning, decide_reasoning
from lockgate.dialects.anthropic_messages.sampling import (
    NO_SAMPLING,
    Sampling,
    clean_stops,
    decide_sampling,
    decide_tier,
    user_id,
)
from lockgate.dialects.anthropic_messages.structured import Structure, decide_structure
from lockgate.dialects.anthropic_messages.tools import (
    NO_TOOLS,
    has_forced_choice,
    tool_names,
    write_tools,
)
from lockgate.dialects.anthropic_messages.turns import write_turns
from lockgate.dialects.anthropic_messages.wire import MESSAGES_FIELDS, CallOut, MetadataOut

DEFAULT_VERSION = "2023-06-01"
"""It takes a superset of what later versions take. Source: addendum of November 2026, section 3.2."""
NEWEST_VERSION = "2026-10-21"
AUTO_VERSION = "auto"
"""An operator's wish for the newest version wherever that allows what is sent."""

_IS_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}").fullmatch
_DEFAULT_HEADERS = ((b"anthropic-version", DEFAULT_VERSION.encode()),)
_NO_STRUCTURE = Structure()
_ELSEWHERE = frozenset({"output_config", *ID_HEADERS})
"""Native fields that are not simply added to the body."""


def write_call(call: Call, target: TargetInfo) -> Written:
    """Write a request. Raises Unsupported or InvalidRequest, with the path, for what must not be dropped."""
    facts = target.facts
    notes = Notes(call.unknown)
    names = tool_names(call)
    config = object_keys(call.native["output_config"]) if "output_config" in call.native else {}
    structure = _structure(call, config, facts, notes)
    reasoning = decide_reasoning(
        call,
        facts,
        notes,
        is_strict=target.strict,
        has_forced_choice=call.tool_choice is not None and has_forced_choice(call, target),
        has_own_effort="effort" in config,
    )
    system, turns = write_turns(call, names, notes, target)
    tools = NO_TOOLS
    if call.tools or call.tool_choice is not None or structure.tool is not None:
        tools = write_tools(call, target, names, notes, json_tool=structure.tool, is_thinking=reasoning.is_active)
    system += [TextOut(line) for line in (structure.line, tools.line) if line is not None]
    sampling = _sampling(call, facts, notes, is_thinking=reasoning.is_active)
    out = CallOut(
        model=target.model,
        max_tokens=reasoning.max_tokens,
        system=system or None,
        messages=turns,
        tools=tools.tools,
        tool_choice=tools.choice,
        thinking=reasoning.thinking,
        output_config=_output_config(config, reasoning, structure),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        stop_sequences=clean_stops(call, notes) if call.stop else None,
        stream=call.stream,
    )
    is_fast = _add_people_and_tier(out, call, target, notes)
    return Written(
        body=_encode(out, call.native, notes),
        headers=_headers(call, target, out, sampling, notes, is_fast=is_fast),
        dropped=notes.dropped,
        adjusted=notes.adjusted,
        rules=_rules(structure, names.originals),
    )


def _structure(call: Call, config: Mapping[str, Raw], facts: ModelFacts, notes: Notes) -> Structure:
    if call.output is None or "format" in config:
        return _NO_STRUCTURE
    return decide_structure(call, call.output, facts, notes)


def _sampling(call: Call, facts: ModelFacts, notes: Notes, *, is_thinking: bool) -> Sampling:
    if call.temperature is call.top_p is call.top_k is None:
        return NO_SAMPLING
    return decide_sampling(call, facts, notes, is_thinking=is_thinking)


def _output_config(config: Mapping[str, Raw], reasoning: Reasoning, structure: Structure) -> dict[str, object] | None:
    """Return the client's own object with the keys that it lacks."""
    keys: dict[str, object] = {}
    if reasoning.effort is not None:
        keys["effort"] = reasoning.effort
    if structure.format is not None:
        keys["format"] = structure.format
    keys.update(config)
    return keys or None


def _add_people_and_tier(out: CallOut, call: Call, target: TargetInfo, notes: Notes) -> bool:
    """Set user, tier and speed, unless the client wrote Anthropic's own; tell whether a speed is sent."""
    native = call.native
    if call.user and "metadata" not in native:
        user = user_id(call, notes)
        out.metadata = MetadataOut(user) if user else None
    if call.service_tier and "service_tier" not in native:
        tier, speed = decide_tier(call.service_tier, target.facts, notes, target.wishes.tiers)
        out.service_tier = tier
        out.speed = None if "speed" in native else speed
    return out.speed is not None or "speed" in native


def _encode(out: CallOut, native: Mapping[str, Raw], notes: Notes) -> bytes:
    """Return the body; fields that are carried by name keep the bytes they came in."""
    body = write_json(out)
    if not native:
        return body
    parts = [body[:-1]]
    for name, value in native.items():
        if name in _ELSEWHERE:
            continue
        if name in MESSAGES_FIELDS:
            sent = bytes(_without_slugs(value, notes) if name == "fallbacks" else value)
            parts.append(b',"%b":%b' % (name.encode(), sent))
        else:
            notes.drop(name)
    parts.append(b"}")
    return b"".join(parts)


def _without_slugs(fallbacks: Raw, notes: Notes) -> Raw:
    """Return the fallbacks with their models' bare names: they run where the request runs."""
    items = [object_keys(item) for item in list_items(fallbacks)]
    bare = [without_slug(text_of(item.get("model"))) for item in items]
    if not any(bare):
        return fallbacks
    notes.adjust("fallbacks.model", NO_SLUG)
    return Raw(write_json([{**item, "model": name} if name else item for item, name in zip(items, bare, strict=True)]))


def _headers(
    call: Call, target: TargetInfo, out: CallOut, sampling: Sampling, notes: Notes, *, is_fast: bool
) -> tuple[tuple[bytes, bytes], ...]:
    facts, wanted = target.facts, call.api_version or target.api_version
    if not (call.betas or call.native or call.tools or wanted or facts.betas):
        return _DEFAULT_HEADERS
    betas = needed_betas(
        call.betas,
        call.native,
        call.tools,
        facts,
        has_effort=out.output_config is not None and "effort" in out.output_config,
        is_fast=is_fast,
    )
    version = _version(wanted, sampling, notes, is_said=bool(call.api_version)) if wanted else None
    ids = _ids(call.native, notes) if call.native else []
    if version is None and not betas and not ids:
        return _DEFAULT_HEADERS
    headers = [(b"anthropic-version", (version or DEFAULT_VERSION).encode())]
    if betas:
        headers.append((b"anthropic-beta", join_flags(betas)))
    return (*headers, *ids)


def _ids(native: Mapping[str, Raw], notes: Notes) -> list[tuple[bytes, bytes]]:
    """Return the headers that say for whom the request is made; what no header can hold is dropped."""
    headers = []
    for name, header in ID_HEADERS.items():
        value = text_of(native.get(name))
        if value and value.isascii() and value.isprintable():
            headers.append((header, value.encode()))
        else:
            notes.drop(name, when=name in native)
    return headers


def _version(version: str, sampling: Sampling, notes: Notes, *, is_said: bool) -> str | None:
    """Return a version that is wanted, unless it belongs to another platform or forbids what is sent.

    That it gives way is told to a client that said it.
    """
    if version == AUTO_VERSION and not is_said:
        version = NEWEST_VERSION
    if not _IS_VERSION(version) or version <= DEFAULT_VERSION:
        return None
    if sampling != NO_SAMPLING:
        if is_said:
            notes.adjust("anthropic_version", f"{DEFAULT_VERSION} sent, later ones refuse sampling parameters")
        return None
    return version


def _rules(structure: Structure, originals: dict[str, str]) -> ReplyRules:
    rules = structure.rules
    if not originals:
        return rules
    return ReplyRules(
        tool_names=dict(originals),
        json_tool=rules.json_tool,
        unwrap_value=rules.unwrap_value,
        strip_fence=rules.strip_fence,
    )
