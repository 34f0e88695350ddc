from __future__ import annotations

import pytest

from tests.e2e.admin.serving import served
from tests.unit.admin.plane import make_plane


@pytest.fixture
def plane(tmp_path):
    plane = make_plane(tmp_path / "home")
    yield plane
    plane.close()


@pytest.fixture
def base_url(plane):
    with served(plane) as url:
        yield url
