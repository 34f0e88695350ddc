from msgspec import UNSET

from lockgate.admin.changes import given


def test_missing_is_the_old_and_null_is_null():
    assert given(UNSET, 1) == 1
    assert given(None, 1) is None
    assert given(2, 1) == 2
