from lockgate.simulator.openai.asked import count_message, count_prompt, read_asked

USER = {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "x"}}]}
ASSISTANT = {"role": "assistant", "content": "old"}
TOOL = {"role": "tool", "tool_call_id": "a", "content": "12 [[sim: status=500]]"}


def test_the_last_turn_is_what_stands_behind_the_last_answer():
    asked = read_asked([{"role": "user", "content": "first"}, ASSISTANT, USER, {"role": "user", "content": "now"}])
    assert (asked.text, asked.images, asked.documents) == ("see\nnow", 1, 0)


def test_results_may_carry_directives_too():
    asked = read_asked([USER, ASSISTANT, TOOL])
    assert asked.results == ("12",)
    assert asked.text == ""
    assert "status=500" in asked.source


def test_tokens_are_counted_by_message():
    assert count_message({"role": "user", "content": "abcdefgh"}) == 6
    assert count_message(USER) == 4 + 1 + 765
    low = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x", "detail": "low"}}]}
    assert count_message(low) == 4 + 85
    assert count_message({"role": "user", "content": [{"type": "file", "file": {}}]}) == 2004
    assert count_message({"role": "assistant", "tool_calls": [{"id": "abcdefg"}]}) == 4 + 5
    assert count_prompt({"messages": [{"role": "user", "content": "abcd"}], "tools": [{}]}) == 3 + 5 + 1
