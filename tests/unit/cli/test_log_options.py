import pytest

from lockgate.cli.log_options import moment_of, pointed_at

NOW_US = 1_796_000_000_000_000


@pytest.mark.parametrize(
    "text, us",
    [
        ("15m", NOW_US - 900_000_000),
        ("1.5h", NOW_US - 5_400_000_000),
        ("-7d", NOW_US - 7 * 86_400_000_000),
        ("1970-01-02", 86_400_000_000),
    ],
)
def test_moments(text, us):
    assert moment_of(text, "--since", NOW_US) == us


@pytest.mark.parametrize("text", ["15", "soon", "1y", ""])
def test_what_is_no_moment(text, capsys):
    with pytest.raises(SystemExit):
        moment_of(text, "--since", NOW_US)
    assert "--since" in capsys.readouterr().err


def test_the_place_of_a_mistake_is_shown_also_in_a_long_query():
    assert pointed_at("abc", 1, 2) == "  abc\n   ^"
    assert pointed_at("abc", 3, 3) == "  abc\n     ^"
    text, below = pointed_at("x " * 100 + "bad\n" + " y" * 100, 200, 203).split("\n")
    assert text[below.index("^") :][:3] == "bad"
