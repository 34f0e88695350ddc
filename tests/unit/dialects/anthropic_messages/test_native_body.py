"""Each permitted change with a twin that looks alike and must stay as it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.body import peek
from lockgate.dialects.anthropic_messages.native_body import adjust

TOP_P = "top_p: left out, temperature is set"
FORMAT = "output_format: sent as output_config.format"
LIST = "tools: one object sent as a list"
FALLBACKS = "fallbacks.model: slug left out"
ADVISOR = "tools.model: slug left out"


def adjusted(body, betas=()):
    return adjust(body, peek(body), betas)


@pytest.mark.parametrize(
    "body, expected, name",
    [
        # a slug in front of another model
        (
            b'{"fallbacks":[ {"model":"@s/a","max_tokens":1.0},{"model" : "b"}, {"model":"@t.u/c/d"} ]}',
            b'{"fallbacks":[ {"model":"a","max_tokens":1.0},{"model" : "b"}, {"model":"c/d"} ]}',
            FALLBACKS,
        ),
        (b'{"fallbacks":[{"model":"@s\\/a"}]}', b'{"fallbacks":[{"model":"a"}]}', FALLBACKS),
        (
            b'{"tools":[{"type":"advisor_20260301","name":"advisor","model":"@s/a"}, {"name":"@s/x"}]}',
            b'{"tools":[{"type":"advisor_20260301","name":"advisor","model":"a"}, {"name":"@s/x"}]}',
            ADVISOR,
        ),
        # the old place of the output format
        (
            b'{"a":1.0, "output_format" : {"x":1.0 } ,"b":2}',
            b'{"a":1.0, "output_config" : {"format":{"x":1.0 }} ,"b":2}',
            FORMAT,
        ),
        (
            b'{"output_format":{"x":1e1},"output_config":{"effort":"low" }}',
            b'{"output_config":{"effort":"low","format":{"x":1e1} }}',
            FORMAT,
        ),
        (b'{"output_config":{ }, "output_format":{}}', b'{"output_config":{"format":{} }}', FORMAT),
        (b'{"output_config":null,"output_format":{}}', b'{"output_config":{"format":{}}}', FORMAT),
        (
            b'{"output_config":{"format":null,"effort":"low"},"output_format":{"x":1}}',
            b'{"output_config":{"format":{"x":1},"effort":"low"}}',
            FORMAT,
        ),
        # both ways to sample
        (b'{"top_p":0.90,"temperature":1.0}', b'{"temperature":1.0}', TOP_P),
        (b'{"temperature":1.0 , "top_p":0.90 }', b'{"temperature":1.0 }', TOP_P),
        (b'{"temperature":0,"top_p":1,"top_k":5.0,"top_p":2}', b'{"temperature":0,"top_k":5.0}', TOP_P),
        # a single tool
        (b'{"tools": {"name":"t", "x":1.0} }', b'{"tools": [{"name":"t", "x":1.0}] }', LIST),
    ],
)
def test_a_permitted_change_touches_its_value_only(body, expected, name):
    assert adjusted(body) == (expected, (name,))


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"fallbacks":"default"}',
        b'{"fallbacks":null}',
        b'{"fallbacks":[{"model":"a@b"},{"model":3},"@s/a",{"note":"@s/a"}]}',
        b'{"fallbacks":[{"model":"@s/"},{"model":"@no-slash"},{"model":"@a b/c"}]}',
        b'{"tools":[{"type":"custom","name":"n","model":"@s/a"},{"type":3,"model":"@s/a"},"@s/a"]}',
        b'{"tools":[{"name":"n","description":"mail \\"@s/a\\"","input_schema":{"model":"@s/a"}}]}',
        b'{"output_format":null}',
        b'{"output_config":{"format":{"type":"json_schema"}},"output_format":{"x":1}}',
        b'{"output_config":"odd","output_format":{"x":1}}',
        b'{"output_config":{"effort":"high"}}',
        b'{"temperature":null,"top_p":0.9}',
        b'{"temperature":1.0,"top_p":null}',
        b'{"top_p":0.9}',
        b'{"metadata":{"temperature":1,"top_p":1},"temperature":1}',
        b'{"tools":[]}',
        b'{"tools":null}',
        b'{"tools":[[{"name":"t"}]]}',
        b'{"messages":3}',
        b'{"messages":[3,{"role":"assistant","content":[[]]}]}',
    ],
)
def test_what_looks_alike_stays_as_it_is(body):
    out, names = adjusted(body)
    assert out is body
    assert names == () or out == body


def test_the_old_output_format_stays_for_clients_that_name_its_beta():
    body = b'{"output_format":{"x":1}}'
    assert adjusted(body, ["a", "structured-outputs-2025-11-13"]) == (body, ())
    assert adjusted(body, ["a"])[0] != body


def test_all_changes_at_once():
    body = (
        b'{ "top_p":1.0, "tools":{"type":"advisor_20260301","model":"@s/a"},"temperature":0.50,\n'
        b'"output_format":{"a":1.0}, "fallbacks":[{"model":"@s/b"}],'
        b'"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x"}]},{"role":"user","content":"\\u00e9"}]}'
    )
    out, names = adjusted(body)
    assert out == (
        b'{ "tools":[{"type":"advisor_20260301","model":"a"}],"temperature":0.50,\n'
        b'"output_config":{"format":{"a":1.0}}, "fallbacks":[{"model":"b"}],'
        b'"messages":[{"role":"user","content":"\\u00e9"}]}'
    )
    assert len(names) == 6


FIELDS = ("model", "top_p", "temperature", "tools", "fallbacks", "output_format", "output_config", "messages", "other")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1) | st.text(max_size=5) | st.just("@s/m"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FIELDS, "type", "role", "content", "id", "format"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.sampled_from([None, 1]), st.booleans())
def test_any_body_stays_json_and_fields_outside_the_list_stay(document, indent, ascii_only):
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    out, names = adjusted(body)
    left = json.loads(out)
    touched = {name.partition(":")[0].partition(".")[0] for name in names}
    assert (out is body) or touched
    same = set(document) - touched - ({"output_config"} if "output_format" in touched else set())
    assert {name: left.get(name) for name in same} == {name: document[name] for name in same}
