import pytest

from lockgate.admin.access import PUBLIC
from lockgate.admin.endpoint import Endpoint
from lockgate.admin.resources import load_endpoints
from lockgate.admin.routes import Routes, normal_path


def endpoint(method, path, **more):
    return Endpoint(method=method, path=path, access=PUBLIC, summary="x", handler=lambda call: None, **more)


ROUTES = Routes(
    [
        endpoint("GET", "/users/invites"),
        endpoint("GET", "/users/{id}"),
        endpoint("PUT", "/users/{id}"),
        endpoint("POST", "/users/{id}/resend"),
        endpoint("GET", "/api-keys/{id}", mounts=("/v1", "/v2")),
        endpoint("GET", "/models/{id:path}"),
        endpoint("GET", "/prices/{provider}", mounts=("/v1", "")),
    ]
)


@pytest.mark.parametrize(
    "path, methods, parameters",
    [
        ("/v1/users/invites", {"GET"}, {}),
        ("/v1/users/u1", {"GET", "PUT"}, {"id": "u1"}),
        ("/v1/users/u1/", {"GET", "PUT"}, {"id": "u1"}),
        ("/v1/v1/users/u1", {"GET", "PUT"}, {"id": "u1"}),
        ("/users/u1", {"GET", "PUT"}, {"id": "u1"}),
        ("/v1/users/u1/resend", {"POST"}, {"id": "u1"}),
        ("/v2/api-keys/k", {"GET"}, {"id": "k"}),
        ("/v1/models/@a/b", {"GET"}, {"id": "@a/b"}),
        ("/prices/anthropic", {"GET"}, {"provider": "anthropic"}),
        ("/v1/prices/anthropic", {"GET"}, {"provider": "anthropic"}),
    ],
)
def test_where_a_path_leads(path, methods, parameters):
    found = ROUTES.find(path)
    assert found is not None
    assert set(found.endpoints) == methods
    assert found.parameters == parameters


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/users", "/v2/users/u1", "/v1/users/u1/x", "/v1/users//", "/v3/api-keys/k"]
)
def test_what_leads_nowhere(path):
    assert ROUTES.find(path) is None


def test_two_endpoints_in_one_place_are_a_mistake():
    with pytest.raises(ValueError, match="twice"):
        Routes([endpoint("GET", "/a"), endpoint("GET", "/a")])


def test_the_version_stands_once():
    assert normal_path("/v1/v1/v1/a/") == "/v1/a"
    assert normal_path("/") == "/"


def test_a_literal_segment_is_looked_at_before_a_parameter():
    paths = [each.path for each in load_endpoints()]
    for i, path in enumerate(paths):
        for later in paths[i + 1 :]:
            shared = zip(path.split("/"), later.split("/"), strict=False)
            first = next(((a, b) for a, b in shared if a != b), ("", ""))
            assert not (first[0].startswith("{") and not first[1].startswith("{")), (path, later)
