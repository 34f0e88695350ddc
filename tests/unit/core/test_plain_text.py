import pytest

from lockgate.core.plain_text import printable


@pytest.mark.parametrize(
    "text, expected",
    [
        pytest.param("plain words, ü and 語", "plain words, ü and 語", id="words stay"),
        pytest.param("a\x1b[31mred", "a [31mred", id="escape"),
        pytest.param("one\r\ntwo\tthree", "one  two three", id="line ends and tabs"),
        pytest.param("a\u202eb\u200bc", "a b c", id="direction and width marks"),
        pytest.param("half \ud83d", "half  ", id="half a character"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_steers_a_terminal_becomes_a_space(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_something_else_may_stand_in_its_place() -> None:
    assert printable("a\x00b", instead="?") == "a?b"


def test_named_characters_stay() -> None:
    assert printable("a\nb\tc", keep="\n") == "a\nb c"
