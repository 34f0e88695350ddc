import pytest

from tests.unit.admin.plane import make_plane


@pytest.fixture
def plane(tmp_path):
    plane = make_plane(tmp_path / "home")
    yield plane
    plane.close()
