"""What makes a caller, and how long assignments are kept."""

from __future__ import annotations

import pytest

from lockgate.routing.sticky import Assignments, Field, Sticky, read_field
from tests.unit.routing.configs import scene_of


def key(*fields: str, owner: str = "pc-1", path: str = "config", **given: object) -> str | None:
    sticky = Sticky(fields=tuple(map(read_field, fields)), ttl_s=1.0, owner=owner, path=path)
    return sticky.key(scene_of(**given))


@pytest.mark.parametrize(
    "text, field",
    [
        ("metadata.user_id", Field("metadata", ("user_id",))),
        ("metadata.a.b", Field("metadata", ("a.b",))),
        ("params.metadata.user_id", Field("params", ("metadata", "user_id"))),
        ("user", Field("params", ("user",))),
        ("user.id", Field("params", ("user", "id"))),
        ("metadata", Field("params", ("metadata",))),
        ("headers.x-session", Field("headers", ("x-session",))),
        ("url.pathname", Field("url", ("pathname",))),
    ],
)
def test_where_fields_are_found(text, field):
    assert read_field(text) == field


@pytest.mark.parametrize(
    "field, given, other",
    [
        ("metadata.u", {"metadata": {"u": "1"}}, {"metadata": {"u": "2"}}),
        ("user", {"body": {"user": "1"}}, {"body": {"user": "2"}}),
        ("params.m.u", {"body": {"m": {"u": 1}}}, {"body": {"m": {"u": 2}}}),
        ("headers.X-S", {"headers": {"x-s": "1"}}, {"headers": {"x-s": "2"}}),
        ("url.pathname", {"path": "/v1/messages"}, {"path": "/v1/responses"}),
        ("user", {"body": {"user": 1}}, {"body": {"user": "1"}}),
        ("user", {"body": {"user": {"a": 1}}}, {"body": {"user": {"a": 2}}}),
    ],
)
def test_equal_values_are_one_caller_and_others_are_not(field, given, other):
    assert key(field, **given) == key(field, **given) is not None
    assert key(field, **given) != key(field, **other)


@pytest.mark.parametrize("body", [{}, {"user": None}, {"user": "x"}, {"user": ["x"]}])
def test_who_has_none_of_the_values_has_no_key(body):
    assert key("metadata.u", "params.user.id", body=body) is None


def test_a_missing_value_is_not_the_same_as_one_in_another_place():
    one = key("metadata.a", "metadata.b", metadata={"a": "1"})
    two = key("metadata.a", "metadata.b", metadata={"b": "1"})
    assert None not in (one, two)
    assert one != two
    assert one != key("metadata.a", "metadata.b", metadata={"a": "1", "b": ""})


@pytest.mark.parametrize("change", [{"tenant": "other"}, {"owner": "pc-2"}, {"path": "config.targets[0]"}])
def test_tenants_configs_and_nodes_never_share_a_key(change):
    given = {"metadata": {"u": "1"}, "tenant": "w"}
    assert key("metadata.u", **given) != key("metadata.u", **{**given, **change})


def test_assignments_last_for_their_time_and_the_first_one_wins():
    kept = Assignments()
    assert kept.keep("k", 1, 10.0, 0.0) == 1
    assert kept.keep("k", 2, 10.0, 5.0) == 1
    assert (kept.get("k", 9.9), kept.get("k", 10.0), kept.get("x", 0.0)) == (1, None, None)
    assert kept.keep("k", 2, 10.0, 10.0) == 2
    assert kept.keep("k", 0, 10.0, 11.0, is_replacing=True) == 0
    assert kept.get("k", 20.9) == 0


def test_the_number_of_assignments_is_bounded():
    kept = Assignments(most=3)
    for number in range(100):
        kept.keep(str(number), 0, 10.0, 0.0)
    assert list(kept._kept) == ["97", "98", "99"]
