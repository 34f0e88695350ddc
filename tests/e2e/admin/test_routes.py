"""What holds for every route, generated from the OpenAPI document: nobody gets in without the right key, tenants are
apart, and bad input is refused in the one shape."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from tests.e2e.admin.routes import ROUTES, names, owned_by
from tests.unit.admin.plane import make_plane

MINE = {"id": "nothing", "type": "workspace", "sub_type": "service", "user_id": "nothing", "entity_id": "dmE",
        "slug": "nothing", "eid": "dmE"}  # fmt: skip
GUARDED = [route for route in ROUTES if not route.is_public]
NEEDS_SCOPE = [route for route in GUARDED if not route.access.get("any_key")]
WITH_BODY = [route for route in ROUTES if route.has_body]
LISTS = [route for route in ROUTES if route.method == "GET" and not route.parameters]
UNKNOWN = ("nothing", "00000000-0000-7000-8000-000000000000", "%00", "%ff", "x" * 3000, "..%2f..", "'; --")
TOO_LARGE = b" " * (21 << 20)
OF_A_THING = [route for route in ROUTES if "{id}" in route.path or "{slug}" in route.path]


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """One for all routes: what is refused changes nothing, which the tests make sure of."""
    plane = make_plane(tmp_path_factory.mktemp("routes") / "home")
    plane.promote("admin")
    plane.theirs = owned_by(plane, plane.other)
    poor = {"name": "poor", "scopes": ["agents.invoke"]}
    plane.poor = [
        plane.ok("POST", f"/api-keys/{kind}/service", json=poor)["key"] for kind in ("workspace", "organisation")
    ]
    yield plane
    plane.close()


def body_of(route):
    return {"json": {}} if route.has_body else {}


def filled(route, values=MINE):
    return route.filled({name: values.get(name, "nothing") for name in route.parameters})


def known_names(route):
    return {parameter["name"] for parameter in route.operation["parameters"]}


def everything(plane):
    """All that is stored, but for the revision and secrets."""
    estate = plane.directory.load()
    names = [name for name in estate.__struct_fields__ if name not in ("revision", "secrets")]
    return [entity for name in names for entity in getattr(estate, name)]


def test_there_are_routes():
    assert len(ROUTES) > 40
    assert len(NEEDS_SCOPE) > 40


@pytest.mark.parametrize("route", ROUTES, ids=names)
def test_every_route_declares_who_may_call_it(route):
    scopes = [scope for kind in route.kinds() for scope in route.access.get(kind, ())]
    assert route.is_public or route.access.get("any_key") or scopes
    assert route.operation["summary"]


@pytest.mark.parametrize("route", GUARDED, ids=names)
def test_without_a_right_key_nobody_gets_in(plane, route):
    for key in (None, "wrong", "gk_" + "0" * 49):
        body = plane.refused(401, route.method, filled(route), key, **body_of(route))
        assert body["error"]["code"] == "AB05"
        assert key is None or key not in json.dumps(body)


@pytest.mark.parametrize("route", NEEDS_SCOPE, ids=names)
def test_a_key_without_scopes_may_nothing(plane, route):
    for key in plane.poor:
        assert plane.refused(403, route.method, filled(route), key, **body_of(route))["error"]["code"] == "AB03"


@pytest.mark.parametrize("route", NEEDS_SCOPE, ids=names)
def test_a_kind_of_key_that_is_not_named_may_not(plane, route):
    keys = {"organisation-service": "admin", "workspace-service": "service", "workspace-user": "user"}
    for kind, key in keys.items():
        answer = plane.ask(route.method, filled(route), key, **body_of(route))
        if kind not in route.kinds():
            assert answer.status_code == 403, kind
        else:
            assert answer.status_code not in (401, 405), kind


@pytest.mark.parametrize("kind", ["service", "user"])
@pytest.mark.parametrize("route", OF_A_THING, ids=names)
def test_another_workspaces_things_are_out_of_reach(plane, route, kind):
    """Each route, with the id of something that is there, in another workspace."""
    roots = sorted(plane.theirs, key=len, reverse=True)
    root = next((path for path in roots if route.path.startswith(path)), None)
    if root is None:
        # what belongs to the organisation has no route for keys of a workspace at all
        assert route.kinds() == {"organisation-service"} or route.is_public, f"{route.path} needs an entry in owned_by"
        return
    path = route.filled({name: plane.theirs[root].get(name, "x") for name in route.parameters})
    taking = {"name": "taken over", "role": "admin", "users": [{"id": plane.person.id}]}
    before = everything(plane)
    answer = plane.ask(route.method, path, kind, **({"json": taking} if route.has_body else {}))
    assert answer.status_code in (400, 403, 404), answer.text
    assert "theirs" not in answer.text
    assert everything(plane) == before


@pytest.mark.parametrize("route", LISTS, ids=names)
def test_no_list_shows_another_workspaces_things(plane, route):
    for key in ("service", "user"):
        assert "theirs" not in plane.ask("GET", route.path, key).text


@pytest.mark.parametrize("route", [route for route in GUARDED if route.has_body or not route.parameters], ids=names)
def test_a_workspaces_key_cannot_name_another_workspace(plane, route):
    """In body or query; whether that workspace is there is not told."""
    answers = set()
    for name in (plane.other.id, plane.other.slug, "nowhere"):
        before = everything(plane)
        body = {"json": {"workspace_id": name, "name": "x", "credit_limit": 5, "value": 5}} if route.has_body else {}
        answer = plane.ask(route.method, filled(route), "service", params={"workspace_id": name}, **body)
        if answer.status_code == 200:
            assert route.access.get("any_key") or "workspace_id" not in known_names(route)
            assert not route.has_body or "workspace_id" not in route.body_names
        else:
            assert answer.status_code in (400, 403, 404)
        assert "Research" not in answer.text
        made = [each for each in everything(plane) if each not in before]
        assert [each for each in made if plane.other.id in str(each)] == []
        answers.add((answer.status_code, answer.json().get("message")))
    assert len(answers) == 1


def caller(route):
    """Return a key that may call the route: the organisation's where it may."""
    return "admin" if "organisation-service" in route.kinds() else "service"


@pytest.mark.parametrize("route", WITH_BODY, ids=names)
def test_a_body_that_is_none_is_400_and_changes_nothing(plane, route):
    before = everything(plane)
    for data in (b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"name": "a\\u0000b"}', b"[" * 5000):
        answer = plane.ask(route.method, filled(route), caller(route), content=data)
        # a field that the route does not know is ignored, whatever is in it
        is_read = data.startswith(b'{"') and "name" not in route.body_names
        if not is_read:
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"]["code"] == "AB01"
        assert answer.status_code < 500
    assert everything(plane) == before


@pytest.mark.parametrize("route", WITH_BODY, ids=names)
def test_a_body_that_is_too_large_is_413(plane, route):
    plane.refused(413, route.method, filled(route), caller(route), content=TOO_LARGE)


@pytest.mark.parametrize("route", OF_A_THING, ids=names)
def test_an_unknown_id_is_404_or_403(plane, route):
    for name in UNKNOWN:
        values = {each: name if each in ("id", "slug") else MINE.get(each, "x") for each in route.parameters}
        answer = plane.ask(route.method, route.filled(values), **body_of(route))
        # a slash in a name leads to another route, if to any
        assert answer.status_code in ((400, 404, 405) if "/" in unquote(name) else (400, 403, 404)), answer.text
        assert answer.json()["success"] is False


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
def test_head_options_and_wrong_methods(plane, path):
    methods = {route.method for route in ROUTES if route.path == path}
    filled_path = next(filled(route) for route in ROUTES if route.path == path)
    answer = plane.ask("PATCH", filled_path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) >= methods
    assert plane.ask("OPTIONS", filled_path, None).status_code == 200
    if "GET" in methods:
        head, get = plane.ask("HEAD", filled_path), plane.ask("GET", filled_path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-length"] == str(len(get.content))
