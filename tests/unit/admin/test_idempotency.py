import msgspec
import pytest

from lockgate.admin.idempotency import once, read_asked
from lockgate.entities import Organisation
from lockgate.errors import Conflict, InvalidRequest, Unavailable
from lockgate.store.directory import open_directory
from lockgate.store.replies import Asked, Reply

ANSWER = Reply(200, ((b"etag", b'"1"'),), b"{}")


@pytest.fixture
def directory(tmp_path):
    directory = open_directory(url=None, home=tmp_path, environment={})
    yield directory
    directory.close()


@pytest.fixture
def asked(directory):
    with directory.change() as tx:
        acme = tx.insert(Organisation(name="Acme", slug="acme"))
    return Asked(organisation_id=acme.id, caller="key", name="POST /things i", request=b"a")


class Work:
    def __init__(self, error=None):
        self.done = 0
        self.error = error

    def __call__(self):
        self.done += 1
        if self.error is not None:
            raise self.error
        return ANSWER


def test_the_work_is_done_once_and_the_answer_marked_the_second_time(directory, asked):
    work = Work()
    assert once(directory, asked, work) == ANSWER
    again = once(directory, asked, work)
    assert again == msgspec.structs.replace(
        ANSWER, headers=(*ANSWER.headers, (b"x-lockgate-idempotent-replay", b"true"))
    )
    assert work.done == 1


def test_another_body_under_the_same_key_is_a_conflict(directory, asked):
    once(directory, asked, Work())
    work = Work()
    with pytest.raises(Conflict, match="another request"):
        once(directory, msgspec.structs.replace(asked, request=b"b"), work)
    assert work.done == 0


def test_the_same_request_inside_itself_is_under_way(directory, asked):
    with pytest.raises(Conflict, match="under way"):
        once(directory, asked, lambda: once(directory, asked, Work()))


@pytest.mark.parametrize("error", [InvalidRequest("no"), RuntimeError("bug")])
def test_what_failed_may_be_tried_again(directory, asked, error):
    with pytest.raises(type(error)):
        once(directory, asked, Work(error))
    assert once(directory, asked, Work()) == ANSWER


def test_work_that_is_done_is_answered_also_when_it_cannot_be_kept(directory, asked, monkeypatch, caplog):
    def fail(*_):
        raise Unavailable("the database cannot be reached")

    monkeypatch.setattr("lockgate.admin.idempotency.finish", fail)
    assert once(directory, asked, Work()) == ANSWER
    assert "could not be kept" in caplog.text


def test_keys_have_a_longest_length(call_stub):
    assert read_asked("k" * 255, call_stub, b"").name == f"POST /v1/things {'k' * 255}"
    with pytest.raises(InvalidRequest, match="at most 255"):
        read_asked("k" * 256, call_stub, b"")


@pytest.fixture
def call_stub():
    class Key:
        id = "key-1"

    class Principal:
        key = Key
        organisation_id = "o"

    class Call:
        principal = Principal
        method = "POST"
        uri = "/v1/things"

    return Call
