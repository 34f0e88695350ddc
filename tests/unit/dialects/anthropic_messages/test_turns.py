"""Turns alternate, results stand behind their calls, nothing empty goes out, prefixes stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chat import (
    Base64Source,
    DocumentBlock,
    FileSource,
    ImageBlock,
    OpaqueBlock,
    RedactedThinkingBlock,
    TextSource,
    ThinkingBlock,
    UrlSource,
)
from lockgate.errors import Unsupported
from tests.unit.dialects.anthropic_messages.calls import (
    EPHEMERAL,
    call,
    raw,
    result,
    say,
    sent,
    text,
    think,
    use,
    write,
)

MARK = {"type": "ephemeral", "ttl": "1h"}


def turns(*messages, **fields):
    return [(turn["role"], turn["content"]) for turn in sent(call(*messages, **fields))["messages"]]


def words(content):
    return [block.get("text") or block.get("tool_use_id") or block.get("id") for block in content]


def shape(*messages):
    return [(role, words(content)) for role, content in turns(*messages)]


def test_turns_of_one_role_are_merged():
    messages = (say("user", "a"), say("user", "b"), say("assistant", "c"), say("assistant", use()))
    assert shape(*messages) == [("user", ["a", "b"]), ("assistant", ["c", "toolu_1"])]


def test_all_results_of_a_parallel_call_stand_first_in_the_order_of_the_calls():
    assert shape(
        say("user", "a"),
        say("assistant", use("x"), use("y"), use("z")),
        say("user", result("z")),
        say("user", "and?"),
        say("user", result("x")),
        say("user", result("y")),
    ) == [("user", ["a"]), ("assistant", ["x", "y", "z"]), ("user", ["x", "y", "z", "and?"])]


def test_a_late_result_moves_behind_its_call():
    assert shape(
        say("assistant", use("x")),
        say("user", "wait"),
        say("assistant", "ok"),
        say("user", result("x")),
        say("user", "go"),
    ) == [("assistant", ["x"]), ("user", ["x", "wait"]), ("assistant", ["ok"]), ("user", ["go"])]


def test_a_turn_that_held_only_a_moved_result_is_gone():
    assert shape(
        say("assistant", use("x")),
        say("user", "wait"),
        say("assistant", "ok"),
        say("user", result("x")),
        say("assistant", "b"),
    ) == [("assistant", ["x"]), ("user", ["x", "wait"]), ("assistant", ["ok", "b"])]


def test_an_orphan_result_is_passed():
    assert shape(say("user", "a", result("nobody"))) == [("user", ["nobody", "a"])]


def test_a_missing_result_is_not_made_up():
    assert shape(say("assistant", use("x")), say("user", "b")) == [("assistant", ["x"]), ("user", ["b"])]


def test_system_messages_are_hoisted_in_order_with_their_marks():
    body = sent(
        call(
            say("user", "a"),
            say("system", text("two", cache=EPHEMERAL)),
            say("user", "b"),
            say("system"),
            system=(text("one"),),
        )
    )
    assert body["system"] == [{"type": "text", "text": "one"}, {"type": "text", "text": "two", "cache_control": MARK}]
    assert [words(turn["content"]) for turn in body["messages"]] == [["a", "b"]]


def test_a_hoisted_message_is_named():
    assert write(call(say("user", "a"), say("system", "b"))).adjusted == (
        "messages.system: moved into the system prompt",
    )


def test_no_system_key_without_system_text():
    assert "system" not in sent(call(say("user", "a"), system=(text(" "),)))


def test_a_block_that_is_not_text_is_refused_in_a_system_prompt():
    block = OpaqueBlock(type="tool_addition", raw=raw({"type": "tool_addition"}))
    with pytest.raises(Unsupported) as caught:
        sent(call(say("user", "a"), say("system", "b", block)))
    assert caught.value.path == "messages[1].content[1]"


def test_a_system_prompt_alone_becomes_the_user_turn():
    body = sent(call(say("user", ""), system=(text("one"), text("two"))))
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "two"}]}]
    assert body["system"] == [{"type": "text", "text": "one"}]


@pytest.mark.parametrize("empty", ["", "   ", "\n\t"])
def test_empty_text_goes_nowhere(empty):
    assert shape(
        say("user", "a", empty), say("assistant", empty, use("x")), say("user", empty), say("user", result("x"))
    )[1:] == [("assistant", ["x"]), ("user", ["x"])]


def test_a_mark_on_empty_text_moves_to_the_block_before_it():
    ((_, content),) = turns(say("user", "a", text(" ", cache=EPHEMERAL)))
    assert content == [{"type": "text", "text": "a", "cache_control": MARK}]


def test_a_mark_on_empty_text_skips_thinking():
    (_, (_, content)) = turns(say("user", "q"), say("assistant", "a", think(), text("", cache=EPHEMERAL)))
    assert content[0]["cache_control"] == MARK
    assert "cache_control" not in content[1]


def test_a_mark_on_empty_text_behind_a_result_goes_to_the_result():
    messages = (say("assistant", use("x")), say("user", result("x"), text("", cache=EPHEMERAL)))
    assert turns(*messages)[1][1][0]["cache_control"] == MARK


def test_a_mark_on_empty_text_moves_to_an_opaque_block():
    block = OpaqueBlock(type="container_upload", raw=raw({"type": "container_upload", "file_id": "f"}))
    ((_, content),) = turns(say("user", block, text("", cache=EPHEMERAL)))
    assert content == [{"type": "container_upload", "file_id": "f", "cache_control": MARK}]


def test_a_mark_never_replaces_another():
    other = raw({"type": "ephemeral"})
    ((_, content),) = turns(say("user", text("a", cache=other), text("", cache=EPHEMERAL)))
    assert content[0]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    "content, expected",
    [
        ("done", "done"),
        ("", None),
        ("  ", None),
        (None, None),
        ((), None),
        ((text(" "),), None),
        ((text("a"), text("b")), [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
    ],
)
def test_a_result_without_content_keeps_its_id(content, expected):
    (_, (_, blocks)) = turns(say("assistant", use("x")), say("user", result("x", content)))
    assert blocks == [{"type": "tool_result", "tool_use_id": "x", **({"content": expected} if expected else {})}]


def test_images_and_documents_stand_in_results():
    image = ImageBlock(source=UrlSource(url="https://e.example/a.png"))
    document = DocumentBlock(source=TextSource(text="t"))
    (_, (_, blocks)) = turns(say("assistant", use("x")), say("user", result("x", (image, document), is_error=True)))
    assert blocks[0]["is_error"] is True
    assert [inner["type"] for inner in blocks[0]["content"]] == ["image", "document"]


def test_unsigned_thinking_is_left_out_and_signed_thinking_stays():
    unsigned = [think("a", None), think("b", ""), think("c", "gw1.openai.eHl6")]
    kept = [think("", "EuYB"), RedactedThinkingBlock(data="ZZ")]
    written = write(call(say("user", "q"), say("assistant", *unsigned, *kept, "t"), say("user", "r")))
    assert written.adjusted == ("messages.content.thinking: left out, it has no signature of Anthropic's",)
    (_, (_, content), _) = turns(say("user", "q"), say("assistant", *unsigned, *kept, "t"), say("user", "r"))
    assert content == [
        {"type": "thinking", "thinking": "", "signature": "EuYB"},
        {"type": "redacted_thinking", "data": "ZZ"},
        {"type": "text", "text": "t"},
    ]


def test_a_turn_of_unsigned_thinking_alone_vanishes():
    assert shape(say("user", "a"), say("assistant", think("a", None)), say("user", "b")) == [("user", ["a", "b"])]


def test_the_order_of_interleaved_thinking_is_kept():
    (_, (_, content)) = turns(say("user", "q"), say("assistant", think(), use("a"), "t", use("b")))
    assert [block["type"] for block in content] == ["thinking", "tool_use", "text", "tool_use"]


def test_citations_stay_on_assistant_text_and_go_from_user_text():
    cited = raw([{"type": "char_location"}])
    messages = (say("user", text("a", citations=cited)), say("assistant", text("b", citations=cited)), say("user", "c"))
    (_, user), (_, assistant), _ = turns(*messages)
    assert "citations" not in user[0]
    assert assistant[0]["citations"] == [{"type": "char_location"}]
    assert write(call(*messages)).dropped == ("messages.content.citations",)


def test_citations_go_from_the_text_of_search_results_and_their_switch_stays():
    block = {
        "type": "search_result",
        "source": "s",
        "title": "t",
        "content": [{"type": "text", "text": "x", "citations": [{"type": "char_location"}]}],
        "citations": {"enabled": True},
    }
    ((_, content),) = turns(say("user", OpaqueBlock(type="search_result", raw=raw(block))))
    assert content == [{**block, "content": [{"type": "text", "text": "x"}]}]


def test_a_document_of_the_assistants_moves_to_the_next_user_turn():
    document = DocumentBlock(source=FileSource(file_id="f"))
    messages = (say("user", "a"), say("assistant", "b", document), say("user", "c"))
    assert [[block["type"] for block in content] for _, content in turns(*messages)] == [
        ["text"],
        ["text"],
        ["document", "text"],
    ]


def test_a_document_of_the_last_turn_is_dropped_by_name():
    document = DocumentBlock(source=FileSource(file_id="f"))
    assert write(call(say("user", "a"), say("assistant", "b", document))).dropped == ("messages.content.document",)


def test_a_prefill_loses_trailing_space_only_at_the_end_of_the_call():
    assert shape(say("user", "a"), say("assistant", "b \n"))[1] == ("assistant", ["b"])
    assert shape(say("user", "a"), say("assistant", "b \n"), say("user", "c"))[1] == ("assistant", ["b \n"])


def test_a_toolset_is_named_on_the_call_and_on_its_result():
    block = use("x", "left_click")
    named = type(block)(
        id=block.id, name=block.name, input=block.input, raw=raw({"id": "other", "toolset_name": "computer"})
    )
    (_, calls), (_, results) = turns(say("assistant", named), say("user", result("x")))
    assert calls == [{"type": "tool_use", "id": "x", "name": "left_click", "input": {}, "toolset_name": "computer"}]
    assert results[0]["toolset_name"] == "computer"


def test_what_a_policy_changed_wins_over_the_bytes_it_came_in():
    block = text("safe", raw=raw({"type": "text", "text": "secret", "later_key": 1}))
    ((_, content),) = turns(say("user", block))
    assert content == [{"type": "text", "text": "safe", "later_key": 1}]


def test_opaque_blocks_keep_their_bytes():
    data = raw({"type": "compaction", "content": "s", "signature": "x"})
    body = write(call(say("assistant", OpaqueBlock(type="compaction", raw=data)), say("user", "go on"))).body
    assert bytes(data) in body


@pytest.mark.parametrize("kind", ["input_audio", "video_url", "image_url", "file"])
def test_parts_of_other_dialects_are_refused_with_their_path(kind):
    with pytest.raises(Unsupported) as caught:
        sent(call(say("user", "a", OpaqueBlock(type=kind, raw=raw({"type": kind})))))
    assert caught.value.path == "messages[0].content[1].type"


def test_a_tool_call_inside_a_result_is_refused():
    with pytest.raises(Unsupported) as caught:
        sent(call(say("assistant", use("x")), say("user", result("x", (use("y"),)))))
    assert caught.value.path == "messages[1].content[0].content[0]"


def test_media_types_are_normalised_at_the_last_moment():
    picture = ImageBlock(source=Base64Source(media_type="image/jpg", data="AA=="))
    pdf = ImageBlock(source=Base64Source(media_type="application/pdf", data="AA=="))
    ((_, content),) = turns(say("user", picture, pdf))
    assert content[0]["source"]["media_type"] == "image/jpeg"
    assert content[1]["type"] == "document"


BLOCKS = st.sampled_from(["a", "", " ", use("x"), use("y"), use("x.1"), think(), think("u", None)])
USER_BLOCKS = st.sampled_from(["q", "", result("x"), result("y"), result("x.1"), result("z")])
MESSAGES = st.one_of(
    st.lists(BLOCKS, max_size=4).map(lambda blocks: say("assistant", *blocks)),
    st.lists(USER_BLOCKS, max_size=4).map(lambda blocks: say("user", *blocks)),
)


@given(st.lists(MESSAGES, max_size=8))
def test_turns_always_alternate_and_are_never_empty(messages):
    found = turns(*messages, say("user", "end"))
    roles = [role for role, _ in found]
    assert all(first != second for first, second in zip(roles, roles[1:], strict=False))
    assert all(content for _, content in found)


@given(st.lists(MESSAGES, max_size=8))
def test_ids_of_calls_are_unique_and_legal(messages):
    found = turns(*messages, say("user", "end"))
    ids = [block["id"] for _, content in found for block in content if block["type"] == "tool_use"]
    assert len(ids) == len(set(ids))
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in ids)


@given(st.lists(st.tuples(st.sampled_from(["x", "y", "z.1"]), st.booleans()), max_size=5))
def test_the_prefix_stays_when_the_conversation_grows(steps):
    messages = [say("user", "begin")]
    earlier = []
    for call_id, has_words in steps:
        messages += [say("assistant", think(), use(call_id)), say("user", result(call_id), *(["w"] * has_words))]
        found = sent(call(*messages))["messages"]
        assert found[: len(earlier)] == earlier
        earlier = found


def test_thinking_block_without_signature_is_no_error_in_the_user_turn():
    assert shape(say("user", ThinkingBlock(text="x"), "a")) == [("user", ["a"])]


def missing(call_id):
    return {"type": "tool_result", "tool_use_id": call_id, "content": "(no result)", "is_error": True}


def repaired(*messages):
    """Return the turns and what is told of them, repaired."""
    said = call(*messages)
    body, told = sent(said, repairs_tool_history=True), write(said, repairs_tool_history=True).adjusted
    return [(turn["role"], turn["content"]) for turn in body["messages"]], told


def test_a_result_that_is_missing_is_put_in_at_its_place():
    messages = (say("user", "a"), say("assistant", use("x"), use("y"), use("z")), say("user", result("z"), "go on"))
    content, told = repaired(*messages)
    assert [block.get("tool_use_id", "text") for block in content[2][1]] == ["x", "y", "z", "text"]
    assert content[2][1][:2] == [missing("x"), missing("y")]
    assert told == (
        "messages.content.tool_result: x had none, an error put in",
        "messages.content.tool_result: y had none, an error put in",
    )
    assert [block.get("tool_use_id", "text") for block in turns(*messages)[2][1]] == ["z", "text"]
    assert write(call(*messages)).adjusted == ()


def test_a_call_at_the_end_gets_a_turn_for_its_result():
    content, _ = repaired(say("user", "a"), say("assistant", use("x")))
    assert content[2:] == [("user", [missing("x")])]


def test_calls_of_one_id_each_get_their_result():
    content, told = repaired(
        say("assistant", use("x")), say("user", "and?"), say("assistant", use("x")), say("user", result("x"))
    )
    assert content[1][1][0] == missing("x")
    assert [block["tool_use_id"] for block in content[3][1]] == ["x_2"]
    assert told == ("messages.content.tool_result: x had none, an error put in",)


def test_a_result_without_a_call_is_left_out():
    messages = (say("user", "a"), say("assistant", "b"), say("user", result("gone"), "c"))
    assert repaired(*messages) == (
        [
            (role, [{"type": "text", "text": words}])
            for role, words in (("user", "a"), ("assistant", "b"), ("user", "c"))
        ],
        ("messages.content.tool_result: gone left out, there is no such call",),
    )
    assert shape(*messages)[2] == ("user", ["gone", "c"])


def test_a_whole_history_is_not_touched():
    messages = (say("user", "a"), say("assistant", use("x")), say("user", result("x")))
    assert repaired(*messages) == (turns(*messages), ())


def placed(*messages, model="claude-opus-4-8"):
    """Return the system prompt and the turns where system messages may stay."""
    body = sent(call(*messages, system=(text("Be kind."),)), model, keeps_system_turns=True)
    return words(body["system"]), [(turn["role"], words(turn["content"])) for turn in body["messages"]]


def test_a_system_message_behind_a_users_turn_stays_where_that_is_wanted_and_taken():
    messages = (say("user", "a"), say("system", "s"), say("system", "", "t"), say("assistant", "b"), say("user", "c"))
    assert placed(*messages) == (
        ["Be kind."],
        [("user", ["a"]), ("system", ["s", "t"]), ("assistant", ["b"]), ("user", ["c"])],
    )
    hoisted = (["Be kind.", "s", "t"], [("user", ["a"]), ("assistant", ["b"]), ("user", ["c"])])
    assert placed(*messages, model="claude-opus-4-7") == hoisted
    assert write(call(*messages), "claude-opus-4-8", keeps_system_turns=True).adjusted == ()
    assert write(call(*messages), "claude-opus-4-8").adjusted == ("messages.system: moved into the system prompt",)


def test_a_system_message_that_may_not_stay_is_moved():
    messages = (say("user", "a"), say("assistant", use("x")), say("system", "s"), say("user", result("x")))
    assert placed(*messages) == (["Be kind.", "s"], [("user", ["a"]), ("assistant", ["x"]), ("user", ["x"])])
    assert placed(say("system", "s"), say("user", "a")) == (["Be kind.", "s"], [("user", ["a"])])


def test_an_empty_system_message_opens_no_turn_and_its_mark_is_kept_by_one():
    assert placed(say("user", "a"), say("system", " ")) == (["Be kind."], [("user", ["a"])])
    said = call(say("user", "a"), say("system", "s"), say("system", text("", cache=EPHEMERAL)))
    (_, system) = sent(said, "claude-opus-4-8", keeps_system_turns=True)["messages"]
    assert system == {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": MARK}]}


def test_only_text_may_stay_as_a_system_message():
    said = call(say("user", "a"), say("system", ImageBlock(source=UrlSource(url="https://x.example/a.png"))))
    with pytest.raises(Unsupported, match="text only"):
        write(said, "claude-opus-4-8", keeps_system_turns=True)
