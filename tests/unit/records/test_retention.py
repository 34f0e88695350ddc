from __future__ import annotations

from lockgate.records.retention import Retention, apply_retention
from lockgate.records.store import Dropped

DAY = 86_400_000_000


class Rows:
    def __init__(self):
        self.asked = []

    def drop_before(self, us):
        self.asked.append(("rows", us))
        return Dropped(1, 2, 30)

    def drop_previews_before(self, us):
        self.asked.append(("previews", us))
        return 5


class Bodies:
    def __init__(self, sizes):
        self.sizes = dict(sizes)

    def days(self):
        return sorted(self.sizes)

    def size_bytes(self):
        return sum(self.sizes.values())

    def drop_day(self, day):
        return self.sizes.pop(day)

    def drop_before(self, us):
        return sum(self.drop_day(day) for day in self.days() if (day + 1) * DAY <= us)


def test_bodies_and_rows_have_clocks_of_their_own():
    rows, bodies = Rows(), Bodies({10: 1, 69: 2, 70: 4, 99: 8})
    done = apply_retention(Retention(body_days=30, row_days=90), rows, bodies, now_us=100 * DAY)
    assert rows.asked == [("previews", 70 * DAY), ("rows", 10 * DAY)]
    assert bodies.days() == [70, 99]
    assert (done.body_bytes, done.rows, done.days_of_bodies_before_time) == (1 + 2 + 5, Dropped(1, 2, 30), 0)


def test_too_many_bodies_go_before_their_time_the_oldest_first():
    bodies = Bodies({95: 50, 96: 50, 97: 50, 98: 50})
    done = apply_retention(Retention(max_body_bytes=110), Rows(), bodies, now_us=100 * DAY)
    assert bodies.days() == [97, 98]
    assert done.days_of_bodies_before_time == 2


def test_the_newest_day_stays_however_large():
    bodies = Bodies({98: 500})
    apply_retention(Retention(max_body_bytes=110), Rows(), bodies, now_us=100 * DAY)
    assert bodies.days() == [98]
