import pytest

from lockgate.simulator.anthropic.times import write_time


@pytest.mark.parametrize("seconds, text", [(0, "2026-01-01T00:00:00Z"), (86_461, "2026-01-02T00:01:01Z")])
def test_times_are_counted_from_the_start_of_the_year(seconds, text):
    assert write_time(seconds) == text
