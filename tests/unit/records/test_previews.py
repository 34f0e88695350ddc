from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.previews import PREVIEW_CHARS, TEXT_CHARS, preview_request, preview_response

CHAT = {"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "old"},
                     {"role": "assistant", "content": "ok"}, {"role": "user", "content": [{"type": "text", "text": "new\n question"}]}]}  # fmt: skip


@pytest.mark.parametrize(
    "call, preview",
    [
        (CHAT, "new question"),
        ({"input": "embed this"}, "embed this"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]}, "hi"),
        ({"input": ["one", "two"]}, "one"),
        ({"contents": [{"role": "user", "parts": [{"text": "gemini"}]}]}, "gemini"),
        ({"prompt": "a cat"}, "a cat"),
        ({"query": "rank", "documents": ["d1"]}, "rank"),
        ({"messages": [{"role": "assistant", "content": "go on"}]}, "go on"),
        ({"messages": []}, ""),
        ({"messages": "odd"}, "odd"),
        ([], ""),
        ("text", ""),
    ],
    ids=str,
)  # fmt: skip
def test_the_preview_of_a_request_is_what_the_user_said_last(call, preview):
    assert preview_request(json.dumps(call).encode())[0] == preview


def test_only_what_is_new_in_a_turn_is_searched():
    text = preview_request(json.dumps(CHAT).encode())[1]
    assert text == "new\n question"


def test_results_of_tools_are_searched_and_the_users_words_come_first():
    call = {
        "messages": [
            {"role": "assistant", "content": "x"},
            {"role": "tool", "content": "result 7"},
            {"role": "user", "content": "and?"},
        ]
    }
    assert preview_request(json.dumps(call).encode()) == ("and?", "and?\nresult 7")


@pytest.mark.parametrize(
    "answer, preview",
    [
        (
            {"id": "x", "choices": [{"message": {"role": "assistant", "content": "chat"}, "finish_reason": "stop"}]},
            "chat",
        ),
        (
            {
                "id": "x",
                "type": "message",
                "content": [{"type": "text", "text": "messages"}],
                "stop_reason": "end_turn",
            },
            "messages",
        ),
        ({"output": [{"type": "message", "content": [{"type": "output_text", "text": "responses"}]}]}, "responses"),
        ({"candidates": [{"content": {"parts": [{"text": "gemini"}]}}]}, "gemini"),
        ({"error": {"type": "overloaded_error", "message": "busy"}}, "busy"),
        ({"data": [{"embedding": [0.1, 0.2]}]}, ""),
        ({"content": [{"type": "tool_use", "name": "search", "input": {"q": "cats"}}]}, "search"),
    ],
    ids=str,
)
def test_the_preview_of_an_answer_is_what_the_model_said_first(answer, preview):
    assert preview_response(json.dumps(answer).encode())[0] == preview


def test_arguments_of_tools_are_searched():
    answer = {
        "choices": [
            {"message": {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"city":"Köln"}'}}]}}
        ]
    }
    assert "Köln" in preview_response(json.dumps(answer).encode())[1]


def test_media_and_signatures_are_not_searched():
    call = {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "data": "A" * 5000}},
                    {"type": "text", "text": "what?"},
                ],
            }
        ]
    }
    assert preview_request(json.dumps(call).encode()) == ("what?", "what?")


def test_both_are_bounded():
    preview, text = preview_request(json.dumps({"prompt": "word " * 20_000}).encode())
    assert len(preview) == PREVIEW_CHARS
    assert len(text) == TEXT_CHARS


def test_text_is_unescaped_and_without_nul():
    assert preview_request(b'{"prompt":"\\u9000\\u6b3e \\u0000x"}')[1] == "退款  x"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00\x01", b"[" * 100_000, b"plain text"])
def test_other_bodies_give_no_error(body):
    preview_request(body)
    preview_response(body)


@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda x: st.lists(x, max_size=3) | st.dictionaries(
    st.sampled_from(["messages", "content", "role", "input", "choices", "text", "x"]), x, max_size=3), max_leaves=10))  # fmt: skip
def test_no_shape_breaks_it(value):
    data = json.dumps(value).encode()
    assert all(isinstance(text, str) for text in (*preview_request(data), *preview_response(data)))
