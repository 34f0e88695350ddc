import pytest

from lockgate.admin.app import all_endpoints
from tests.unit.admin.stage import Stage


@pytest.fixture
def stage(tmp_path):
    plane = Stage().open(tmp_path)
    yield plane
    plane.close()


@pytest.mark.parametrize(
    "path, expected", [("/v1/things", True), ("/v1/things/x", True), ("/v1/chat/completions", False)]
)
def test_it_knows_which_paths_are_its_own(stage, path, expected):
    assert stage.app.has_route(path) is expected


def test_every_endpoint_declares_who_may_call_it():
    for endpoint in all_endpoints():
        access = endpoint.access
        scopes = access.organisation + access.service + access.user
        assert (access.is_public + access.is_any_key + bool(scopes)) == 1, endpoint.name


def test_names_are_unique():
    names = [endpoint.name for endpoint in all_endpoints()]
    assert len(set(names)) == len(names)
