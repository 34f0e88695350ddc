from hypothesis import given
from hypothesis import strategies as st

from lockgate.simulator.anthropic.seal import Sealer, blocks_of
from lockgate.simulator.dice import Dice


@given(st.text(), st.binary(max_size=12), st.integers(0, 5))
def test_a_seal_opens_for_its_text_and_gives_back_what_it_binds(text, binding, seed):
    seal = Sealer(seed).seal("thinking", text, Dice(seed), binding=binding)
    assert Sealer(seed).open("thinking", text, seal) == binding.ljust(12, b"\0")


def test_nothing_else_opens():
    seal = Sealer(1).seal("thinking", "x", Dice(1))
    assert Sealer(2).open("thinking", "x", seal) is None
    assert Sealer(1).open("thinking", "y", seal) is None
    assert Sealer(1).open("citation", "x", seal) is None
    assert Sealer(1).open("thinking", "x", seal[:-4] + "AAA=") is None
    assert Sealer(1).open("thinking", "x", "") is None
    assert Sealer(1).open("thinking", "x", "no base64!") is None


def test_two_seals_of_one_text_differ():
    assert Sealer(1).seal("thinking", "", Dice(1)) != Sealer(1).seal("thinking", "", Dice(2))


def test_a_text_counts_as_one_block():
    assert blocks_of({"content": "x"}) == [{"type": "text", "text": "x"}]
    assert blocks_of({"content": []}) == []
    assert blocks_of({}) == []
