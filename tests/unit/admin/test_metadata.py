from lockgate.admin.metadata import write_metadata


def test_none_is_null():
    assert write_metadata({}) is None
    assert write_metadata({"a": "b"}) == {"a": "b"}
