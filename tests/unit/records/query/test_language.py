"""The grammar: what each text means, and where exactly the fault is in texts that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import BadFilter
from lockgate.records.query.language import MAX_CHARS, parse
from lockgate.records.query.matching import matcher
from lockgate.records.query.tree import EVERYTHING, AllOf, AnyOf, Compare, Not, Text
from tests.unit.records.rows import row

S200 = Compare("status_code", "in", (200,))
S500 = Compare("status_code", "in", (500,))


@pytest.mark.parametrize(
    "text, node",
    [
        ("", EVERYTHING),
        ("  ", EVERYTHING),
        ("status:200", S200),
        ("status=200 status:500", AllOf((S200, S500))),
        ("status:200 OR status:500", AnyOf((S200, S500))),
        ("status:200 status:500 OR hello", AnyOf((AllOf((S200, S500)), Text("hello")))),
        ("(status:200 OR status:500) hello", AllOf((AnyOf((S200, S500)), Text("hello")))),
        ("-status:200", Not(S200)),
        ("-(status:200 status:500)", Not(AllOf((S200, S500)))),
        ("status:200,500", Compare("status_code", "in", (200, 500))),
        ("status:200..299", AllOf((Compare("status_code", "ge", (200,)), Compare("status_code", "le", (299,))))),
        ("status:*", Compare("status_code", "exists")),
        ("model:claude*", Compare("model", "starts", ("claude",))),
        ("model:*mini", Compare("model", "ends", ("mini",))),
        ("model:*opus*", Compare("model", "contains", ("opus",))),
        ("model:a*b.c", Compare("model", "matches", (r"^a(?s:.*)b\.c$",))),
        ('model:"claude*"', Compare("model", "in", ("claude*",))),
        ("model:a,b*", AnyOf((Compare("model", "in", ("a",)), Compare("model", "starts", ("b",))))),
        ("model!=a", Not(Compare("model", "in", ("a",)))),
        ("model!=a*", Not(Compare("model", "starts", ("a",)))),
        ('model~"^a b$"', Compare("model", "matches", ("^a b$",))),
        ("model!*=x", Not(Compare("model", "contains", ("x",)))),
        ("cost>0.05", Compare("cost_nano", "gt", (50_000_000,))),
        ("meta.team=search", Compare("metadata", "in", ("search",), "team")),
        ('meta."a \\" b".c=x', Compare("metadata", "in", ("x",), 'a " b.c')),
        ('"refund policy"', Text("refund policy")),
        ('"say \\"hi\\" \\\\"', Text('say "hi" \\')),
        ("退款", Text("退款")),
        ("12:30", Text("12:30")),
        ("ORder", Text("ORder")),
        ("- x", AllOf((Text("-"), Text("x")))),
        ("time>-1h", Compare("started_us", "gt", (5_000_000_000 - 3_600_000_000,))),
    ],
)
def test_what_each_text_means(text, node):
    assert parse(text, now_us=5_000_000_000) == node


@pytest.mark.parametrize(
    "text, start, end, says",
    [
        ("a foo:1", 2, 5, "no field 'foo'"),
        ("status>=x", 0, 9, "'x' is not a number"),
        ("ok status:2..x", 3, 14, "'x' is not a number"),
        ("status>= 5", 0, 8, "wants a value"),
        ("model:", 0, 6, "wants a value"),
        ('a "b', 2, 4, "quote is not closed"),
        ("(a", 0, 1, "( is not closed"),
        ("a) b", 1, 2, ") without a ("),
        ("a OR", 2, 4, "both sides"),
        ("OR a", 0, 2, "both sides"),
        ("model>5", 0, 7, "compares numbers"),
        ("status~5", 0, 8, "looks into text"),
        ('model~"("', 0, 9, "not a regular expression"),
        ("tool:a*b", 0, 8, "star"),
        ("status:200,,1", 11, 12, "word is expected"),
        ("http://x", 0, 4, "put quotes around text"),
        ("(" * 60 + "a", 51, 52, "deeper"),
        ("x" * (MAX_CHARS + 1), MAX_CHARS, MAX_CHARS + 1, "longer"),
    ],
)
def test_a_fault_is_named_at_its_token(text, start, end, says):
    with pytest.raises(BadFilter) as caught:
        parse(text)
    assert says in caught.value.message
    assert (caught.value.start, caught.value.end) == (start, end)
    assert caught.value.path == f"filter[{start}:{end}]"


tokens = st.sampled_from(
    ["status", ":", "=", ">", "~", "*", "a", "(", ")", "-", '"', "\\", " ", " OR ", ",", "..", "5", "meta.", "退"]
)


@given(st.lists(tokens, max_size=12).map("".join))
def test_any_text_is_a_tree_or_a_fault_within_it(text):
    try:
        parse(text)
    except BadFilter as error:
        assert 0 <= error.start <= error.end <= max(len(text), error.start + 1)


@given(st.text(max_size=30))
def test_quoted_text_is_found_as_it_is(text):
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert parse(quoted) == Text(text)


@pytest.mark.parametrize("query", ["key:first", "key:key_1", "key:fir*", "key=x,first", "key^=fir", "-key!=first"])
def test_a_key_is_found_by_its_id_or_its_name(query):
    by = matcher(parse(query))
    assert by(row(1, api_key_id="key_1", api_key_name="first"), None)
    assert not by(row(2, api_key_id="key_2", api_key_name="second"), None)


@pytest.mark.parametrize("query", ["key!=first", "key!=key_1", "-key:first"])
def test_neither_id_nor_name_of_a_key_may_be_what_is_excluded(query):
    by = matcher(parse(query))
    assert not by(row(1, api_key_id="key_1", api_key_name="first"), None)
    assert by(row(2, api_key_id="key_2", api_key_name="second"), None)
