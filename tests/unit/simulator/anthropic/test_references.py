import base64

import pytest

from lockgate.simulator.anthropic.references import Reference, find_references
from lockgate.simulator.app import Simulator
from tests.unit.simulator.driver import PDF, PNG, ask, file_part, upload, user

KINDS = {
    "a.png": ("image/png", base64.b64decode(PNG)),
    "a.pdf": ("application/pdf", base64.b64decode(PDF)),
    "a.txt": ("text/plain", b"Grass is green."),
    "a.csv": ("text/csv", b"a,b"),
    "expired-a.txt": ("text/plain", b"old"),
    "fake.png": ("image/png", b"no image"),
    "fake.pdf": ("application/pdf", b"no pdf"),
}


@pytest.fixture(scope="module")
def stocked():
    simulator = Simulator()
    ids = {name: upload(simulator, file_part(name, data, kind)).json["id"] for name, (kind, data) in KINDS.items()}
    return simulator, {**ids, "gone": "file_gone", "bad": "file-bad"}


def block(kind, file_id):
    source = {"type": "file", "file_id": file_id}
    return {"type": kind, "file_id": file_id} if kind == "container_upload" else {"type": kind, "source": source}


@pytest.mark.parametrize(
    "kind, name",
    [("image", "a.png"), ("document", "a.pdf"), ("document", "a.txt"), ("container_upload", "a.csv")],
)
def test_the_answer_names_the_file(stocked, kind, name):
    simulator, ids = stocked
    answer = ask(simulator, messages=user([block(kind, ids[name]), {"type": "text", "text": "Look"}]))
    assert answer.status == 200, answer.body
    assert f"the file {name})" in answer.json["content"][0]["text"]


def test_all_files_of_a_turn_are_named(stocked):
    simulator, ids = stocked
    blocks = [block("document", ids["a.pdf"]), block("container_upload", ids["a.csv"]), {"type": "text", "text": "x"}]
    text = ask(simulator, messages=user(blocks)).json["content"][0]["text"]
    assert "(saw 1 document and the files a.pdf, a.csv)" in text


@pytest.mark.parametrize(
    "kind, name, status, message",
    [
        ("image", "a.pdf", 400, "messages.0.content.0.image.source.file.file_id: files of type application/pdf"),
        ("document", "a.png", 400, "messages.0.content.0.document.source.file.file_id: files of type image/png"),
        ("document", "a.csv", 400, "messages.0.content.0.document.source.file.file_id: files of type text/csv"),
        ("image", "fake.png", 400, "Could not process image"),
        ("document", "fake.pdf", 400, "messages.0.content.0.document.source.file.file_id: The PDF specified was not"),
        ("document", "gone", 404, "File not found: file_gone"),
        ("image", "gone", 404, "File not found: file_gone"),
        ("container_upload", "gone", 404, "File not found: file_gone"),
        ("container_upload", "bad", 400, "file_id: String should match pattern"),
        ("document", "expired-a.txt", 404, "has expired"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_a_file_that_does_not_fit_is_refused(stocked, kind, name, status, message, path):
    simulator, ids = stocked
    more = {"max_tokens": None} if path.endswith("tokens") else {}
    answer = ask(simulator, messages=user([block(kind, ids[name])]), path=path, **more)
    assert answer.status == status
    assert message in answer.message


def test_a_reference_needs_an_id():
    answer = ask(messages=user([{"type": "image", "source": {"type": "file"}}]))
    assert answer.message.endswith("image.source.file.file_id: Field required")


def test_references_are_found_at_every_depth():
    image = block("image", "file_1")
    content = [{"type": "document", "source": {"type": "content", "content": [image, {"type": "text", "text": "x"}]}}]
    result = {"type": "tool_result", "tool_use_id": "a", "content": [*content, block("document", "file_2")]}
    results = {"type": "search_result", "source": "s", "title": "t", "content": []}
    assert list(find_references([{"type": "text", "text": "x"}, result, results])) == [
        Reference(
            "image", "file_1", "1.tool_result.content.0.document.source.content.content.0.image.source.file.file_id"
        ),
        Reference("document", "file_2", "1.tool_result.content.1.document.source.file.file_id"),
    ]
