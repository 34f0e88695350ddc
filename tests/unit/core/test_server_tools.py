import json

import pytest

from lockgate.core.body import peek
from lockgate.core.server_tools import (
    DEFAULT_USES,
    MAX_ROUNDS,
    MOST_USES,
    NO_SERVER_WORK,
    RESULT_TOKENS,
    SUMMARY_TOKENS,
    ServerWork,
    read_server_work,
)


def work(**members):
    return read_server_work(peek(json.dumps(members).encode()))


def test_tools_of_the_client_are_no_work_of_the_provider():
    tools = [{"name": "look_up", "input_schema": {"type": "object"}}, {"type": "bash_20250124", "name": "bash"}]
    assert work(tools=tools) is NO_SERVER_WORK
    assert work() is NO_SERVER_WORK
    assert work(tools=None) is NO_SERVER_WORK


@pytest.mark.parametrize(
    "tools, units",
    [
        ([{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}], {"web_search": 3}),
        ([{"type": "web_search_20260209", "name": "web_search"}], {"web_search": DEFAULT_USES}),
        ([{"type": "web_search_20250305", "max_uses": 0}], {"web_search": 0}),
        ([{"type": "web_search_20250305", "max_uses": -9}], {"web_search": MOST_USES}),
        ([{"type": "web_search_20250305", "max_uses": 2.5}, None], {"web_search": 3}),
        ([{"type": "web_search_20250305", "max_uses": 1e300}], {"web_search": MOST_USES}),
        ([{"type": 7, "max_uses": 1}, {"type": "web_search_20250305", "max_uses": True}], {"web_search": 1}),
        (
            [{"type": "web_search_20250305", "max_uses": 2}, {"type": "web_fetch_20250910", "max_uses": 1}],
            {"web_search": 2, "web_fetch": 1},
        ),
        ([{"type": "web_search_20250305", "max_uses": "5"}], {"web_search": MOST_USES}),
        ({"type": "web_search_20250305"}, {}),
    ],
)
def test_uses_are_those_that_the_request_allows(tools, units):
    assert work(tools=tools).units == units


def test_a_type_in_escapes_is_a_type():
    tools = rb'[{"type": "web_search\u005f20250305", "max_uses": 4}]'
    assert read_server_work(peek(b'{"tools": ' + tools + b"}")).units == {"web_search": 4}


def test_each_round_reads_the_prompt_and_all_results_again():
    looped = ServerWork(units={"web_search": 2}).looped_input(1000)
    assert looped == 1000 + (1000 + RESULT_TOKENS) + (1000 + 2 * RESULT_TOKENS)


def test_rounds_have_an_end():
    assert ServerWork(units={"web_search": 10**6}).looped_input(1000) == ServerWork(
        units={"web_search": MAX_ROUNDS - 1}
    ).looped_input(1000)


def test_a_compaction_reads_the_prompt_once_more_and_writes_a_summary():
    found = work(context_management={"edits": [{"type": "compact_20260112"}]})
    assert found.has_compaction
    assert found.looped_input(1000) == 2000
    assert found.looped_output(10) == 10 + SUMMARY_TOKENS
    assert not work(context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}).has_compaction


def test_without_work_nothing_is_added():
    assert NO_SERVER_WORK.looped_input(7) == 7
    assert NO_SERVER_WORK.looped_output(7) == 7
