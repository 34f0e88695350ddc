import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lockgate.core.body import peek
from lockgate.core.json_edit import Edit, read_members
from lockgate.core.notes import Notes
from lockgate.dialects.anthropic_messages.identifiers import ToolIds
from lockgate.dialects.anthropic_messages.native_body import adjust
from lockgate.dialects.anthropic_messages.native_history import RENAMED, UNSIGNED, needs_repair, repair

SIGNED = {"type": "thinking", "thinking": "", "signature": "EqQB"}
UNSIGNED_BLOCK = {"type": "thinking", "thinking": "hm"}
TEXT = {"type": "text", "text": "a\u00e9 1.0"}


def use(call_id, **keys):
    return {"type": "tool_use", "id": call_id, "name": "t", "input": {"id": "a.b", **keys}}


def result(call_id):
    return {"type": "tool_result", "tool_use_id": call_id, "content": "x"}


def said(*blocks):
    return {"role": "assistant", "content": list(blocks)}


def asked(*blocks):
    return {"role": "user", "content": list(blocks)}


def repaired(messages):
    body = messages if isinstance(messages, bytes) else b'{"messages":' + json.dumps(messages).encode() + b"}"
    member = read_members(body)[0]
    edit, notes = Edit(body), Notes()
    repair(edit, body, member, notes)
    out = edit.apply()
    is_needed = needs_repair(Raw(body[member.value : member.end]))
    return out, notes.adjusted, is_needed


@pytest.mark.parametrize(
    "signature",
    [{}, {"signature": None}, {"signature": ""}, {"signature": "gw1.openai.AAAA"}],
    ids=["missing", "null", "empty", "ours"],
)
def test_unsigned_thinking_is_left_out(signature):
    block = UNSIGNED_BLOCK | signature
    out, names, is_needed = repaired([said(block, TEXT, block), asked(TEXT)])
    assert json.loads(out)["messages"] == [said(TEXT), asked(TEXT)]
    assert names == (f"messages.content.thinking: {UNSIGNED}",)
    assert is_needed


def test_a_message_that_is_left_empty_goes_and_one_that_was_empty_stays():
    out, _, _ = repaired([asked(TEXT), said(UNSIGNED_BLOCK), said(), said(UNSIGNED_BLOCK, UNSIGNED_BLOCK)])
    assert json.loads(out)["messages"] == [asked(TEXT), said()]


@pytest.mark.parametrize(
    "message",
    [
        said(SIGNED, TEXT),
        said(SIGNED | {"signature": "gw1"}),
        said({"type": "redacted_thinking", "data": ""}),
        said({"type": "thinking", "thinking": "x", "signature": 3}),
        asked(UNSIGNED_BLOCK),
        said(TEXT | {"text": json.dumps(UNSIGNED_BLOCK)}),
        said(use("toolu_1-A_z")),
        said(use(3)),
        said(use(None)),
        said({"type": "tool_use", "name": "t"}),
        said({"type": "server_tool_use", "id": "srv.1", "name": "web_search", "input": {}}),
        asked(result("a.b")),
        {"role": "assistant", "content": "thinking"},
        {"role": "assistant"},
        {"content": [UNSIGNED_BLOCK]},
    ],
)
def test_what_needs_no_repair_stays(message):
    body = b'{"messages":' + json.dumps([asked(TEXT), message]).encode() + b"}"
    assert repaired(body) == (body, (), False)


@pytest.mark.parametrize(
    "messages", ["3", '"text"', "[3]", '[{"role":3}]', '[{"role":"assistant","content":[3]}]', "null"]
)
def test_what_is_no_conversation_is_left_to_the_provider(messages):
    assert not needs_repair(Raw(messages.encode()))
    assert not needs_repair(Raw(b""))


def test_an_id_is_rewritten_on_both_sides_and_nowhere_else():
    body = (
        b'{"messages":[{"role":"user","content":"a.b"},\n'
        b'{"role":"assistant","content":[{"id" : "a.b" ,"type":"tool_use","input":{"id":"a.b","n":1.0}},'
        b'{"type":"tool_use","id":"ok-1","input":{}}]},'
        b'{"role":"user","content":[ {"tool_use_id":"ok-1","type":"tool_result"},'
        b'{"type":"tool_result","tool_use_id":"a.b","content":[{"type":"text","text":"a.b \\u00e9"}]}]}]}'
    )
    out, names, is_needed = repaired(body)
    expected = body.replace(b'{"id" : "a.b"', b'{"id" : "a_b"').replace(b'"tool_use_id":"a.b"', b'"tool_use_id":"a_b"')
    assert out == expected
    assert names == (f"messages.content.id: {RENAMED}",)
    assert is_needed


def test_rewritten_ids_stay_apart_from_each_other_and_from_the_clients_own():
    out, _, _ = repaired([said(use("a.b"), use("a:b"), use("a_b")), asked(result("a_b"), result("a:b"), result("a.b"))])
    calls, results = json.loads(out)["messages"]
    assert [block["id"] for block in calls["content"]] == ["a_b", "a_b_2", "a_b_3"]
    assert [block["tool_use_id"] for block in results["content"]] == ["a_b_3", "a_b_2", "a_b"]


def test_an_id_that_comes_again_in_a_later_turn_pairs_with_its_own_results():
    out, _, _ = repaired([said(use("c.1")), asked(result("c.1")), said(use("c.1")), asked(result("c.1"))])
    found = [block.get("id") or block.get("tool_use_id") for m in json.loads(out)["messages"] for block in m["content"]]
    assert found == ["c_1", "c_1", "c_1_2", "c_1_2"]


def test_ids_are_those_of_the_translator():
    ids = ToolIds()
    originals = ["call.1", "call/1", "", "call.1"]
    expected = [ids.place(original, turn) for turn, original in enumerate(originals)]
    messages = [message for original in originals for message in (said(use(original)), asked(result(original)))]
    found = json.loads(repaired(messages)[0])["messages"]
    assert [found[at]["content"][0]["id"] for at in (0, 2, 4, 6)] == expected
    assert [found[at]["content"][0]["tool_use_id"] for at in (1, 3, 5, 7)] == expected


BLOCKS = st.sampled_from(
    [SIGNED, UNSIGNED_BLOCK, TEXT, use("a.b"), use("a_b"), use("ok"), use("\u00e9"), result("a.b"), result("a_b")]
)
MESSAGES = st.lists(
    st.builds(
        lambda role, blocks: {"role": role, "content": blocks},
        st.sampled_from(["user", "assistant"]),
        st.lists(BLOCKS, max_size=4) | st.text(max_size=3),
    ),
    max_size=6,
)


@given(MESSAGES, MESSAGES)
def test_a_longer_conversation_begins_with_the_same_bytes(messages, later):
    body = b'{"messages":' + json.dumps(messages).encode()
    longer = b'{"messages":' + json.dumps(messages + later).encode()
    if not messages or not needs_repair(Raw(body[12:])):
        return
    short_out, _, _ = repaired(body + b"}")
    long_out, _, _ = repaired(longer + b"}")
    kept = len(json.loads(short_out)["messages"])
    assert json.loads(long_out)["messages"][:kept] == json.loads(short_out)["messages"]


@given(MESSAGES)
def test_a_repaired_conversation_needs_no_repair(messages):
    out, _, _ = repaired(messages)
    assert not needs_repair(Raw(out[12:-1]))
    assert all(not isinstance(m["content"], list) or m["content"] or m in messages for m in json.loads(out)["messages"])


def test_half_a_character_does_not_keep_a_conversation_from_being_repaired():
    text = rb'{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"\ud83d"},%b]}]}'
    kept = rb'{"type":"text","text":"\udc00"}'
    body = text % kept
    changed, _ = adjust(body, peek(body), ())
    assert changed == rb'{"model":"m","messages":[{"role":"assistant","content":[%b]}]}' % kept
