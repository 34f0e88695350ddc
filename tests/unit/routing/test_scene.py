"""A request of which nothing is known but its path."""

from __future__ import annotations

import pytest

from lockgate.routing.breaker import BreakerPolicy
from lockgate.routing.scene import Scene, read_timeout_ms


def test_by_default_no_circuit_is_open_and_nobody_is_assigned():
    scene = Scene(path="/v1/messages", roll=lambda: 0.5)
    assert scene.is_open("config", BreakerPolicy(cooldown_s=30.0, failures=1)) is False
    assert scene.assigned("key") is None


@pytest.mark.parametrize(
    ("text", "timeout_ms"),
    [("3000", 3000), (" 5 ", 5), ("0", None), ("", None), ("-1", None), ("1.5", None), ("soon", None), ("٣", None)],
    ids=["plain", "spaces", "zero", "empty", "negative", "fraction", "word", "other digits"],
)
def test_a_time_limit_is_a_positive_whole_number(text, timeout_ms):
    assert read_timeout_ms(text) == timeout_ms


def test_a_time_limit_is_a_day_at_most():
    assert read_timeout_ms("9" * 30) == read_timeout_ms("86400001") == 86_400_000
