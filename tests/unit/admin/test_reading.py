from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.reading import normal_name, read_body, read_query, read_value
from lockgate.errors import InvalidRequest


class Limit(Struct, frozen=True, kw_only=True):
    value: Annotated[int, Meta(ge=0)]
    unit: Literal["rpm", "rps"] = "rpm"
    alert_threshold: int | Decimal | None = None
    share: float = 1


class Body(Struct, frozen=True, kw_only=True):
    name: str | UnsetType | None = UNSET
    is_default: bool | UnsetType = UNSET
    sub_type: str | UnsetType = UNSET
    organisation_id: str | UnsetType = UNSET
    override_existing_workspace_access: bool | UnsetType = UNSET
    limit: Limit | UnsetType | None = UNSET
    limits: list[Limit] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET


def read(**given):
    return read_value(given, Body)


def test_missing_is_not_null():
    assert read().name is UNSET
    assert read(name=None).name is None
    assert read(limits=None).limits is None


@pytest.mark.parametrize(
    "given, field, value",
    [
        ({"isDefault": 1}, "is_default", True),
        ({"is_default": "True"}, "is_default", True),
        ({"is_default": 0}, "is_default", False),
        ({"is_default": "false"}, "is_default", False),
        ({"sub-type": "user"}, "sub_type", "user"),
        ({"organization_id": "o"}, "organisation_id", "o"),
        ({"organizationId": "o"}, "organisation_id", "o"),
        ({"override_existing_workspaces_access": True}, "override_existing_workspace_access", True),
        ({"overrideExistingWorkspacesAccess": True}, "override_existing_workspace_access", True),
        ({"limit": {"value": "5"}}, "limit", Limit(value=5)),
        ({"limit": [{"value": 5}]}, "limit", Limit(value=5)),
        ({"limit": []}, "limit", None),
        ({"limits": {"value": 5}}, "limits", [Limit(value=5)]),
        ({"limits": {"0": {"value": 5}, "1": {"value": 6}}}, "limits", [Limit(value=5), Limit(value=6)]),
        ({"limits": []}, "limits", []),
        ({"limits": [{"value": 5, "alertThreshold": 0.5}]}, "limits", [Limit(value=5, alert_threshold=Decimal("0.5"))]),
        ({"metadata": {"teamName": "a", "sub-type": {"isDefault": 1}}}, "metadata",
         {"teamName": "a", "sub-type": {"isDefault": 1}}),
        ({"expires_at": "2026-08-21 09:30:00"}, "expires_at", datetime(2026, 8, 21, 9, 30, tzinfo=UTC)),
        ({"expiresAt": "2026-08-21"}, "expires_at", datetime(2026, 8, 21, tzinfo=UTC)),
        ({"expires_at": 0}, "expires_at", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_what_sdks_send(given, field, value):
    assert getattr(read_value(given, Body), field) == value


def test_the_right_spelling_wins_over_another_one():
    assert read_value({"isDefault": True, "is_default": False}, Body).is_default is False


def test_unknown_fields_are_ignored_and_told():
    ignored = []
    given = {"nobody": {"knows": 1}, "nam": "x", "limit": {"value": 1, "note": "y"}}
    assert read_value(given, Body, ignored) == Body(limit=Limit(value=1))
    assert [each.path for each in ignored] == ["limit.note", "nobody", "nam"]
    assert ignored[2].warning == "nam: there is no such field here; it was ignored; did you mean name?"


def test_what_the_path_has_said_already_may_be_repeated():
    ignored = []
    read_body(b'{"id": "key_1", "workspace_id": "w", "limit": {"value": 1, "id": "key_1"}}', Body, ignored, {"key_1"})
    assert [each.path for each in ignored] == ["limit.id", "workspace_id"]


class Guarded(Struct, frozen=True, kw_only=True):
    ignorable: ClassVar[frozenset[str]] = frozenset({"id"})
    value: int
    unit: str = "rpm"


class Guarding(Struct, frozen=True, kw_only=True):
    name: str
    usage_limits: list[Guarded] | None = None
    expires_at: datetime | None = None


@pytest.mark.parametrize(
    "given, message",
    [
        ({"usage_limit": {"value": 1}}, "usage_limit: there is no such field; did you mean usage_limits?"),
        ({"usageLimit": {"value": 1}}, "usageLimit: there is no such field; did you mean usage_limits?"),
        ({"expire_at": "2027-01-01"}, "expire_at: there is no such field; did you mean expires_at?"),
        ({"usage_limits": {"value": 1, "units": "rps"}}, "usage_limits.units: there is no such field; did you mean unit?"),
        ({"usage_limits": [{"value": 1, "per": "s"}]}, "usage_limits[0].per: there is no such field; known here: value, unit"),
        ({"usage_limits": {}}, "usage_limits[0].value: is missing; it is required"),
        ({"nam": "x"}, "name: is missing; it is required (ignored as unknown: nam)"),
    ],
)  # fmt: skip
def test_a_misspelling_that_would_leave_something_open_is_refused(given, message):
    with pytest.raises(InvalidRequest) as caught:
        read_value(given if "nam" in given else {"name": "x"} | given, Guarding)
    assert caught.value.message == message


def test_what_answers_hold_may_be_sent_back():
    ignored = []
    read = read_value({"name": "x", "usage_limits": {"value": 1, "id": "lim_1"}}, Guarding, ignored)
    assert read.usage_limits == [Guarded(value=1)]
    assert [each.path for each in ignored] == ["usage_limits.id"]


@pytest.mark.parametrize(
    "given, message, path",
    [
        ({"limits": [{"value": -1}]}, "limits[0].value: must be at least 0", "limits[0].value"),
        ({"limits": [{"unit": "rpx", "value": 1}]}, "limits[0].unit: must be one of rpm, rps", "limits[0].unit"),
        ({"limits": [{"unit": "rpm"}]}, "limits[0].value: is missing; it is required", "limits[0].value"),
        ({"limit": [{"value": 1}, {"value": 2}]}, "limit: expected an object or null, got a list", "limit"),
        ({"limits": 3}, "limits: expected a list or null, got a whole number", "limits"),
        ({"expires_at": "soon"}, "expires_at: must be a time such as 2026-08-21T09:30:00Z", "expires_at"),
        ({"metadata": {"a": "x\0y"}}, "metadata.a: holds a NUL character; remove it", "metadata.a"),
        ({"metadata": {"a\0": "x"}}, "metadata: holds a NUL character; remove it", "metadata"),
    ],
)
def test_a_wrong_value_is_named_by_path_and_remedy(given, message, path):
    with pytest.raises(InvalidRequest) as caught:
        read_value(given, Body)
    assert (caught.value.message, caught.value.path) == (message, path)


@pytest.mark.parametrize("data", [b"", b"  ", b"{}", b"null"[:0]])
def test_no_body_is_an_empty_object(data):
    assert read_body(data, Body) == Body()


@pytest.mark.parametrize("data", [b"{", b"\xff", b'{"a": \xff}', b'{"a": "\\ud800"}', b"[" * 100_000])
def test_what_is_not_json_is_refused(data):
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        read_body(data, Body)


def test_money_is_read_exactly():
    body = read_body(b'{"limit": {"value": 1, "alert_threshold": 8999999.999999995, "share": 0.5}}', Body)
    assert body.limit == Limit(value=1, alert_threshold=Decimal("8999999.999999995"), share=0.5)


@pytest.mark.parametrize("data", [b'{"limit": {"value": 1, "share": 1e999}}', b'{"metadata": {"a": 1e999}}'])
def test_a_number_beyond_floats_is_refused(data):
    with pytest.raises(InvalidRequest, match="out of range"):
        read_body(data, Body)


def test_numbers_of_free_form_are_plain():
    found = read_body(b'{"metadata": {"a": [1.5, 2]}}', Body).metadata
    assert found == {"a": [1.5, 2]}
    assert type(found["a"][0]) is float


class Query(Struct, frozen=True, kw_only=True):
    page_size: int | None = None
    workspace_id: str | None = None
    is_open: bool = False
    start: datetime | None = None


@pytest.mark.parametrize(
    "query, expected",
    [
        ("", Query()),
        ("pageSize=3", Query(page_size=3)),
        ("page-size=3&page_size=4", Query(page_size=4)),
        ("page_size=3&page_size=4", Query(page_size=3)),
        ("workspace_id=None&page_size=&is_open=NOT_GIVEN", Query()),
        ("isOpen=True&stray=1", Query(is_open=True)),
        ("workspace_id=a%20b%2Fc", Query(workspace_id="a b/c")),
        ("start=2026-08-21T15:00:00+05:30", Query(start=datetime(2026, 8, 21, 9, 30, tzinfo=UTC))),
    ],
)
def test_queries(query, expected):
    assert read_query(query, Query) == expected


def test_a_query_of_endless_parameters_is_refused():
    with pytest.raises(InvalidRequest, match="more than 500"):
        read_query("&".join(f"a{i}=1" for i in range(501)), Query)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("isDefault", "is_default"),
        ("AWSAccessKeyId", "aws_access_key_id"),
        ("trace_id", "trace_id"),
        ("traceID", "trace_id"),
    ],
)
def test_names(name, expected):
    assert normal_name(name) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(Body.__struct_fields__), JSON))
def test_anything_is_read_or_refused(value):
    try:
        assert isinstance(read_value(value, Body), Body)
    except InvalidRequest as error:
        assert error.message


class Several(Struct, frozen=True, kw_only=True):
    list_field: ClassVar[str] = "items"
    items: list[int] | None = None


class Free(Struct, frozen=True, kw_only=True):
    free_field: ClassVar[str] = "given"
    given: object = None


@pytest.mark.parametrize("data", [b"[1, 2]", b'{"0": 1, "1": 2}', b'{"items": [1, 2]}'])
def test_a_body_may_be_a_list_or_an_object_that_counts(data):
    assert read_body(data, Several).items == [1, 2]


@pytest.mark.parametrize(
    "data, value", [(b"[1.5]", [1.5]), (b"null", None), (b'{"givenX": "\\u0000"}', {"givenX": "\0"})]
)
def test_a_free_body_is_taken_as_it_is(data, value):
    assert read_body(data, Free).given == value
