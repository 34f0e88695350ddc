from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.journal_line import frame, unframe


@given(st.binary().filter(lambda data: b"\n" not in data))
def test_what_is_framed_comes_back(data):
    line = frame(data)
    assert line.endswith(b"\n")
    assert unframe(line) == data.rstrip(b"\n")


@given(st.binary(min_size=1, max_size=40).filter(lambda data: b"\n" not in data), st.data())
def test_no_line_with_a_changed_byte_is_taken(data, draw):
    line = bytearray(frame(data)[:-1])
    at = draw.draw(st.integers(0, len(line) - 1))
    line[at] ^= 1 << draw.draw(st.integers(0, 7))
    found = unframe(bytes(line))
    # the digits of a checksum may be upper case
    assert found is None or bytes(line).lower() == frame(data)[:-1].lower()


@pytest.mark.parametrize("line", [b"", b"\n", b"00000000", b"zzzzzzzz {}", b'{"a":1}'])
def test_what_is_no_line_is_none(line):
    assert unframe(line) is None


def test_a_torn_line_is_none():
    line = frame(b'{"id":"rec_1"}')
    assert all(unframe(line[:end]) is None for end in range(len(line) - 1))
