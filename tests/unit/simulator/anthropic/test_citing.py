import pytest

from tests.unit.simulator.driver import PDF, ask, user

ON = {"citations": {"enabled": True}}


def document(**source):
    return {"type": "document", "source": source, "title": "Facts", **ON}


@pytest.mark.parametrize(
    "block, kind, cited",
    [
        (document(type="text", media_type="text/plain", data="Grass is green."), "char_location", "Grass is green."),
        (document(type="content", content="Sky is blue."), "char_location", "Sky is blue."),
        (document(type="content", content=[{"type": "text", "text": "Sky."}]), "content_block_location", "Sky."),
        (document(type="base64", media_type="application/pdf", data=PDF), "page_location", "Page one of the document."),
        (
            {
                "type": "search_result",
                "source": "s",
                "title": "t",
                "content": [{"type": "text", "text": "Found."}],
                **ON,
            },
            "search_result_location",
            "Found.",
        ),
    ],
)
def test_what_is_to_be_cited_is_cited(block, kind, cited):
    answer = ask(messages=user([block, {"type": "text", "text": "What?"}])).json
    citations = [one for part in answer["content"] for one in part.get("citations", ())]
    assert [(one["type"], one["cited_text"]) for one in citations] == [(kind, cited)]


def test_documents_are_counted_from_the_start_of_the_conversation():
    plain = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
    blocks = [plain, document(type="text", media_type="text/plain", data="y")]
    answer = ask(messages=user([*blocks, {"type": "text", "text": "What?"}])).json
    assert answer["content"][2]["citations"][0]["document_index"] == 1


def test_nothing_is_cited_unasked():
    plain = {**document(type="text", media_type="text/plain", data="x"), "citations": {"enabled": False}}
    answer = ask(messages=user([plain, {"type": "text", "text": "What?"}])).json
    assert len(answer["content"]) == 1
    assert "(saw 1 document)" in answer["content"][0]["text"]
