from lockgate.simulator import prose
from lockgate.simulator.dice import Dice


def test_the_default_answer_echoes_the_question_and_says_what_it_saw():
    text = prose.answer_text(Dice(1), echo="How are you?", images=1, documents=2)
    assert text.startswith("Simulated answer to: How are you? (saw 1 image and 2 documents). ")


def test_nothing_is_said_about_what_was_not_there():
    assert "saw" not in prose.answer_text(Dice(1), echo="Hi")


def test_tool_results_are_quoted():
    text = prose.tool_result_text(Dice(1), ["12 degrees", "rain"])
    assert text.startswith("Simulated answer from 2 tool results: 12 degrees; rain.")


def test_a_long_text_has_exactly_the_size():
    assert len(prose.long_text(Dice(1), 12_345).encode()) == 12_345


def test_a_long_echo_is_clipped():
    assert prose.clip("x" * 3000) == "x" * 2000 + "…"


def test_thinking_mentions_the_question():
    assert "Why?" in prose.thinking_text(Dice(1), "Why?")


def test_files_are_named():
    text = prose.answer_text(Dice(1), echo="x", images=1, files=["a.png"])
    assert text.startswith("Simulated answer to: x (saw 1 image and the file a.png). ")
