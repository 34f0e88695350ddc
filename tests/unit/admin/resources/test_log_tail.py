from __future__ import annotations

import asyncio
import functools
import json

import pytest
from msgspec import structs

from lockgate.admin.app import AdminApp, all_endpoints
from lockgate.admin.resources import log_tail
from lockgate.admin.resources.log_tail import Follower, Pace, UnderWay
from lockgate.admin.seats import Seats
from lockgate.entities import ApiKey
from lockgate.errors import Unavailable
from lockgate.records.query.tree import EVERYTHING
from lockgate.records.store import ALL, Tail
from tests.unit.admin.plane import BODY_LIMIT
from tests.unit.records.rows import row

US = 1_000_000
EVENTS = {"accept": "text/event-stream"}


def add(plane, *numbers, **changes):
    now = int(plane.clock.now.timestamp()) * US
    values = {"started_us": now, "workspace_id": plane.home.id, **changes}
    plane.desk.store.append([row(number, **values) for number in numbers])


def look(plane, query="", key="service"):
    return plane.ok("GET", f"/logs/tail?{query}", key)


def ids(answer):
    return [each["id"] for each in answer["data"]]


def test_a_look_tells_what_came_since_the_last_one(plane):
    add(plane, 1)
    first = look(plane)
    assert (first["object"], first["data"], first["skipped"]) == ("tail", [], 0)
    add(plane, 2, 3)
    second = look(plane, f"position={first['position']}")
    assert ids(second) == ["rec_2", "rec_3"]
    assert ids(look(plane, f"position={second['position']}")) == []
    newest = look(plane, f"position={first['position']}&limit=1")
    assert (ids(newest), newest["skipped"]) == (["rec_3"], 1)


def test_a_look_is_filtered_and_of_ones_own_workspace_only(plane):
    position = look(plane)["position"]
    add(plane, 1, status_code=500)
    add(plane, 2, model="claude-a")
    add(plane, 3, workspace_id=plane.other.id)
    add(plane, 4, started_us=int(plane.clock.now.timestamp() - 7200) * US)
    at = f"position={position}&"
    assert ids(look(plane, at + "query=status>=500")) == ["rec_1"]
    assert ids(look(plane, at + "ai_model=claude-a")) == ["rec_2"]
    assert ids(look(plane, at, "other")) == ["rec_3"]
    assert ids(look(plane, at + "workspace_id=*", "admin")) == ["rec_1", "rec_2", "rec_3", "rec_4"]
    assert ids(look(plane, at + "time_of_generation_min=-1h")) == ["rec_1", "rec_2"]
    plane.refused(403, "GET", f"/logs/tail?workspace_id={plane.other.id}", "service")


@pytest.mark.parametrize("query", ["position=x", "position=eyIxIjotMX0", "position=eyIxIjo5OTk5OTk5OTk5OTk5OTk5OTk5OX0",
                                   "limit=0", "query=a>>"])  # fmt: skip
def test_what_cannot_be_read_is_refused(plane, query):
    for headers in ({}, EVENTS):
        plane.refused(400, "GET", f"/logs/tail?{query}", "service", headers=headers)


class Reader:
    """Gives what it was given, look after look, then nothing."""

    def __init__(self, *tails):
        self.tails = list(tails)
        self.asked = []

    def tail(self, scope, where, position, *, limit):
        self.asked.append((position, limit))
        found = self.tails.pop(0) if self.tails else Tail((), position)
        if isinstance(found, Exception):
            raise found
        return found


class Asking:
    """A call, as far as a follower needs one."""

    def __init__(self, plane, key, *, is_ending=lambda: False):
        self.services = structs.replace(plane.services, is_ending=is_ending)
        self.headers = {b"x-portkey-api-key": plane.texts[key].encode()}


def events(plane, reader, *, limit=20, key="service", is_ending=lambda: False, most=100, **pace):
    follower = Follower(Asking(plane, key, is_ending=is_ending), reader, ALL, EVERYTHING, Pace(**{"look_s": 0, **pace}))

    async def collect():
        found = []
        async for piece in follower.events(Tail((row(0),), "p0"), limit):
            found += piece.decode().split("\n\n")[:-1]
            if len(found) >= most:
                break
        return found

    return asyncio.run(collect())


def test_each_record_is_a_message_and_the_last_one_says_where_to_go_on(plane):
    reader = Reader(Tail((row(1), row(2)), "p1", 7), Tail((), "p2"), Tail((row(3),), "p3"))
    found = events(plane, reader, is_ending=lambda: len(reader.asked) == 3)
    assert found[0] == "retry: 1000\nevent: start\nid: p0\ndata: {}"
    assert [(part.partition("data: ")[0], json.loads(part.partition("data: ")[2]).get("id")) for part in found[1:-1]] == [
        ("id: p0\n", "rec_0"), ("event: skipped\n", None), ("", "rec_1"), ("id: p1\n", "rec_2"), ("id: p3\n", "rec_3"),
    ]  # fmt: skip
    assert '{"skipped":7}' in found[2]
    assert found[-1] == "event: end\ndata: {}"
    assert [position for position, _ in reader.asked] == ["p0", "p1", "p2"]


def test_so_many_in_a_second_and_no_more(plane):
    reader = Reader(Tail(tuple(row(n) for n in range(4)), "p1"))
    events(plane, reader, limit=5, is_ending=lambda: len(reader.asked) == 2)
    assert [limit for _, limit in reader.asked] == [4, 0]


def test_a_comment_tells_that_it_still_goes_on(plane):
    assert ": still here" in events(plane, Reader(), beat_s=0, most=4)


def test_it_ends_when_its_time_is_up_or_the_key_opens_no_more(plane):
    assert events(plane, Reader(), life_s=0)[-1] == "event: end\ndata: {}"
    with plane.directory.change() as tx:
        tx.archive(tx.get(ApiKey, plane.keys["service"].id))
    plane.recompile()
    assert events(plane, Reader(), beat_s=0)[-1] == "event: end\ndata: {}"


def test_what_goes_wrong_is_told(plane):
    found = events(plane, Reader(Unavailable("busy")))
    assert found[-1] == 'event: error\ndata: {"message":"busy"}'


def test_a_seat_is_taken_and_given_back(plane, monkeypatch):
    monkeypatch.setattr(log_tail, "Follower", functools.partial(Follower, pace=Pace(look_s=0, life_s=0)))
    services = structs.replace(plane.services, seats=Seats(1))
    plane.app = AdminApp(services, all_endpoints(), body_limit=BODY_LIMIT)
    for method in ("GET", "HEAD", "GET"):
        answer = plane.ask(method, "/logs/tail", "service", headers=EVENTS)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        assert ("event: start" in answer.text) is (method == "GET")
    assert services.seats.take()
    assert "Too many" in plane.refused(503, "GET", "/logs/tail", "service", headers=EVENTS)["message"]


def test_a_client_that_comes_back_says_where_it_was(plane, monkeypatch):
    monkeypatch.setattr(log_tail, "Follower", functools.partial(Follower, pace=Pace(look_s=0, life_s=0)))
    position = look(plane)["position"]
    add(plane, 1)
    answer = plane.ask("GET", "/logs/tail", "service", headers={**EVENTS, "last-event-id": position})
    assert '"id":"rec_1"' in answer.text


def under_way(plane, *rows):
    services = structs.replace(plane.services, under_way=lambda: rows)
    plane.app = AdminApp(services, all_endpoints(), body_limit=BODY_LIMIT)


def test_a_look_shows_ones_own_requests_under_way(plane):
    mine = [row(n, workspace_id=plane.home.id, status_code=None, endpoint="chat") for n in (1, 2)]
    under_way(
        plane, *mine, row(3, workspace_id=plane.other.id), row(4, workspace_id=plane.home.id, endpoint="messages")
    )
    assert [one["id"] for one in look(plane)["running"]] == ["rec_1", "rec_2", "rec_4"]
    assert [one["id"] for one in look(plane, "query=endpoint:chat&limit=1")["running"]] == ["rec_1"]
    assert [one["id"] for one in look(plane, key="other")["running"]] == ["rec_3"]
    assert look(plane, "query=status>=500")["running"] == look(plane, "query=words")["running"] == []
    assert look(plane, "weighted_feedback_min=1")["running"] == []


def test_requests_under_way_are_told_when_they_are_others(plane):
    first, again = row(1, failed_attempts=0), row(1, failed_attempts=1)
    turns = iter([[], [first], [first], [again], [again, row(2)], []])
    found = UnderWay(lambda: next(turns), EVERYTHING)
    told = [found.event(1) for _ in range(6)]
    assert [bool(event) for event in told] == [False, True, False, True, True, True]
    assert told[4].startswith(b"event: running\ndata: ")
    data = json.loads(told[4].partition(b"data: ")[2])
    assert ([one["id"] for one in data["data"]], data["total"]) == (["rec_1"], 2)
    assert json.loads(told[5].partition(b"data: ")[2]) == {"data": [], "total": 0}


def test_followers_are_told_of_requests_under_way(plane):
    reader = Reader()
    follower = Follower(
        Asking(plane, "service"),
        reader,
        ALL,
        EVERYTHING,
        Pace(look_s=0, life_s=0),
        UnderWay(lambda: [row(7)], EVERYTHING),
    )

    async def collect():
        return b"".join([piece async for piece in follower.events(Tail((), "p0"), 20)])

    assert b'event: running\ndata: {"data":[{"id":"rec_7"' in asyncio.run(collect())
