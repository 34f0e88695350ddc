import pytest

from lockgate.telemetry.small_file import replace_file


def test_a_file_is_replaced_as_a_whole_for_its_owner_alone(tmp_path):
    path = tmp_path / "x.json"
    for data in (b"one", b"another"):
        replace_file(path, data)
        assert path.read_bytes() == data
        assert path.stat().st_mode & 0o777 == 0o600
        assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_stays(tmp_path):
    (tmp_path / "x.json").mkdir()
    (tmp_path / "x.json" / "y").write_bytes(b"old")
    with pytest.raises(OSError):
        replace_file(tmp_path / "x.json", b"new")
    assert (tmp_path / "x.json" / "y").read_bytes() == b"old"
