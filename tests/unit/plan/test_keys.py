import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.plan.keys import digest_of, is_well_formed, write_key

KEY = write_key(bytes(range(32)))


@given(st.binary(min_size=32, max_size=32))
def test_every_written_key_is_well_formed_and_has_one_length(entropy):
    key = write_key(entropy)
    assert is_well_formed(key)
    assert len(key) == len("gk_") + 43 + 6
    assert key[3:].isalnum()


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_different_entropy_gives_different_keys(a, b):
    assert (write_key(a) == write_key(b)) == (a == b)


def test_the_form_of_keys_that_are_out_there_stays():
    assert write_key(bytes(32)) == "gk_" + "0" * 43 + "2CZclj"
    assert KEY == "gk_" + "003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf" + "1Yo7hP"


@given(st.integers(3, len(KEY) - 1), st.sampled_from("0aZ"))
def test_one_wrong_character_is_noticed(at, character):
    wrong = KEY[:at] + character + KEY[at + 1 :]
    assert is_well_formed(wrong) == (wrong == KEY)


@pytest.mark.parametrize("text", ["gk_", "gk_short", KEY + "x", KEY[:-1], "gk_" + "é" * 49])
def test_what_looks_like_ours_must_be_ours(text):
    assert not is_well_formed(text)


def test_other_texts_may_be_keys_but_for_the_empty_one():
    assert is_well_formed("anything an operator chose")
    assert not is_well_formed("")


def test_a_key_needs_256_bits():
    with pytest.raises(ValueError, match="32 random bytes"):
        write_key(b"short")


def test_the_digest_is_sha256():
    assert digest_of("abc") == hashlib.sha256(b"abc").digest()
