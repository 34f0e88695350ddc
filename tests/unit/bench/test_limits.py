"""The key with limits opens, and claims what it says."""

from bench.limits import RATE_LIMITS, USAGE_LIMITS, make_limited_key
from lockgate.plan.keys import digest_of
from lockgate.store.directory import open_directory


def test_the_key_is_in_the_database_with_all_its_limits(tmp_path):
    text = make_limited_key(tmp_path)
    directory = open_directory(url=None, home=tmp_path, environment={})
    (key,) = directory.load().api_keys
    directory.close()
    assert key.texts[0].digest == digest_of(text).hex()
    assert [(one.unit, one.cap) for one in key.usage_limits] == [(one.unit, one.cap) for one in USAGE_LIMITS]
    assert [(one.unit, one.cap) for one in key.rate_limits] == [(one.unit, one.cap) for one in RATE_LIMITS]
