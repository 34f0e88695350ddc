import stat

from lockgate.store.daily_salt import DailySalt

DAY = 86_400.0


def test_processes_share_the_salt_of_a_day_and_forget_the_one_before(tmp_path):
    one, other = DailySalt(tmp_path / "salt"), DailySalt(tmp_path / "salt")
    first = one.at(5 * DAY)
    assert first == one.at(6 * DAY - 1) == other.at(5 * DAY + 3)
    second = other.at(6 * DAY)
    assert second == one.at(6 * DAY + 1) != first
    assert [path.name for path in tmp_path.iterdir()] == ["salt-6"]
    assert stat.S_IMODE((tmp_path / "salt-6").stat().st_mode) == 0o600


def test_a_moment_of_yesterday_has_the_salt_of_today(tmp_path):
    salt = DailySalt(tmp_path / "salt")
    assert salt.at(7 * DAY) == salt.at(6 * DAY)


def test_where_nothing_can_be_written_the_salt_is_the_processs_own(tmp_path):
    salt = DailySalt(tmp_path / "missing" / "salt")
    assert len(salt.at(DAY)) == 16
    assert salt.at(DAY) == salt.at(DAY)
