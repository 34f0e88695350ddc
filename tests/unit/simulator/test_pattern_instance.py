import re

import pytest

from lockgate.simulator.dice import Dice
from lockgate.simulator.pattern_instance import make_match


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{2}$",
        r"^\d{3}-\d{4}$",
        "^(red|green|blue)$",
        r"^[^@\s]+@[a-z]+\.com$",
        "^a?b*c+$",
        r"^\w+\s\S.$",
        "^x{2,5}?$",
        "^[^a]$",
        "plain",
        r"^\D\W$",
        "^(?:ab){2}$",
        "^(?>ab)c*+$",
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_the_text_matches_the_pattern(pattern, seed):
    assert re.search(pattern, make_match(pattern, Dice(seed)))


def test_a_broken_pattern_gives_nothing():
    assert make_match("(", Dice(0)) == ""
