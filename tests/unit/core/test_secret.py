import pickle

import msgspec
import pytest

from lockgate.core.secret import Secret

CANARY = "sk-canary-0123456789"


@pytest.mark.parametrize("show", [repr, str, format, lambda s: f"{s}", lambda s: f"{s!r:>40}"])
def test_no_way_of_printing_shows_the_text(show):
    assert CANARY not in show(Secret(CANARY))


def test_it_cannot_be_encoded_or_pickled():
    with pytest.raises(TypeError):
        msgspec.json.encode(Secret(CANARY))
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))


def test_it_reveals_its_text_when_asked():
    assert Secret(CANARY).reveal() == CANARY
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
