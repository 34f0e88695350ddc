import pytest

from lockgate.records.exports.book import UNDER_WAY, WAITING, ExportBook, Job


@pytest.fixture
def book(tmp_path):
    made = ExportBook(tmp_path / "exports")
    made.create()
    return made


def job(number, **changes):
    values = {
        "id": f"e{number}", "organisation_id": "o", "workspace_id": "w", "created_by": "k", "created_us": number,
        "updated_us": number, "filters": {"cost_min": 0.5, "metadata": {"team": "a"}},
    }  # fmt: skip
    return Job(**{**values, **changes})


def test_jobs_are_kept_for_every_process_that_looks(book, tmp_path):
    book.add(job(1))
    other = ExportBook(tmp_path / "exports")
    other.create()
    assert other.get("e1") == job(1)
    assert other.get("none") is None
    assert other.secret() == book.secret()
    assert len(book.secret()) == 32


def test_lists_are_of_a_workspace_or_of_an_organisation_the_newest_first(book):
    for each in (job(1), job(2, workspace_id="x"), job(3), job(4, organisation_id="p")):
        book.add(each)
    assert [each.id for each in book.list("o", "w")] == ["e3", "e1"]
    assert [each.id for each in book.list("o", None)] == ["e3", "e2", "e1"]
    assert [each.id for each in book.created_before(3)] == ["e1", "e2"]


def test_a_step_is_taken_once_and_from_the_right_state(book):
    book.add(job(1))
    assert book.change("e1", UNDER_WAY, done=1) is None
    assert book.change("e1", WAITING, status="in_progress").status == "in_progress"
    assert book.change("e1", WAITING, status="in_progress") is None
    assert [each.id for each in book.under_way()] == ["e1"]
    assert book.change("e1", UNDER_WAY, status="success", done=5) == book.get("e1")
    assert book.under_way() == []
    assert book.change("none", WAITING, done=1) is None
    book.remove("e1")
    assert book.get("e1") is None
