from __future__ import annotations

import os

import pytest

from lockgate.errors import Unavailable
from lockgate.records.embedded.feedback import FeedbackFile
from lockgate.records.embedded.sqlite import is_marked
from lockgate.records.query.language import parse
from lockgate.records.query.tree import Compare, Not
from lockgate.records.store import ALL, Feedback, Scope


@pytest.fixture
def file(tmp_path):
    found = FeedbackFile(tmp_path / "f.db")
    found.create()
    return found


def item(number, **changes):
    values = {
        "id": f"fb{number}",
        "trace_id": f"t{number}",
        "workspace_id": "a",
        "value": number,
        "created_us": number,
        "updated_us": number,
    }
    return Feedback(**(values | changes))


def test_all_are_kept_or_none(file):
    with pytest.raises(OverflowError):
        file.add([item(1), item(2, value=2**70)])
    assert file.between(ALL, 0, 100) == []


def test_feedback_is_dropped_by_trace(file):
    file.add([item(1), item(2), item(3, trace_id="t1")])
    file.drop(["t1"])
    assert [found.id for found in file.between(ALL, 0, 100)] == ["fb2"]


@pytest.mark.parametrize(
    "text, traces",
    [
        ("feedback_value:3", ("t3",)),
        ("feedback_average>=2", ("t2", "t3")),
        ("feedback_count:1", ("t1", "t2", "t3")),
        ("feedback_value:*", ("t1", "t2", "t3")),
    ],
)
def test_conditions_become_trace_ids(file, text, traces):
    file.add([item(1), item(2), item(3)])
    found = file.resolve(parse(text), ALL)
    assert (found.field, sorted(found.values)) == ("trace_id", list(traces))
    assert isinstance(file.resolve(parse(f"-{text}"), ALL), Not)


def test_conditions_see_only_their_scope(file):
    file.add([item(1), item(2, workspace_id="b")])
    found = file.resolve(parse("feedback_value:*"), Scope(frozenset({"b"})))
    assert found == Compare("trace_id", "in", ("t2",))


def test_other_conditions_stay(file):
    node = parse("status:200 OR (-model:x text)")
    assert file.resolve(node, ALL) == node


def damage_header(path):
    with path.open("r+b") as at:
        at.write(b"not a database, not at all" * 10)


def damage_middle(path):
    with path.open("r+b") as at:
        at.seek(path.stat().st_size // 4096 // 2 * 4096)
        at.write(b"\xff" * 4096 * 4)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES = [damage_header, damage_middle, truncate, zero]


@pytest.fixture
def many(tmp_path, file):
    file.add([item(n, metadata={"text": "x" * 200}) for n in range(1000)])
    (tmp_path / "quarantine").mkdir()
    return tmp_path / "quarantine"


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_told_and_made_again_of_what_can_be_read(tmp_path, file, many, damage, caplog):
    path = tmp_path / "f.db"
    whole = {one.id: one for one in file.between(ALL, 0, 2**62)}
    assert not file.heal(many, 7)
    damage(path)
    with pytest.raises(Unavailable, match="damaged"):
        # the damage may lie where one of them does not look
        file.between(ALL, 0, 2**62)
        file.of_traces(["t1"], ALL)
        file.resolve(parse("feedback_count>0"), ALL)
        file.add([item(n) for n in range(5000, 5100)])
    assert is_marked(path)
    assert file.heal(many, 8)
    found = {one.id: one for one in file.between(ALL, 0, 2**62)}
    assert all(whole.get(id, one) == one for id, one in found.items())
    if damage in (damage_middle, truncate):
        assert len(found.keys() & whole.keys()) > 100
    file.add([item(9000)])
    assert not file.heal(many, 9)
    assert [path.name for path in many.iterdir()] == ["feedback-8.db.read"]
    assert "the feedback is damaged" in caplog.text
    assert "pieces of feedback could be read in feedback-8.db" in caplog.text


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_file_that_cannot_be_opened_is_made_again(tmp_path, file, many, damage):
    damage(tmp_path / "f.db")
    if not file.open(many, 8):
        assert file.heal(many, 8)
    file.add([item(9000)])
    assert file.of_traces([item(9000).trace_id], ALL)


@pytest.mark.parametrize("damage", [os.unlink, lambda path: path.write_bytes(b"")], ids=["gone", "emptied"])
def test_a_file_that_is_gone_is_made_again_empty(tmp_path, file, many, damage):
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"f.db{suffix}").unlink(missing_ok=True)
    damage(tmp_path / "f.db")
    with pytest.raises(Unavailable, match="gone"):
        file.between(ALL, 0, 2**62)
    assert is_marked(tmp_path / "f.db")
    assert not file.heal(many, 8)
    assert file.between(ALL, 0, 2**62) == []


def test_what_was_put_aside_before_a_crash_is_read(tmp_path, file, many):
    (tmp_path / "f.db").rename(many / "feedback-5.db")
    for suffix in ("-wal", "-shm"):
        if (tmp_path / f"f.db{suffix}").exists():
            (tmp_path / f"f.db{suffix}").rename(many / f"feedback-5.db{suffix}")
    assert not file.open(many, 8)
    assert len(file.between(ALL, 0, 2**62)) == 1000
