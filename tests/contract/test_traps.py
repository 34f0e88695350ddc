"""Each trap of the integration specification has a test that bears its number, or waits for what it is about."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRAPS = range(1, 115)
BEDROCK = "Amazon Bedrock is not a provider yet"
VERTEX = "Google Vertex AI is not a provider yet"
CLOUDS = "the clouds are no providers yet"
WAITING = {
    41: CLOUDS,
    48: BEDROCK,
    72: BEDROCK,
    73: VERTEX,
    79: CLOUDS,
    80: BEDROCK,
    81: BEDROCK,
    82: VERTEX,
    83: VERTEX,
    87: BEDROCK,
    103: BEDROCK,
    104: VERTEX,
    110: BEDROCK,
    112: CLOUDS,
}
_TEST = re.compile(r"^ *(?:async )?def test_trap_(\d+)_", re.MULTILINE)


@functools.cache
def numbers() -> set[int]:
    """Return the numbers that tests bear."""
    files = (ROOT / "tests").rglob("test_*.py")
    return {int(number) for path in files for number in _TEST.findall(path.read_text())}


@pytest.mark.parametrize("number", TRAPS)
def test_each_trap_has_a_test_or_waits_for_a_reason(number: int) -> None:
    assert (number in numbers()) != (number in WAITING), (
        f"trap {number} has both a test and a reason to wait, or neither"
    )


def test_no_test_bears_a_number_that_there_is_not() -> None:
    assert numbers() - set(TRAPS) == set()


@pytest.mark.parametrize("provider, reason", [("bedrock", BEDROCK), ("vertex", VERTEX)], ids=["bedrock", "vertex"])
def test_no_trap_waits_for_what_is_there(provider: str, reason: str) -> None:
    there = list((ROOT / "src" / "lockgate" / "providers").glob(f"{provider}*"))
    assert not (there and reason in WAITING.values()), reason
