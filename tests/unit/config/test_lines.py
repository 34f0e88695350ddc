import pytest

from lockgate.config.lines import find_json_line, find_line

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


LISTS = """
[configs.a]
retry = {attempts = 1}
[[configs.a.targets]]
provider = "@a"
[[configs.a.targets]]
provider = "@b"
[configs.a.targets.retry]
attempts = 1
[[configs.a.targets.targets]]
weight = 1
[[configs.a.targets.targets]]
weight = 2
[[configs.a.targets]]
[[configs.a.targets.targets]]
weight = 3
[configs.b]
targets = [
  {weight = 4},
]
"""


@pytest.mark.parametrize(
    "keys, line",
    [
        ("configs.a.retry.attempts", 3),
        ("configs.a.targets", 4),
        ("configs.a.targets.0.provider", 5),
        ("configs.a.targets.1", 6),
        ("configs.a.targets.1.provider", 7),
        ("configs.a.targets.1.retry.attempts", 9),
        ("configs.a.targets.1.targets.0.weight", 11),
        ("configs.a.targets.1.targets.1.weight", 13),
        ("configs.a.targets.2.targets.0.weight", 16),
        ("configs.a.targets.9", 4),
        ("configs.b.targets.0.weight", 18),
    ],
)
def test_the_line_of_a_list_item(keys, line):
    assert find_line(LISTS, tuple(keys.split("."))) == line


JSON = """{
  "retry": {"attempts": 1},
  "a, [b": [1, "x: {",
    {"c": null}],
  "targets": [
    {"weight": 1,
     "name": "one"},
    {
      "weight": -2e3
    }
  ], "sla\\"sh": true,
  "last":
    [[], [
      {}
    ]]
}"""


@pytest.mark.parametrize(
    "keys, line",
    [
        (("retry", "attempts"), 2),
        (("a, [b",), 3),
        (("a, [b", "1"), 3),
        (("a, [b", "2", "c"), 4),
        (("targets",), 5),
        (("targets", "0"), 6),
        (("targets", "0", "name"), 7),
        (("targets", "1"), 8),
        (("targets", "1", "weight"), 9),
        (("targets", "1", "missing"), 8),
        (('sla"sh',), 11),
        (("last",), 12),
        (("last", "1", "0"), 14),
        (("nowhere",), 1),
        ((), 1),
    ],
)
def test_the_line_of_a_key_in_json(keys, line):
    assert find_json_line(JSON, keys) == line


@pytest.mark.parametrize("text", ["", "]", "}{", ",,", '{"a', '["a":', "{{{", "{1: 2}", '"', "nul"])
def test_text_that_is_no_json_has_a_line(text):
    assert find_json_line(text, ("a", "b")) == 1
