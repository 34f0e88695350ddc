import pytest

from lockgate.config.lines import find_line

TEXT = '''# a comment with [brackets]
[server]
port = 1

[providers.prod]
type = "a"  # [not.a.table]
note = """
port = 99
[server]
"""
[providers.prod.timeouts]
idle_s = 3
[[list]]
x = 1
[providers]
other.type = "b"
"quoted key" = {type = "c"}
'''


@pytest.mark.parametrize(
    "keys, line",
    [
        (("server",), 2),
        (("server", "port"), 3),
        (("server", "missing"), 2),
        (("providers", "prod", "type"), 6),
        (("providers", "prod", "timeouts", "idle_s"), 12),
        (("list",), 13),
        (("providers", "other", "type"), 16),
        (("providers", "quoted key"), 17),
        (("nowhere",), 1),
    ],
)
def test_the_line_of_a_key(keys, line):
    assert find_line(TEXT, keys) == line
