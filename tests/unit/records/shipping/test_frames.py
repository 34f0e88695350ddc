from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.shipping.frames import MARK, read_frames, write_frame

frames = st.lists(st.one_of(st.binary(max_size=40), st.just(MARK * 3)), max_size=5)


def written(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("f") / "0000000001.bodies"
    path.write_bytes(data)
    return path


@given(frames)
def test_frames_come_back_with_their_places(tmp_path_factory, items):
    path = written(tmp_path_factory, b"".join(map(write_frame, items)))
    found = list(read_frames(path, 0, closed=False))
    assert [frame.data for frame in found] == items
    for at in range(len(found)):
        assert list(read_frames(path, found[at].start, closed=True)) == found[at:]


@given(
    frames.filter(bool),
    st.binary(min_size=1, max_size=30).filter(lambda junk: MARK not in junk and junk[-1:] != MARK[:1]),
    st.data(),
)
def test_junk_between_frames_costs_no_frame(tmp_path_factory, items, junk, data):
    at = data.draw(st.integers(0, len(items)))
    parts = [*map(write_frame, items)]
    parts.insert(at, junk)
    found = list(read_frames(written(tmp_path_factory, b"".join(parts)), 0, closed=True))
    assert [frame.data for frame in found if frame.data is not None] == items
    assert sum(frame.end - frame.start for frame in found) == sum(map(len, parts))


@given(frames.filter(bool), st.data())
def test_a_cut_file_gives_its_whole_frames_and_waits_for_the_rest(tmp_path_factory, items, data):
    whole = b"".join(map(write_frame, items))
    cut = data.draw(st.integers(0, len(whole)))
    path = written(tmp_path_factory, whole[:cut])
    found = list(read_frames(path, 0, closed=False))
    assert [frame.data for frame in found] == items[: len(found)]
    end = found[-1].end if found else 0
    with path.open("ab") as file:
        file.write(whole[cut:])
    assert [frame.data for frame in found] + [frame.data for frame in read_frames(path, end, closed=False)] == items


@pytest.mark.parametrize("cut", [1, 5, 12, 14])
def test_an_unfinished_frame_of_a_closed_file_is_damage(tmp_path_factory, cut):
    data = write_frame(b"one") + write_frame(b"two")[:cut]
    found = list(read_frames(written(tmp_path_factory, data), 0, closed=True))
    assert [frame.data for frame in found] == [b"one", None]
    assert found[-1].end == len(data)


def test_a_changed_byte_costs_its_frame_only(tmp_path_factory):
    one, two, three = map(write_frame, (b"one", b"two", b"three"))
    data = one + two[:-1] + b"X" + three
    found = list(read_frames(written(tmp_path_factory, data), 0, closed=False))
    assert [frame.data for frame in found] == [b"one", None, b"three"]
