"""Sampling parameters, stop sequences, users and tiers."""

from __future__ import annotations

import pytest

from tests.unit.dialects.anthropic_messages.calls import call, headers, raw, sent, write

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
        (FAST, "auto", "auto", None, False),
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


@pytest.mark.parametrize("model", [ONE, FAST])
@pytest.mark.parametrize(
    "mapping, tier, service_tier, speed",
    [
        ("speed", "auto", None, "fast"),
        ("speed", "fast", None, "fast"),
        ("speed", "default", None, "standard"),
        ("speed", "standard", None, "standard"),
        ("speed", "standard_only", None, "standard"),
        ("speed", "priority", None, None),
        ("speed", "flex", None, None),
        ("native", "auto", "auto", None),
        ("native", "fast", None, "fast"),
        ("native", "default", "standard_only", None),
        ("native", "standard", "standard_only", None),
        ("native", "standard_only", "standard_only", None),
        ("native", "priority", "auto", None),
        ("native", "flex", None, None),
    ],
)
def test_a_config_may_say_how_a_tier_is_sent_to_every_model(model, mapping, tier, service_tier, speed):
    said = call(service_tier=tier)
    body = sent(said, model, tiers=mapping)
    assert (body.get("service_tier"), body.get("speed")) == (service_tier, speed)
    is_lost = service_tier is speed is None
    assert write(said, model, tiers=mapping).dropped == (("service_tier",) if is_lost else ())


def test_a_fast_speed_that_auto_became_is_named_and_brings_its_beta():
    said = call(service_tier="auto")
    assert write(said, FAST, tiers="speed").adjusted == ("service_tier: auto sent as speed fast",)
    assert (
        headers(said, FAST, tiers="speed")["anthropic-beta"]
        == headers(call(service_tier="fast"), FAST)["anthropic-beta"]
    )
    assert (
        sent(call(service_tier="auto", native={"speed": raw("standard")}), FAST, tiers="speed")["speed"] == "standard"
    )


def test_a_price_is_raised_only_when_asked_for_and_then_named():
    for tier in ("auto", "default", "standard", "priority", "flex"):
        assert sent(call(service_tier=tier), FAST).get("speed") != "fast"
        assert b"fast" not in dict(write(call(service_tier="auto"), FAST).headers).get(b"anthropic-beta", b"")
    assert write(call(service_tier="priority"), ONE).adjusted == ("service_tier: priority sent as auto",)
    assert write(call(service_tier="fast"), FAST).adjusted == ("service_tier: fast sent as speed fast",)


def test_a_clients_own_speed_and_tier_win():
    native = {"speed": raw("standard"), "service_tier": raw("standard_only")}
    body = sent(call(service_tier="auto", native=native), FAST)
    assert (body["service_tier"], body["speed"]) == ("standard_only", "standard")
    assert sent(call(service_tier="auto", native={"speed": raw("standard")}), FAST)["speed"] == "standard"
