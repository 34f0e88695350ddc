from decimal import Decimal
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from lockgate.core.plain_words import complaint_of


class Inner(Struct):
    kind: Literal["a", "b"]


class Outer(Struct):
    amount: int | Decimal | float | None = None
    inner: Inner | None = None
    share: Annotated[float, Meta(le=1)] = 1


@pytest.mark.parametrize(
    "given, path, what, is_missing",
    [
        ({"amount": True}, "amount", "expected a whole number or a number or null, got true or false", False),
        ({"amount": "x"}, "amount", "must be a number", False),
        ({"inner": {}}, "inner.kind", "is missing; it is required", True),
        ({"inner": {"kind": "c"}}, "inner.kind", "must be one of a, b", False),
        ({"share": 2}, "share", "must be at most 1", False),
        (3, "", "expected an object, got a whole number", False),
    ],
)
def test_complaints_are_for_people(given, path, what, is_missing):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, Outer)
    assert complaint_of(caught.value, Outer) == (path, what, is_missing)


def test_patterns_are_told_in_words():
    class Named(Struct):
        slug: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+$")] = "x"
        mail: Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$")] = "a@b"
        other: Annotated[str, Meta(pattern=r"^\d+$")] = "1"

    told = {}
    for name in ("slug", "mail", "other"):
        with pytest.raises(msgspec.ValidationError) as caught:
            msgspec.convert({name: "a b"}, Named)
        told[name] = complaint_of(caught.value, Named).what
    assert told == {
        "slug": "may hold letters of ASCII, digits, '_' and '-' only",
        "mail": "must be an address such as ann@example.org",
        "other": r"must match the pattern ^\d+$",
    }
