import json

from msgspec import Raw

from lockgate.core.files import StoredFile
from lockgate.dialects.openai_chat.files import write_deleted, write_file, write_files

FILE = StoredFile(id="f", filename="a.txt", size_bytes=3, created_at=5)


def test_a_purpose_is_repeated_and_otherwise_that_of_assistants():
    assert json.loads(write_file(FILE, "user_data"))["purpose"] == "user_data"
    assert json.loads(write_file(FILE, None))["purpose"] == "assistants"
    assert "scope" not in json.loads(write_file(FILE, None))


def test_a_page_and_a_scope():
    scoped = StoredFile(id="g", filename="b", scope=Raw(b'{"type":"x"}'))
    page = json.loads(write_files([FILE, scoped], has_more=True))
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("f", "g", True)
    assert page["data"][1]["scope"] == {"type": "x"}


def test_what_is_deleted():
    assert json.loads(write_deleted("f")) == {"id": "f", "object": "file", "deleted": True}
