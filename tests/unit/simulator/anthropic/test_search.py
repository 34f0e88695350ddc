import pytest

from tests.unit.simulator.driver import ask, user

TOOLS = [{"type": "web_search_20260209", "name": "web_search"}]


def kinds(content):
    return [block["type"] for block in content]


@pytest.mark.parametrize("text", ["Search for cats", "the latest", "x [[sim: search=1]]", "x [[sim: tool=web_search]]"])
def test_a_search_has_a_call_results_and_citations(text):
    answer = ask(messages=user(text), tools=TOOLS).json
    assert kinds(answer["content"]) == ["text", "server_tool_use", "web_search_tool_result", "text", "text", "text"]
    _, call, found, _, cited, _ = answer["content"]
    assert call["id"].startswith("srvtoolu_")
    assert found["tool_use_id"] == call["id"]
    assert all(result["encrypted_content"] for result in found["content"])
    citation = cited["citations"][0]
    assert citation["type"] == "web_search_result_location"
    assert citation["url"] == found["content"][0]["url"]
    assert answer["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert answer["stop_reason"] == "end_turn"


@pytest.mark.parametrize("body", [{"tools": None}, {"tool_choice": {"type": "none"}}, {"messages": user("Hello")}])
def test_nothing_is_searched_otherwise(body):
    answer = ask(**{"messages": user("search"), "tools": TOOLS, **body}).json
    assert kinds(answer["content"]) == ["text"]
    assert "server_tool_use" not in answer["usage"]


def test_a_pause_is_resumed_with_the_results():
    question = user("search cats [[sim: stop_reason=pause_turn]]")
    paused = ask(messages=question, tools=TOOLS).json
    assert paused["stop_reason"] == "pause_turn"
    assert kinds(paused["content"])[-1] == "server_tool_use"
    again = [*question, {"role": "assistant", "content": paused["content"]}]
    resumed = ask(messages=again, tools=TOOLS).json
    assert resumed["stop_reason"] == "end_turn"
    assert kinds(resumed["content"])[0] == "web_search_tool_result"
    assert resumed["content"][0]["tool_use_id"] == paused["content"][-1]["id"]


def test_other_paused_turns_go_on_with_text():
    call = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "code_execution", "input": {}}
    answer = ask(messages=[*user("x"), {"role": "assistant", "content": [call]}]).json
    assert answer["content"][0]["text"].startswith("Simulated continuation.")
