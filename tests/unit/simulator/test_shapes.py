import pytest

from lockgate.simulator.shapes import (
    Scope,
    Shape,
    ShapeError,
    Tag,
    Tagged,
    Variant,
    boolean,
    by_type,
    integer,
    list_of,
    mapping_of,
    nullable,
    number,
    one_of,
    opt,
    req,
    string,
    text_or,
)

PLAIN = Scope()
CIRCLE = Shape("Circle", {"type": req(one_of("circle")), "size": req(integer(least=1))})
SQUARE = Shape("Square", {"type": req(one_of("square"))})
ANY_SHAPE = Tagged({"circle": CIRCLE, "square": Variant(SQUARE, ("square-beta",))})


@pytest.mark.parametrize(
    "check, good, bad, kind",
    [
        (string(), "x", 1, "type"),
        (string(min_length=2), "xx", "x", "too_short"),
        (string(max_length=1), "x", "xx", "too_long"),
        (string(pattern="^[a-z]+$"), "abc", "abc\n", "pattern"),
        (boolean, True, 1, "type"),
        (integer(), 3, True, "type"),
        (integer(), 3.0, 3.5, "type"),
        (integer(least=1), 1, 0, "below"),
        (number(most=1), 0.5, 1.5, "above"),
        (number(), 1, "1", "type"),
        (one_of("a", "b"), "b", "c", "choice"),
        (nullable(boolean), None, 0, "type"),
        (list_of(boolean), [True], "x", "type"),
        (list_of(boolean, least=1), [True], [], "too_few"),
        (list_of(boolean, most=1), [True], [True, True], "too_many"),
        (mapping_of(boolean), {"a": True}, [], "type"),
        (mapping_of(boolean, most=1), {"a": True}, {"a": True, "b": True}, "too_many"),
        (text_or(list_of(boolean)), "x", 1, "type"),
        (by_type(text=string(), keys=CIRCLE), "x", [], "type"),
        (CIRCLE, {"type": "circle", "size": 1}, [], "type"),
        (CIRCLE, {"type": "circle", "size": 1}, {"type": "circle"}, "missing"),
        (CIRCLE, {"type": "circle", "size": 1}, {"type": "circle", "size": 1, "x": 1}, "extra"),
        (ANY_SHAPE, {"type": "circle", "size": 1}, {"size": 1}, "missing"),
        (ANY_SHAPE, {"type": "circle", "size": 1}, {"type": "line"}, "tag"),
        (ANY_SHAPE, {"type": "circle", "size": 1}, {"type": ["circle"]}, "tag"),
        (ANY_SHAPE, {"type": "circle", "size": 1}, "circle", "type"),
    ],
)
def test_each_check_accepts_and_refuses(check, good, bad, kind):
    check(good, PLAIN)
    with pytest.raises(ShapeError) as caught:
        check(bad, PLAIN)
    assert caught.value.kind == kind


def test_the_path_leads_to_the_fault_and_names_the_variant():
    check = Shape("", {"shapes": req(list_of(ANY_SHAPE)), "named": opt(mapping_of(boolean))})
    with pytest.raises(ShapeError) as caught:
        check({"shapes": [{"type": "circle", "size": 1}, {"type": "circle", "size": 0}]}, PLAIN)
    assert caught.value.path == ["shapes", 1, "circle", "size"]
    assert isinstance(caught.value.path[2], Tag)
    with pytest.raises(ShapeError) as caught:
        check({"shapes": [], "named": {"a": 1}}, PLAIN)
    assert caught.value.path == ["named", "a"]


def test_an_unnamed_variant_leaves_no_step():
    with pytest.raises(ShapeError) as caught:
        Tagged({"circle": CIRCLE}, is_named=False)({"type": "circle"}, PLAIN)
    assert caught.value.path == ["size"]


def test_a_default_variant_needs_no_tag():
    shape = Shape("", {"type": opt(nullable(one_of("plain")))})
    check = Tagged({"plain": shape}, default="plain")
    check({}, PLAIN)
    check({"type": None}, PLAIN)


def test_a_field_behind_a_beta_exists_only_with_it():
    check = Shape("", {"new": opt(boolean, "one-beta", "other-beta")})
    check({"new": True}, Scope(betas=frozenset({"other-beta"})))
    with pytest.raises(ShapeError) as caught:
        check({"new": True}, Scope(betas=frozenset({"third-beta"})))
    assert caught.value.kind == "extra"


def test_a_variant_and_a_choice_behind_a_beta_exist_only_with_it():
    opened = Scope(betas=frozenset({"square-beta"}))
    ANY_SHAPE({"type": "square"}, opened)
    with pytest.raises(ShapeError) as caught:
        ANY_SHAPE({"type": "square"}, PLAIN)
    assert caught.value.facts["choices"] == ("circle",)
    choice = one_of("a", gated={"b": ("square-beta",)})
    choice("b", opened)
    with pytest.raises(ShapeError):
        choice("b", PLAIN)


def test_a_field_ends_with_an_api_version():
    check = Shape("", {"old": opt(boolean, until="2026-10-21")})
    check({"old": True}, Scope(version="2023-06-01"))
    with pytest.raises(ShapeError):
        check({"old": True}, Scope(version="2026-10-21"))
