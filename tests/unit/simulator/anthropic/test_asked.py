from lockgate.simulator.anthropic.asked import read_asked, result_text
from tests.unit.simulator.driver import user

ASSISTANT = {"role": "assistant", "content": "an answer"}
RESULT = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "12"}, {"type": "image"}]}


def test_the_last_turn_is_what_stands_behind_the_last_answer():
    asked = read_asked([*user("old"), ASSISTANT, *user("new"), *user([{"type": "text", "text": "and more"}])])
    assert asked.text == "new\nand more"


def test_directives_are_in_the_source_but_not_in_the_text():
    asked = read_asked(user("hello [[sim: status=500]]"))
    assert asked.text == "hello"
    assert "status=500" in asked.source


def test_results_images_and_documents_are_seen():
    asked = read_asked([*user("x"), ASSISTANT, *user([RESULT, {"type": "document"}, {"type": "image"}])])
    assert asked.results == ("12 [image]",)
    assert (asked.images, asked.documents) == (2, 1)
    assert asked.text == ""
    assert "12" in asked.source


def test_system_messages_are_not_the_user():
    asked = read_asked([*user("x"), {"role": "system", "content": "secret"}])
    assert asked.text == "x"


def test_a_prefill_does_not_hide_the_question():
    asked = read_asked([*user("question"), ASSISTANT])
    assert asked.text == "question"
    assert not asked.is_resumed


def test_a_paused_turn_is_resumed_without_its_directives():
    paused = {"role": "assistant", "content": [{"type": "server_tool_use"}]}
    asked = read_asked([*user("search [[sim: stop_reason=pause_turn]]"), paused])
    assert asked.is_resumed
    assert asked.source == ""


def test_a_result_without_content_is_empty():
    assert result_text({"type": "tool_result"}) == ""
