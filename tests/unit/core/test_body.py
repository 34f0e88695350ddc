import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.body import MAX_DEPTH, check_depth, model_name, peek, peek_own, remove_members, splice_model, user_id
from lockgate.errors import InvalidRequest

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "body, part",
    [
        (b"", "empty"),
        (b'{"model":', "(byte 9)"),
        (b'{"a":1}x', "trailing characters (byte 8)"),
        (b"[1]", "expected `object`, got `array`"),
        (b'{"stream":"yes"}', "stream: expected `bool | null`, got `str`"),
        (b'{"max_tokens":"1"}', "max_tokens: expected"),
    ],
)
def test_a_bad_body_says_where_the_fault_is(body, part):
    with pytest.raises(InvalidRequest) as caught:
        peek(body)
    assert part in str(caught.value)


def test_a_wrong_type_carries_its_path():
    with pytest.raises(InvalidRequest) as caught:
        peek(b'{"stream_options":{"include_usage":3}}')
    assert caught.value.path == "stream_options.include_usage"


def test_a_model_that_is_not_text_is_refused():
    with pytest.raises(InvalidRequest, match="model: expected a string"):
        model_name(peek(b'{"model":3}'))


@pytest.mark.parametrize("body", [b"{}", b'{"model":null}'])
def test_no_model_is_none(body):
    assert model_name(peek(body)) is None


@given(
    before=st.dictionaries(st.text(), JSON_VALUES, max_size=3),
    after=st.dictionaries(st.text(), JSON_VALUES, max_size=3),
    model=st.text(min_size=1),
    new=st.text(min_size=1),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
def test_splicing_changes_the_models_value_and_nothing_else(before, after, model, new, ascii_only, indent):
    document = {**before, "model": model, **after}
    document["model"] = model
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    body = text.encode("utf-8", "surrogatepass")
    try:
        seen = peek(body)
        name = model_name(seen)
    except InvalidRequest:
        return  # fields of ours with a wrong type, or lone surrogates
    assert name == model
    spliced = splice_model(body, seen, new)
    assert json.loads(spliced.decode("utf-8", "surrogatepass")) == {**document, "model": new}
    old_value, rest = bytes(seen.model), len(body) - len(bytes(seen.model))
    at = next(
        i
        for i in _all(body, old_value)
        if spliced[:i] == body[:i] and _tail(spliced, rest - i) == body[i + len(old_value) :]
    )
    assert spliced[:at] + old_value + _tail(spliced, rest - at) == body


def _all(body, part):
    at = body.find(part)
    while at >= 0:
        yield at
        at = body.find(part, at + 1)


def _tail(data, size):
    return data[len(data) - size :] if size else b""


@pytest.mark.parametrize(
    "body, expected",
    [
        (b'{"a":{"model":"@s/m"}, "model" : "@s/m" , "x":1.0}', b'{"a":{"model":"@s/m"}, "model" : "m" , "x":1.0}'),
        (b'{"messages":["@s/m"],"model":"@s/m"}', b'{"messages":["@s/m"],"model":"m"}'),
        (b'{"model":"@s/m","t":"say \\"@s/m\\""}', b'{"model":"m","t":"say \\"@s/m\\""}'),
        (b'{"t":"\\\\","model":"@s\\/m","u":["@s\\/m"]}', b'{"t":"\\\\","model":"m","u":["@s\\/m"]}'),
        (
            b'{"n":1e400,"model":"@s/m","big":12345678901234567890.10}',
            b'{"n":1e400,"model":"m","big":12345678901234567890.10}',
        ),
    ],
)
def test_splicing_finds_the_top_level_model_among_look_alikes(body, expected):
    assert splice_model(body, peek(body), "m") == expected


@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_depth_is_limited(opening, closing):
    levels = 2 if opening == b'[{"a":' else 1
    fits = MAX_DEPTH // levels
    check_depth(opening * fits + b"1" + closing * fits)
    with pytest.raises(InvalidRequest, match="nests deeper"):
        check_depth(opening * (fits + 1) + b"1" + closing * (fits + 1))


def test_brackets_in_text_and_in_breadth_are_not_depth():
    check_depth(json.dumps(["[{" * 500, '\\"[' * 500, [[]] * 500, [{}] * 500]).encode())


def _nested(levels, kind):
    opening, closing = (b"[", b"]") if kind == "lists" else (b'{"a":', b"}")
    return opening * levels + b"1" + closing * levels


_FILL = b'{"role":"user","content":[{"type":"text","text":"[{ not these \\" ]"}]}'


@pytest.mark.parametrize("kind", ["lists", "objects"])
@pytest.mark.parametrize(
    "template",
    [
        b'{"messages":[%(fill)b,%(deep)b,%(fill)b],"tools":[%(tool)b]}',
        b'{"messages":[%(fill)b],"tools":[%(tool)b,%(deep)b]}',
        b'{"x":[%(deep)b],"messages":[%(fill)b],"tools":[%(tool)b]}',
        b'{"messages":[%(deep)b],"messages":[%(fill)b]}',
        b'{"messages":[%(fill)b],"x":[%(deep)b],"messages":[%(fill)b]}',
        b'{"tools":[%(fill)b],"messages":[%(fill)b], "messages" : [%(fill)b,[{"messages":1}], %(deep)b]}',
    ],
)
def test_depth_is_exact_in_long_conversations_wherever_it_hides(template, kind):
    fill, tool = b",".join([_FILL] * 150), b'{"name":"t","input_schema":{"type":"object","properties":{}}}'
    for levels, is_legal in ((1, True), (MAX_DEPTH - 2, True), (MAX_DEPTH - 1, False), (400, False)):
        body = template % {b"fill": fill, b"tool": tool, b"deep": _nested(levels, kind)}
        if is_legal:
            peek(body)
        else:
            with pytest.raises(InvalidRequest, match="nests deeper"):
                peek(body)


@given(
    st.recursive(
        st.sampled_from([1, "[{", '"\\', None]),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["messages", "a"]), inner, max_size=3)
        ),
        max_leaves=60,
    ),
    st.integers(1, 8),
)
def test_depth_is_what_a_plain_count_says(value, limit):
    def depth(value):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    body = json.dumps({"messages": [value] * 3, "tools": [value], "x": value}).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lockgate.core.body.MAX_DEPTH", limit)
        if depth([[value]]) <= limit:
            peek(body)
        else:
            with pytest.raises(InvalidRequest, match="nests deeper"):
                peek(body)


def test_absurd_depth_is_refused_without_a_crash():
    with pytest.raises(InvalidRequest):
        peek(b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=6), st.sets(st.text(), max_size=3), st.sampled_from([None, 1]))
def test_removing_members_leaves_the_others(document, names, indent):
    names |= set(list(document)[:1])
    body = json.dumps(document, indent=indent).encode()
    left = json.loads(remove_members(body, frozenset(names)))
    assert left == {key: value for key, value in document.items() if key not in names}
    assert list(left) == [key for key in document if key not in names]


def test_removing_members_keeps_the_bytes_of_values():
    body = b'{"betas":["x"], "n": 1.0, "t":"\\u00e9\\/" ,"big":123456789012345678901234567890}'
    assert remove_members(body, frozenset({"betas"})) == (
        b'{"n": 1.0,"t":"\\u00e9\\/" ,"big":123456789012345678901234567890}'
    )


def test_half_a_character_is_only_looked_at():
    body = rb'{"x":"\ud83d","model":"m","messages":["\udc00"],"stream":true}'
    seen = peek(body)
    assert (model_name(seen), seen.is_stream, bytes(seen.messages)) == ("m", True, rb'["\ufffd"]')
    assert splice_model(body, seen, "n") == body.replace(b'"m"', b'"n"')
    with pytest.raises(InvalidRequest, match="byte"):
        peek(rb'{"x":"\ud83d","model":}')
    with pytest.raises(InvalidRequest, match="stream"):
        peek(rb'{"x":"\ud83d","stream":1}')


def test_a_body_of_our_own_is_read_like_any_other():
    body = b'{"model":"m","max_tokens":5,"n":2,"messages":[{"role":"user","content":"hi"}],"service_tier":"flex"}'
    assert peek_own(body) == peek(body)


@pytest.mark.parametrize(
    "body, expected",
    [
        (b'{"metadata": {"user_id": "u1"}}', "u1"),
        (b'{"safety_identifier": "s1"}', "s1"),
        (b'{"metadata": {"user_id": "u1"}, "safety_identifier": "s1"}', "u1"),
        (b'{"metadata": {"user_id": ""}, "safety_identifier": "s1"}', "s1"),
        (b'{"metadata": {"team": "x"}}', None),
        (b'{"metadata": {"user_id": 7}}', None),
        (b'{"metadata": null}', None),
        (b'{"metadata": "text"}', None),
        (b"[]", None),
        (b"{", None),
        (b'{"metadata": {"user_id": "\xff"}}', None),
    ],
)
def test_the_id_by_which_a_body_names_its_user(body, expected):
    assert user_id(body) == expected
