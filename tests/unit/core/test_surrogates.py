import pytest

from lockgate.core.surrogates import mend


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDC00 \uD83D\uDC00 \ud83d\ud83d\udc00"', rb'"\ufffd \uD83D\uDC00 \ufffd\ud83d\udc00"'),
        (rb'"\\ud83d \\\ud83d"', rb'"\\ud83d \\\ufffd"'),
        (rb'"\ud83d\n"', rb'"\ufffd\n"'),
        (rb'"\ud83d\u0041"', rb'"\ufffd\u0041"'),
    ],
)
def test_halves_become_the_replacement_character_at_their_place(text, mended):
    assert mend(text) == mended
    assert len(mended) == len(text)


@pytest.mark.parametrize("text", [b"", rb'"\ud83d\udc00 \\ud83d \u00e9 \n"', b'{"a": 1}'])
def test_where_there_is_none_nothing_is_mended(text):
    assert mend(text) is None
