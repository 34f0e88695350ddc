from __future__ import annotations

import pytest

from lockgate.records.query.language import parse
from lockgate.records.query.matching import matcher
from lockgate.records.query.tree import Compare
from lockgate.records.row import Preview, Row

ROW = Row(
    id="r", started_us=5, status_code=200, model="claude-opus-4-7", cost_nano=10**9, is_stream=True, tool_names=("search", "book"),
    metadata={"team": "search"}, error_message="Straße", output_tps=2.5,
)  # fmt: skip
PREVIEW = Preview(id="r", started_us=5, request_preview="Refund policy", text="some text")


@pytest.mark.parametrize(
    "text",
    ["", "status:200", "status:2xx", "-status:404", "model:claude*", 'model~"opus-\\\\d"', "model$=-7", "cost>=1", "cost<2", "cost<=1",
     "cost>0.5", "stream:yes", "tool:book", "meta.team:search", "meta.team*=ear", "-meta.other:x", "-finish:*", "model:*", "tool:*",
     "REFUND", '"some TEXT"', "straße", "tps:2.5", "status:404 OR model:claude*", "-(status:404 OR finish:x)"],
)  # fmt: skip
def test_selected(text):
    assert matcher(parse(text))(ROW, PREVIEW)


@pytest.mark.parametrize(
    "text",
    ["status:404", "-status:200", "model:gpt*", "finish:*", "finish:x", "-model:*", "tool:other", "meta.other:*", "cost>1", "cost<1",
     "dropped:*", "nothing", "stream:no"],
)  # fmt: skip
def test_not_selected(text):
    assert not matcher(parse(text))(ROW, PREVIEW)


def test_without_a_preview_only_the_error_message_is_searched():
    assert matcher(parse("straße"))(ROW, None)
    assert not matcher(parse("refund"))(ROW, None)


def test_a_list_can_be_asked_for_all_of_several():
    assert matcher(Compare("tool_names", "has_all", ("search", "book")))(ROW, None)
    assert not matcher(Compare("tool_names", "has_all", ("search", "x")))(ROW, None)
