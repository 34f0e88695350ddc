"""Compiled filters hold no text of the user's: every value is a parameter, every name comes from our table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.query.sql import DuckSpeech, Sql, SqliteSpeech, compile_filter
from lockgate.records.query.tree import AllOf, AnyOf, Compare, Not, Text

SPEECHES = [SqliteSpeech(), DuckSpeech()]
EVIL = "x'; DROP TABLE rows; --"
texts = st.text(min_size=1, max_size=20).map(lambda text: f"⟦{text}⟧")
leaves = st.one_of(
    st.builds(
        Compare, st.just("model"), st.sampled_from(["in", "contains", "starts", "ends", "matches"]), st.tuples(texts)
    ),
    st.builds(Compare, st.just("metadata"), st.sampled_from(["in", "exists"]), st.tuples(texts), texts),
    st.builds(
        Compare, st.just("tool_names"), st.sampled_from(["has_any", "has_all"]), st.lists(texts, max_size=3).map(tuple)
    ),
    st.builds(Text, texts),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner), st.builds(AllOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
    ),
)  # fmt: skip


@given(trees, st.sampled_from(SPEECHES))
def test_values_are_parameters_only(tree, speech):
    found = compile_filter(tree, speech)
    assert "⟦" not in found.text
    assert found.text.count("?") == len(found.parameters)


@pytest.mark.parametrize("speech", SPEECHES)
def test_a_name_that_is_no_column_is_never_compiled(speech):
    with pytest.raises(KeyError):
        compile_filter(Compare(EVIL, "in", ("x",)), speech)


@pytest.mark.parametrize("speech", SPEECHES)
def test_the_empty_ones(speech):
    assert compile_filter(AllOf(), speech) == Sql("TRUE")
    assert compile_filter(AnyOf(), speech) == Sql("FALSE")
    assert compile_filter(Compare("model", "in", ()), speech) == Sql("FALSE")


@pytest.mark.parametrize("speech", SPEECHES)
def test_many_values_are_one_parameter(speech):
    found = compile_filter(Compare("trace_id", "in", tuple(f"t{n}" for n in range(5000))), speech)
    assert len(found.parameters) == 1
    assert len(compile_filter(Compare("trace_id", "in", ("a", "b")), speech).parameters) == 2
