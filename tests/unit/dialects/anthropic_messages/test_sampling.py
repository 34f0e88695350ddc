"""Sampling parameters, stop sequences, users and tiers."""

from __future__ import annotations

import pytest

from tests.unit.dialects.anthropic_messages.calls import call, raw, sent, write

ANY = "claude-sonnet-4-0"
ONE = "claude-sonnet-4-5"
NONE = "claude-opus-5"
FAST = "claude-opus-4-6"
NAMES = ("temperature", "top_p", "top_k")


@pytest.mark.parametrize(
    "model, asked, thinking, expected, dropped",
    [
        (ANY, (0.5, None, 3), None, (0.5, None, 3), ()),
        (ANY, (0.5, 0.5, None), None, (0.5, None, None), ("top_p",)),
        (ONE, (0.5, 0.5, None), None, (0.5, None, None), ("top_p",)),
        (ONE, (None, 0.5, None), None, (None, 0.5, None), ()),
        (ONE, (0.0, None, None), None, (0.0, None, None), ()),
        (NONE, (1.0, 0.5, 3), None, (None, None, None), NAMES),
        (ONE, (0.5, None, 3), "enabled", (None, None, None), ("temperature", "top_k")),
        (ONE, (1.0, None, None), "enabled", (1.0, None, None), ()),
        (ONE, (None, 0.9, None), "enabled", (None, None, None), ("top_p",)),
        (ONE, (None, 0.97, None), "enabled", (None, 0.97, None), ()),
        (ONE, (0.5, 0.97, None), "enabled", (None, 0.97, None), ("temperature",)),
        (ONE, (0.5, None, None), "disabled", (0.5, None, None), ()),
    ],
)
def test_parameters_are_sent_as_far_as_the_model_takes_them(model, asked, thinking, expected, dropped):
    settings = {"type": thinking, "budget_tokens": 2000} if thinking == "enabled" else {"type": thinking}
    said = call(**dict(zip(NAMES, asked, strict=True)), thinking=raw(settings) if thinking else None)
    body = sent(said, model)
    assert tuple(body.get(name) for name in NAMES) == expected
    assert write(said, model).dropped == dropped


@pytest.mark.parametrize("value, expected", [(1.5, 1.0), (2.0, 1.0), (-0.5, 0.0)])
def test_values_beyond_the_range_are_clamped_by_name(value, expected):
    said = call(temperature=value)
    assert sent(said)["temperature"] == expected
    assert write(said).adjusted == (f"temperature: clamped to {expected:g}",)


@pytest.mark.parametrize(
    "stop, expected, dropped",
    [
        ((), None, ()),
        (("END",), ["END"], ()),
        (("\n\n",), None, ("stop",)),
        (("", "a", " "), ["a"], ("stop",)),
    ],
)
def test_blank_stop_sequences_are_left_out(stop, expected, dropped):
    assert sent(call(stop=stop)).get("stop_sequences") == expected
    assert write(call(stop=stop)).dropped == dropped


@pytest.mark.parametrize(
    "user, is_sent",
    [
        ("u-1", True),
        ("3f2b8c1e-0000-4000-8000-000000000000", True),
        ("1234567890", True),
        ('{"device_id":"a@b"}', True),
        ("a@b.example", False),
        ("+1 555 123 4567", False),
        ("(555) 123-4567", False),
        ("", False),
    ],
)
def test_a_user_is_sent_unless_anthropic_would_refuse_it(user, is_sent):
    body = sent(call(user=user))
    assert body.get("metadata") == ({"user_id": user} if is_sent else None)
    assert write(call(user=user)).dropped == (() if is_sent or not user else ("user",))


@pytest.mark.parametrize(
    "model, tier, service_tier, speed, is_dropped",
    [
        (ONE, "auto", "auto", None, False),
        (ONE, "default", "standard_only", None, False),
        (ONE, "standard", "standard_only", None, False),
        (ONE, "standard_only", "standard_only", None, False),
        (ONE, "priority", "auto", None, False),
        (ONE, "fast", None, "fast", False),
        (ONE, "flex", None, None, True),
        (FAST, "auto", None, "fast", False),
        (FAST, "fast", None, "fast", False),
        (FAST, "default", None, "standard", False),
        (FAST, "priority", None, None, True),
        (FAST, "flex", None, None, True),
    ],
)
def test_a_tier_becomes_a_tier_or_a_speed(model, tier, service_tier, speed, is_dropped):
    said = call(service_tier=tier)
    body = sent(said, model)
    assert (body.get("service_tier"), body.get("speed")) == (service_tier, speed)
    assert write(said, model).dropped == (("service_tier",) if is_dropped else ())


def test_a_clients_own_speed_and_tier_win():
    native = {"speed": raw("standard"), "service_tier": raw("standard_only")}
    body = sent(call(service_tier="auto", native=native), FAST)
    assert (body["service_tier"], body["speed"]) == ("standard_only", "standard")
    assert sent(call(service_tier="auto", native={"speed": raw("standard")}), FAST)["speed"] == "standard"
