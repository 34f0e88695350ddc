"""Sampling parameters, the user's id and the service tier, as far as the model and the API take them.

Source: Anthropic integration specification, sections 1.1 and 1.10.
"""

from __future__ import annotations

import re

from msgspec import Struct

from lockgate.catalog import ModelFacts
from lockgate.core.chat import Call
from lockgate.core.notes import Notes
from lockgate.dialects import TierMapping

_MIN_TOP_P_THINKING = 0.95
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+?[\d\s().-]{7,20}")
_MIN_PHONE_DIGITS = 7


class Sampling(Struct, frozen=True, gc=False):
    """What goes into a call."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None


NO_SAMPLING = Sampling()


def decide_sampling(call: Call, facts: ModelFacts, notes: Notes, *, is_thinking: bool) -> Sampling:
    """Return the parameters that the model takes; those that it refuses are dropped."""
    temperature, top_p, top_k = call.temperature, call.top_p, call.top_k
    if facts.sampling == "none":
        for name, value in (("temperature", temperature), ("top_p", top_p), ("top_k", top_k)):
            if value is not None:
                notes.drop(name)
        return NO_SAMPLING
    temperature, top_p = _clamped("temperature", temperature, notes), _clamped("top_p", top_p, notes)
    if is_thinking:
        if temperature is not None and temperature != 1:
            notes.drop("temperature")
            temperature = None
        if top_p is not None and top_p < _MIN_TOP_P_THINKING:
            notes.drop("top_p")
            top_p = None
        if top_k is not None:
            notes.drop("top_k")
            top_k = None
    if temperature is not None and top_p is not None:
        notes.drop("top_p")
        top_p = None
    return Sampling(temperature, top_p, top_k)


def _clamped(name: str, value: float | None, notes: Notes) -> float | None:
    if value is None or 0 <= value <= 1:
        return value
    bound = 0.0 if value < 0 else 1.0
    notes.adjust(name, f"clamped to {bound:g}")
    return bound


def clean_stops(call: Call, notes: Notes) -> list[str] | None:
    """Return the stop sequences that Anthropic takes: it refuses empty and blank ones."""
    kept = [text for text in call.stop if text and not text.isspace()]
    if len(kept) != len(call.stop):
        notes.drop("stop")
    return kept or None


def user_id(call: Call, notes: Notes) -> str | None:
    """Return the user's id, unless it is an address or a number that Anthropic refuses."""
    user = call.user
    if not user:
        return None
    if _EMAIL.fullmatch(user) or _is_phone(user):
        notes.drop("user")
        return None
    return user


def _is_phone(text: str) -> bool:
    return _PHONE.fullmatch(text) is not None and _has_phone_mark(text)


def _has_phone_mark(text: str) -> bool:
    """Tell a phone number from a plain number, which may be anybody's id."""
    digits = sum(char.isdigit() for char in text)
    return digits >= _MIN_PHONE_DIGITS and (text.startswith("+") or not text.isdigit())


_STANDARD = frozenset({"default", "standard", "standard_only"})


def decide_tier(tier: str, facts: ModelFacts, notes: Notes, mapping: TierMapping) -> tuple[str | None, str | None]:
    """Return ``service_tier`` and ``speed`` for a service tier in OpenAI's or Portkey's words.

    OpenAI's clients say ``auto`` without meaning anything by it, so it becomes the fast speed, which costs more, only
    where the mapping ``speed`` was asked for.
    """
    is_speed = mapping == "speed"
    if tier == "fast" or (tier == "auto" and is_speed):
        notes.adjust("service_tier", f"{tier} sent as speed fast")
        return None, "fast"
    if tier == "auto":
        return "auto", None
    if is_speed or (mapping == "auto" and facts.is_fast_capable):
        if tier in _STANDARD:
            return None, "standard"
    elif tier == "priority":
        notes.adjust("service_tier", "priority sent as auto")
        return "auto", None
    elif tier in _STANDARD:
        return "standard_only", None
    notes.drop("service_tier")
    return None, None
