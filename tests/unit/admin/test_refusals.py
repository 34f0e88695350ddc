from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from lockgate.admin.refusals import refusal_of


class Inner(Struct):
    kind: Literal["a", "b"] | None = None
    sizes: Annotated[list[int], Meta(max_length=2)] = []


class Outer(Struct):
    inner: Inner | None = None
    by_name: dict[str, Inner] = {}
    slug: Annotated[str, Meta(pattern="^[a-z]+$")] = "a"
    share: Annotated[float, Meta(gt=0, le=1)] = 1


@pytest.mark.parametrize(
    "given, message",
    [
        ({"inner": {"kind": "c"}}, "inner.kind: must be one of a, b"),
        ({"by_name": {"x": {"kind": "c"}}}, "by_name[...].kind: must be one of a, b"),
        ({"inner": {"sizes": [1, 2, 3]}}, "inner.sizes: must have at most 2 entries"),
        ({"slug": "A"}, "slug: must match the pattern ^[a-z]+$"),
        ({"share": 0}, "share: must be more than 0"),
        ({"share": 2}, "share: must be at most 1"),
        ({"inner": 3}, "inner: expected an object or null, got a whole number"),
        (None, "the body: expected an object, got null"),
    ],
)
def test_sentences(given, message):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, Outer)
    assert refusal_of(caught.value, Outer).message == message
