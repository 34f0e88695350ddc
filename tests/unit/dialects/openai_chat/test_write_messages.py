"""Canonical turns as OpenAI messages."""

from __future__ import annotations

import pytest
from msgspec import structs

from lockgate.core.chat import (
    Base64Source,
    Call,
    DocumentBlock,
    FileSource,
    ImageBlock,
    Message,
    OpaqueBlock,
    RedactedThinkingBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from lockgate.dialects.openai_chat import DIALECT
from lockgate.errors import Unsupported
from tests.unit.dialects.openai_chat.samples import raw, target, write

IMAGE = ImageBlock(source=Base64Source(media_type="image/png", data="AAAA"))
IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
PDF = DocumentBlock(source=Base64Source(media_type="application/pdf", data="AAAA"))
PDF_PART = {
    "type": "file",
    "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AAAA"},
}


def text(words):
    return TextBlock(text=words)


def part(words):
    return {"type": "text", "text": words}


def opaque(**keys):
    return OpaqueBlock(type=keys["type"], raw=raw(keys))


def use(call_id="a", name="f"):
    return ToolUseBlock(id=call_id, name=name, input=raw({"n": 1}))


def result(call_id="a", content=None, **fields):
    return ToolResultBlock(tool_use_id=call_id, content=content, **fields)


def call(*turns, system=()):
    roles = {"u": "user", "a": "assistant", "s": "system"}
    messages = tuple(Message(role=roles[turn[0]], content=turn[1:]) for turn in turns)
    return Call(model="m", messages=messages, system=system)


def messages(*turns, system=()):
    return write(call(*turns, system=system))["messages"]


def dropped(*turns, system=()):
    return DIALECT.write_call(call(*turns, system=system), target()).dropped


def user(content):
    return {"role": "user", "content": content}


def tool(content, call_id="a"):
    return {"role": "tool", "content": content, "tool_call_id": call_id}


def asked(*ids, content=None):
    calls = [{"id": i, "type": "function", "function": {"name": "f", "arguments": '{"n":1}'}} for i in ids]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def test_the_system_prompt_is_one_message():
    system = (text("Be brief."), text(""), text("Be kind."))
    assert messages(("u", text("hi")), system=system) == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        user("hi"),
    ]


def test_the_line_about_billing_is_for_anthropic_alone():
    billing = text("x-anthropic-billing-header: cc_version=2.1.330")
    assert messages(("u", text("hi")), system=(billing, text("Be brief.")))[0]["content"] == "Be brief."
    assert messages(("u", text("hi")), system=(billing,)) == [user("hi")]


USERS = {
    "text": ([text("hi")], "hi"),
    "texts": ([text("a"), text("b")], [part("a"), part("b")]),
    "empty text": ([text(""), text("b")], "b"),
    "image": ([text("a"), IMAGE], [part("a"), IMAGE_PART]),
    "image alone": ([IMAGE], [IMAGE_PART]),
    "image at a URL": (
        [ImageBlock(source=UrlSource(url="https://e.org/a"))],
        [{"type": "image_url", "image_url": {"url": "https://e.org/a"}}],
    ),
    "PDF": ([PDF], [PDF_PART]),
    "PDF with a title": (
        [structs.replace(PDF, title="T")],
        [{"type": "file", "file": {**PDF_PART["file"], "filename": "T"}}],
    ),
    "PDF at a URL": (
        [DocumentBlock(source=UrlSource(url="https://e.org/a.pdf"))],
        [{"type": "file", "file": {"filename": "document.pdf", "file_url": "https://e.org/a.pdf"}}],
    ),
    "text document": (
        [DocumentBlock(source=TextSource(text="x"), title="T", context="C")],
        "T\n\nC\n\nx",
    ),
    "search result": (
        [opaque(type="search_result", title="T", source="S", content=[part("x")])],
        "T\nS\nx",
    ),
    "compaction": ([opaque(type="compaction", content="before"), text("hi")], [part("before"), part("hi")]),
}


@pytest.mark.parametrize("name", USERS)
def test_a_users_turn_is_one_message(name):
    blocks, content = USERS[name]
    assert messages(("u", *blocks)) == [user(content)]


def test_a_turn_that_says_nothing_is_left_out():
    assert messages(("u", text("hi")), ("u",), ("a",), ("s",), ("u", text(""))) == [user("hi")]


def test_a_system_message_stays_where_it_is():
    found = messages(("u", text("hi")), ("s", text("a"), text("b")), ("a", text("x")), ("s", text("c")))
    assert [(message["role"], message["content"]) for message in found] == [
        ("user", "hi"),
        ("system", "a\n\nb"),
        ("assistant", "x"),
        ("system", "c"),
    ]


def test_calls_and_results_follow_each_other():
    assert messages(
        ("u", text("hi")), ("a", text("I look."), use("a"), use("b")), ("u", result("b", "2"), result("a", "1"))
    ) == [user("hi"), asked("a", "b", content="I look."), tool("1", "a"), tool("2", "b")]


def test_results_come_before_everything_else_of_their_turn():
    found = messages(("a", use("a")), ("u", text("by the way"), result("a", "1")))
    assert found == [asked("a"), tool("1"), user("by the way")]


def test_results_are_brought_to_their_calls_over_other_turns():
    found = messages(
        ("a", use("a")), ("s", text("note")), ("u", text("wait")), ("u", result("a", "1")), ("a", text("x"))
    )
    assert [message["role"] for message in found] == ["assistant", "tool", "system", "user", "assistant"]


def test_a_call_without_a_result_gets_one():
    assert messages(("a", use("a"), use("b")), ("u", result("b", "2"))) == [
        asked("a", "b"),
        tool("(no result)", "a"),
        tool("2", "b"),
    ]
    assert messages(("a", use("a")))[1] == tool("(no result)")


def test_a_result_without_a_call_becomes_the_users_words():
    assert messages(("u", result("x", "1"), text("hi"))) == [user([part("1"), part("hi")])]


def test_an_id_used_twice_is_answered_in_its_own_turn():
    turns = (("a", use("a")), ("u", result("a", "1")), ("a", use("a")), ("u", result("a", "2")))
    assert [message["content"] for message in messages(*turns) if message["role"] == "tool"] == ["1", "2"]
    assert [
        m["content"] for m in messages(("a", use("a"), use("a")), ("u", result("a", "1"), result("a", "2")))[1:]
    ] == [
        "1",
        "2",
    ]


RESULTS = {
    "text": (result(content="1"), "1"),
    "nothing": (result(), ""),
    "texts": (result(content=(text("1"), text("2"))), "1\n2"),
    "an error": (result(content="1", is_error=True), "Error: 1"),
    "an error of blocks": (result(content=(text("1"),), is_error=True), "Error: 1"),
    "a tool reference": (result(content=(opaque(type="tool_reference", tool_name="g"),)), "Tool available: g"),
    "a text document": (result(content=(DocumentBlock(source=TextSource(text="x"), title="T"),)), "T\n\nx"),
    "a search result": (
        result(content=(opaque(type="search_result", title="T", source="S", content=[part("x")]),)),
        "T\nS\nx",
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_text(name):
    block, content = RESULTS[name]
    assert messages(("a", use()), ("u", block)) == [asked("a"), tool(content)]


def test_images_of_results_move_to_the_user_message_behind():
    found = messages(
        ("a", use("a"), use("b")),
        ("u", result("a", (text("look"), IMAGE, PDF)), result("b", (IMAGE,)), text("and?")),
        ("a", text("x")),
    )
    assert found == [
        asked("a", "b"),
        tool("look\n[image 1]\n[document 2]"),
        tool("[image 1]", "b"),
        user(
            [
                part("and?"),
                part("Images returned by tool call a:"),
                IMAGE_PART,
                PDF_PART,
                part("Images returned by tool call b:"),
                IMAGE_PART,
            ]
        ),
        {"role": "assistant", "content": "x"},
    ]


def test_without_a_user_message_behind_images_get_one():
    found = messages(("a", use("a")), ("u", result("a", (IMAGE,))), ("a", text("x")))
    assert [message["role"] for message in found] == ["assistant", "tool", "user", "assistant"]
    assert found[2]["content"] == [part("Images returned by tool call a:"), IMAGE_PART]


def test_images_of_a_result_without_a_call_stay_with_the_user():
    assert messages(("u", result("x", (text("look"), IMAGE)))) == [
        user([part("look\n[image 1]"), part("Images returned by tool call x:"), IMAGE_PART])
    ]


def test_a_long_id_is_replaced_on_both_sides():
    long = "toolu_" + "x" * 60
    found = messages(("a", use(long)), ("u", result(long, (IMAGE,))))
    [sent] = {found[0]["tool_calls"][0]["id"], found[1]["tool_call_id"]}
    assert len(sent) == 37
    assert found[2]["content"][0] == part(f"Images returned by tool call {sent}:")


def test_a_name_is_replaced_in_the_history_too():
    found = messages(("a", use("a", "my tool")))
    assert found[0]["tool_calls"][0]["function"]["name"] == "my_tool"


def test_arguments_keep_their_bytes():
    block = ToolUseBlock(id="a", name="f", input=raw({}).__class__(b'{ "n":1.0, "s":"\\u00e9" }'))
    arguments = messages(("a", block))[0]["tool_calls"][0]["function"]["arguments"]
    assert arguments == '{ "n":1.0, "s":"\\u00e9" }'


ASSISTANTS = {
    "texts": ([text("a"), text("b")], "ab", ()),
    "thinking": ([ThinkingBlock(text="secret", signature="s"), text("x")], "x", ("messages.thinking",)),
    "redacted thinking": ([RedactedThinkingBlock(data="d"), text("x")], "x", ("messages.thinking",)),
    "a server's tool": (
        [opaque(type="server_tool_use", name="web_search"), text("x")],
        "x",
        ("messages.server_tool_use",),
    ),
    "a server's search": (
        [
            text("I check."),
            opaque(type="web_search_tool_result", content=[{"title": "A", "url": "https://a.org"}]),
            text("Yes."),
        ],
        "I check.\nWeb pages found: A (https://a.org)\nYes.",
        (),
    ),
    "a server's code": (
        [opaque(type="code_execution_tool_result", content={}), text("x")],
        "x",
        ("messages.code_execution_tool_result",),
    ),
    "a compaction": ([opaque(type="compaction", content="before")], "before", ()),
    "a document": ([PDF, text("x")], "x", ("messages.document",)),
    "an image": ([IMAGE, text("x")], "x", ("messages.image",)),
}


@pytest.mark.parametrize("name", ASSISTANTS)
def test_an_assistants_turn_is_what_others_understand_of_it(name):
    blocks, content, names = ASSISTANTS[name]
    assert messages(("a", *blocks)) == [{"role": "assistant", "content": content}]
    assert dropped(("a", *blocks)) == names


def test_a_turn_of_thinking_alone_is_left_out():
    assert messages(("u", text("hi")), ("a", ThinkingBlock(text="x"))) == [user("hi")]


def test_a_prefill_stays_last():
    assert messages(("u", text("hi")), ("a", text("{ ")))[-1] == {"role": "assistant", "content": "{ "}


def test_what_a_user_cannot_show_is_named():
    blocks = (text("hi"), opaque(type="container_upload", file_id="f"), ThinkingBlock(text="x"), use())
    assert messages(("u", *blocks)) == [user("hi")]
    assert dropped(("u", *blocks)) == ("messages.container_upload", "messages.thinking", "messages.tool_use")


FOREIGN = {
    "image": (("u", text("x"), ImageBlock(source=FileSource(file_id="f"))), "messages[0].content[1].source"),
    "document": (("u", DocumentBlock(source=FileSource(file_id="f"))), "messages[0].content[0].source"),
    "image of a result": (
        ("u", result("x", (text("a"), ImageBlock(source=FileSource(file_id="f"))))),
        "messages[0].content[0].content[1].source",
    ),
    "sealed compaction": (("u", opaque(type="compaction", signature="s")), "messages[0].content[0]"),
    "sealed compaction of the assistant": (
        ("a", opaque(type="compaction", signature="s")),
        "messages[0].content[0]",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_only_another_provider_can_read_is_refused(name):
    turn, path = FOREIGN[name]
    with pytest.raises(Unsupported) as caught:
        messages(turn)
    assert caught.value.path == path
    assert caught.value.message.startswith(f"{path}: ")
    with pytest.raises(Unsupported) as later:
        messages(("u", text("hi")), turn)
    assert later.value.path == path.replace("messages[0]", "messages[1]")


CITES = raw({"enabled": True})
CITED = raw([{"type": "char_location", "cited_text": "x"}])
INNER = [{"type": "text", "text": "x"}, {"type": "image"}]
LOST = {
    "citations of a document": (("u", DocumentBlock(source=TextSource(text="x"), citations=CITES)), "citations"),
    "citations of a file": (("u", structs.replace(PDF, citations=CITES)), "citations"),
    "citations of a result": (("u", opaque(type="search_result", title="T", citations={"enabled": True})), "citations"),
    "citations of a user's text": (("u", TextBlock(text="x", citations=CITED)), "citations"),
    "citations of an answer": (("a", TextBlock(text="x", citations=CITED)), "citations"),
    "citations in a tool's result": (
        ("u", result(content=(DocumentBlock(source=TextSource(text="x"), citations=CITES),))),
        "citations",
    ),
    "further keys": (
        ("u", structs.replace(IMAGE, raw=raw({"type": "image", "transformations": {"a": 1}}))),
        "transformations",
    ),
    "pictures in a document": (
        ("u", opaque(type="document", title="T", source={"type": "content", "content": INNER})),
        "image",
    ),
    "an added tool": (("s", text("x"), opaque(type="tool_addition", tool={})), "tool_addition"),
    "a removed tool": (("s", opaque(type="tool_removal", tool={})), "tool_removal"),
    "a picture for the system": (("s", IMAGE), "image"),
    "a document for the system": (("s", PDF), "document"),
}


@pytest.mark.parametrize("name", LOST)
def test_what_openai_cannot_express_is_named(name):
    turn, expected = LOST[name]
    assert dropped(("u", text("hi")), turn) == (f"messages.{expected}",)


def test_what_says_nothing_is_not_named():
    nothing = raw({"enabled": False})
    document = DocumentBlock(source=TextSource(text="x"), citations=nothing)
    caller = structs.replace(use(), raw=raw({"type": "tool_use", "caller": {"type": "direct"}}))
    assert dropped(("u", document), ("a", TextBlock(text="x", citations=raw([])), caller)) == ()


def test_what_a_system_prompt_cannot_hold_is_named():
    assert dropped(("u", text("hi")), system=(text("x"), opaque(type="tool_addition", tool={}))) == (
        "system.tool_addition",
    )
    assert messages(("u", text("hi")), system=(opaque(type="mid_conv_system", content="Be brief."),))[0] == {
        "role": "system",
        "content": "Be brief.",
    }
