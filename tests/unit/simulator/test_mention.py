import pytest

from lockgate.simulator.mention import find_mentioned

TOOLS = [("lookup", "Finds things."), ("get_forecast", "The weather of a city."), ("run", "Runs.")]


@pytest.mark.parametrize(
    "text, found",
    [
        ("please LOOKUP this", 0),
        ("call get_forecast now", 1),
        ("What is the weather?", 1),
        ("the lookups are many", None),
        ("run away", None),
        ("hello", None),
    ],
)
def test_a_tool_is_found_by_name_or_by_a_trigger_word(text, found):
    assert find_mentioned(TOOLS, text) == found


def test_a_trigger_word_that_fits_no_tool_chooses_the_first():
    assert find_mentioned([("alpha", ""), ("beta", "")], "the temperature?") == 0
