from __future__ import annotations

import pytest

from lockgate.records.embedded.layout import Layout, day_of_name, name_of


@pytest.mark.parametrize("day, name", [(0, "1970-01-01"), (20_500, "2026-02-16"), (-1, "1969-12-31")])
def test_a_day_is_named_by_its_date(day, name):
    assert name_of(day) == name
    assert day_of_name(name) == day


def test_folders_are_made_for_their_owner_only(tmp_path):
    layout = Layout(tmp_path / "records")
    layout.create()
    layout.create()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (layout.hot, layout.cold, layout.bodies, layout.temp))
    assert layout.day(20_500).name == "2026-02-16.db"
    assert layout.bodies_of(20_500).parent == layout.bodies
