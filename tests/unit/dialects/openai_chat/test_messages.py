"""Messages role by role: system, turns, results and their calls."""

from __future__ import annotations

import pytest

from lockgate.errors import InvalidRequest
from tests.unit.dialects.openai_chat.samples import USER, blocks, read, shape

CACHE = {"type": "ephemeral", "ttl": "1h"}


def text(words, **fields):
    return {"_": "TextBlock", "text": words, **fields}


def calls(*ids):
    return {
        "role": "assistant",
        "tool_calls": [{"id": call_id, "type": "function", "function": {"name": "f"}} for call_id in ids],
    }


def turns(*messages):
    call = read(*messages)
    return shape(call.system), [(message.role, shape(message.content)) for message in call.messages]


def test_system_messages_before_the_first_turn_are_the_system_prompt():
    found = turns(
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
        USER,
    )
    assert found == ([text("a"), text("b"), text("c")], [("user", [text("hi")])])


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_later_system_message_stays_where_it_is(role):
    _, found = turns(USER, {"role": role, "content": "b"}, USER)
    assert [role for role, _ in found] == ["user", "system", "user"]
    assert found[1][1] == [text("b")]


def test_turns_are_neither_merged_nor_reordered():
    _, found = turns(USER, USER, calls("a", "b"), USER, {"role": "tool", "tool_call_id": "b", "content": "x"})
    assert [role for role, _ in found] == ["user", "user", "assistant", "user", "user"]


def test_a_marker_of_the_message_goes_on_its_last_block():
    two = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    for role in ("user", "assistant", "system"):
        call = read({"role": role, "content": two, "cache_control": CACHE})
        found = shape(call.system or call.messages[0].content)
        assert found == [text("a"), text("b", cache=CACHE)]
    assert blocks({"role": "user", "content": "a", "cache_control": CACHE}) == [text("a", cache=CACHE)]


RESULTS = {
    "text": ({"content": "x"}, {"content": "x"}),
    "empty text": ({"content": ""}, {}),
    "nothing": ({"content": None}, {}),
    "no content": ({}, {}),
    "empty list": ({"content": []}, {}),
    "empty part": ({"content": [{"type": "text", "text": ""}]}, {}),
    "parts": (
        {"content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://e.org/a"}}]},
        {"content": [text("x"), {"_": "ImageBlock", "source": {"_": "UrlSource", "url": "https://e.org/a"}}]},
    ),
    "native blocks": (
        {"content": [{"type": "tool_reference", "tool_name": "f"}]},
        {
            "content": [
                {
                    "_": "OpaqueBlock",
                    "type": "tool_reference",
                    "raw": {"type": "tool_reference", "tool_name": "f"},
                }
            ]
        },
    ),
    "an error": ({"content": "x", "is_error": True}, {"content": "x", "is_error": True}),
    "a marker": ({"content": "x", "cache_control": CACHE}, {"content": "x", "cache": CACHE}),
    "a marker on the last part": (
        {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": CACHE}]},
        {"content": [text("a"), text("b")], "cache": CACHE},
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_tool_message_is_a_result_in_a_users_turn(name):
    message, fields = RESULTS[name]
    _, found = turns(calls("t1"), {"role": "tool", "tool_call_id": "t1", **message})
    assert found[1] == ("user", [{"_": "ToolResultBlock", "tool_use_id": "t1", **fields}])


def result_ids(*messages):
    return [
        block.tool_use_id
        for message in read(*messages).messages
        for block in message.content
        if type(block).__name__ == "ToolResultBlock"
    ]


def test_a_result_without_an_id_answers_the_first_call_still_open():
    tool = {"role": "tool", "content": "x"}
    assert result_ids(calls("a", "b", "c"), {**tool, "tool_call_id": "b"}, tool, tool) == ["b", "a", "c"]


def test_a_call_without_an_id_gets_one_that_its_result_shares():
    messages = ({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, {"role": "tool", "content": "x"})
    first = read(*messages)
    assert first.messages[0].content[0].id == first.messages[1].content[0].tool_use_id
    assert read(*messages, USER).messages[0] == first.messages[0]


def test_a_legacy_function_call_is_paired_with_the_latest_of_its_name():
    def asked(name):
        return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": '{"a":1}'}}

    call = read(
        USER,
        asked("f"),
        {"role": "function", "name": "f", "content": "1"},
        asked("f"),
        asked("g"),
        {"role": "function", "name": "g", "content": "3"},
        {"role": "function", "name": "f", "content": "2"},
    )
    made = [message.content[0] for message in call.messages[1:]]
    assert made[0].id == made[1].tool_use_id
    assert made[3].id == made[4].tool_use_id
    assert made[2].id == made[5].tool_use_id
    assert len({made[0].id, made[2].id, made[3].id}) == 3
    assert shape(made[0].input) == {"a": 1}


REFUSED = {
    "no role": ([USER, {"content": "x"}], "messages[1].role"),
    "unknown role": ([{"role": "wizard", "content": "x"}], "messages[0].role"),
    "a result of nothing": ([USER, {"role": "tool", "content": "x"}], "messages[1].tool_call_id"),
    "a function nobody called": ([{"role": "function", "name": "f", "content": "x"}], "messages[0].name"),
    "content that is a number": ([{"role": "user", "content": 1}], "messages[0].content"),
    "a message that is no object": ([USER, "x"], "messages[1]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_message_that_cannot_be_read_is_refused_with_its_path(name):
    messages, path = REFUSED[name]
    with pytest.raises(InvalidRequest) as caught:
        read(*messages)
    assert caught.value.path == path


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
SAID = {"role": "assistant", "content": "so"}
LOST = {
    "name of a user": ({**USER, "name": "ann"}, ("messages.name",)),
    "name of a system message": ({"role": "system", "content": "x", "name": "ann"}, ("messages.name",)),
    "name of an assistant": ({**SAID, "name": "bot"}, ("messages.name",)),
    "no name": ({**USER, "name": None}, ()),
    "reasoning content": ({**SAID, "reasoning_content": "hm"}, ("messages.reasoning_content",)),
    "reasoning": ({**SAID, "reasoning": "hm"}, ("messages.reasoning",)),
    "reasoning that is no text": ({**SAID, "reasoning_content": [{"text": "hm"}]}, ("messages.reasoning_content",)),
    "no reasoning": ({**SAID, "reasoning_content": None, "reasoning": ""}, ()),
    "a copy of signed thinking": ({**SAID, "reasoning_content": "hm", "thinking_blocks": [THOUGHT]}, ()),
    "a copy of a block": ({**SAID, "reasoning_content": "hm", "content_blocks": [THOUGHT]}, ()),
    "detail": (
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://e.org", "detail": "low"}}]},
        ("messages.content.image_url.detail",),
    ),
    "automatic detail": (
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://e.org", "detail": "auto"}}]},
        (),
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_what_the_canonical_form_has_no_place_for_is_named_once(name):
    message, expected = LOST[name]
    assert read(USER, message, USER, message).unknown == expected


def test_the_name_of_a_function_is_known_from_its_call():
    result = {"role": "tool", "tool_call_id": "a", "name": "f", "content": "x"}
    assert read(USER, calls("a"), result).unknown == ()


def test_what_is_lost_is_named_beside_unknown_fields():
    assert read({**USER, "name": "ann"}, seed=7).unknown == ("seed", "messages.name")


def test_a_refusal_beside_other_words_is_named():
    for words in ({"content": "x"}, {"content_blocks": [{"type": "text", "text": "x"}]}):
        assert read(USER, {"role": "assistant", "refusal": "no", **words}).unknown == ("messages.refusal",)
    assert read(USER, {"role": "assistant", "refusal": "no"}).unknown == ()
