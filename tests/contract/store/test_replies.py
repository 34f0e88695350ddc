from __future__ import annotations

import threading

import msgspec
import pytest

from lockgate.errors import Conflict
from lockgate.store.directory import open_directory
from lockgate.store.replies import Asked, Reply, begin, finish
from tests.contract.store.world import ENVIRONMENT

REPLY = Reply(200, ((b"etag", b'"1"'),), b'{"key":"gk_hush"}')


def asked(world, **change):
    first = Asked(organisation_id=world.acme.id, caller="key-1", name="POST /v1/api-keys abc", request=b"{}")
    return msgspec.structs.replace(first, **change)


def test_the_same_request_gets_the_same_answer_for_a_day(directory, world, clock):
    assert begin(directory, asked(world)) is None
    finish(directory, asked(world), REPLY)
    clock.go(hours=23, minutes=59)
    assert begin(directory, asked(world)) == REPLY
    clock.go(minutes=1)
    assert begin(directory, asked(world, request=b"other")) is None


def test_another_request_with_the_same_key_is_a_conflict(directory, world):
    begin(directory, asked(world))
    finish(directory, asked(world), REPLY)
    with pytest.raises(Conflict, match="another request"):
        begin(directory, asked(world, request=b"other"))


def test_a_request_under_way_is_a_conflict_until_it_counts_as_lost(directory, world, clock):
    begin(directory, asked(world))
    clock.go(seconds=119)
    with pytest.raises(Conflict, match="under way"):
        begin(directory, asked(world))
    clock.go(seconds=1)
    assert begin(directory, asked(world)) is None


def test_an_answer_outlives_the_lease(directory, world, clock):
    begin(directory, asked(world))
    finish(directory, asked(world), Reply(200, (), b""))
    clock.go(hours=1)
    assert begin(directory, asked(world)) == Reply(200, (), b"")


def test_what_failed_may_be_tried_again(directory, world):
    begin(directory, asked(world))
    finish(directory, asked(world), None)
    assert begin(directory, asked(world, request=b"mended")) is None


@pytest.mark.parametrize("change", [{"caller": "key-2"}, {"name": "abd"}, {"name": "nul\0"}, {"name": "half \ud800"}])
def test_another_caller_or_name_is_another_request(directory, world, change):
    begin(directory, asked(world))
    finish(directory, asked(world), REPLY)
    other = asked(world, **change)
    assert begin(directory, other) is None
    finish(directory, other, Reply(201, (), b"other"))
    assert begin(directory, other).status == 201
    assert begin(directory, asked(world)) == REPLY


def test_another_organisation_has_its_own(directory, world):
    begin(directory, asked(world))
    finish(directory, asked(world), REPLY)
    assert begin(directory, asked(world, organisation_id=world.zeta.id)) is None


def test_keeping_answers_is_no_change_of_the_control_plane(directory, world):
    before = directory.revision()
    begin(directory, asked(world))
    finish(directory, asked(world), REPLY)
    assert directory.revision() == before


def test_of_many_at_once_in_several_processes_one_works(directory, world, url, tmp_path, clock):
    other = open_directory(url=url, home=tmp_path, environment=ENVIRONMENT, clock=clock)
    outcomes = []

    def ask(mine):
        try:
            found = begin(mine, asked(world))
        except Conflict:
            outcomes.append("under way")
            return
        if found is not None:
            outcomes.append("answered")
            return
        outcomes.append("worked")
        finish(mine, asked(world), REPLY)

    threads = [threading.Thread(target=ask, args=(mine,)) for mine in (directory, other) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    assert len(outcomes) == 8
    assert outcomes.count("worked") == 1
    assert begin(directory, asked(world)) == REPLY
