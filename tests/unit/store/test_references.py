from __future__ import annotations

import pytest

from lockgate.store.references import Reference, _told


def named(noun, *names, how="uses"):
    return tuple(Reference(resource=noun, noun=noun, id=name, name=name, how=how) for name in names)


@pytest.mark.parametrize(
    "found, text",
    [
        (named("provider", "a", "b", "c", how="contains"), "still contains 3 providers"),
        (named("API key", "a", how="contains"), "still contains 1 API key"),
        (
            named("provider", "a", "b", how="contains")
            + named("integration", "c", how="contains")
            + named("API key", "d", how="contains"),
            "still contains 2 providers, 1 integration and 1 API key",
        ),
        (named("API key", "a"), "is still used by the API key 'a'"),
        (named("API key", "a", "b"), "is still used by the API keys 'a' and 'b'"),
        (
            named("API key", *"abcdefg"),
            "is still used by the API keys 'a', 'b', 'c', 'd', 'e' and 2 more",
        ),
        (
            named("API key", "a") + named("usage policy", "p", "q"),
            "is still used by the API key 'a' and the usage policies 'p' and 'q'",
        ),
    ],
)
def test_a_refusal_says_what_is_in_the_way(found, text):
    assert _told(found) == text
