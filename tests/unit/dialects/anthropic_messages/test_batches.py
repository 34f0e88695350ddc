import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.dialects.anthropic_messages.batches import point_results, read_batches, read_requests, write_requests
from lockgate.errors import Malformed

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
SLUG = "@slug/"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.just(SLUG + "m") | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.just("requests"), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["a", "requests", "params", "results_url", "id", "data"])


@st.composite
def bodies(draw):
    """Return a body as a client could write it, and the same one without slugs."""
    model = draw(st.text("ab-./9", max_size=9))
    requests = [
        {**draw(st.dictionaries(st.sampled_from(["custom_id", "x"]), VALUES)), "params": draw(params(model))}
        for _ in range(draw(st.integers(1, 4)))
    ]
    body = {**draw(st.dictionaries(st.sampled_from(["x", "y"]), VALUES)), "requests": requests}
    space = draw(st.sampled_from([None, 0, 2]))
    separators = draw(st.sampled_from([(",", ":"), (" , ", " :\t")]))
    is_ascii = draw(st.booleans())

    def write(value):
        return json.dumps(value, indent=space, separators=separators, ensure_ascii=is_ascii).encode()

    bare = [{**r, "params": {**r["params"], "model": model}} for r in requests]
    return write(body), write({**body, "requests": bare}), model


@st.composite
def params(draw, model):
    before = draw(st.dictionaries(st.sampled_from(["p", "q"]), VALUES))
    return {**before, "model": SLUG + model, **draw(st.dictionaries(st.sampled_from(["r", "s"]), VALUES))}


@given(bodies())
def test_only_the_slugs_change(case):
    body, bare, model = case
    requests = read_requests(body)
    assert {request.model for request in requests} == {SLUG + model}
    assert all(body[r.start : r.start + len(r.params)] == r.params for r in requests)
    assert write_requests(body, requests, [model] * len(requests), {}).body == bare
    assert write_requests(body, requests, [request.model for request in requests], {}).body == body


@given(st.lists(st.dictionaries(NAMES, VALUES), max_size=3), st.sampled_from([None, 1]))
def test_only_the_addresses_of_results_change(batches, indent):
    page = {"data": batches, "has_more": False, "first_id": "results_url"}

    def moved(batch):
        is_ours = isinstance(batch.get("id"), str) and batch.get("results_url") is not None
        return {**batch, "results_url": "u/" + batch["id"]} if is_ours else batch

    text = json.dumps(page, indent=indent)
    expected = {**page, "data": [moved(batch) for batch in batches]}
    got = point_results(text.encode(), lambda id: "u/" + id)
    assert json.loads(got) == expected
    if expected == page:
        assert got == text.encode()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"data":[{"id":"x"}]}', b'{"data":[{"id":"x","created_at":"y"}]}']
)
def test_what_is_no_page_is_malformed(body):
    with pytest.raises(Malformed):
        read_batches(body)
