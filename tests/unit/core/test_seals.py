import json

import pytest

from lockgate.core.chat import Call, Message, RedactedThinkingBlock, TextBlock, ThinkingBlock
from lockgate.core.chunk import BlockStart, SignatureDelta, TextDelta
from lockgate.core.seals import seals_in, seals_in_json, seals_of, without_foreign

MINE = ThinkingBlock(text="hm", signature="mine")
THEIRS = ThinkingBlock(text="", signature="theirs")
HIDDEN = RedactedThinkingBlock(data="theirs")
UNSIGNED = ThinkingBlock(text="hm")
TEXT = TextBlock(text="Hello")


def is_foreign(seal):
    return seal == "theirs"


def test_seals_are_signatures_and_encrypted_data():
    assert seals_of((MINE, TEXT, HIDDEN, UNSIGNED)) == ["mine", "theirs"]
    chunks = [
        BlockStart(0, ThinkingBlock(text="")),
        SignatureDelta(0, "mine"),
        BlockStart(1, HIDDEN),
        TextDelta(2, "x"),
    ]
    assert seals_in(chunks) == ["mine", "theirs"]


@pytest.mark.parametrize(
    "said, kept",
    [
        ([[MINE, TEXT], [THEIRS, TEXT]], [[MINE, TEXT], [TEXT]]),
        ([[HIDDEN, TEXT]], [[TEXT]]),
        ([[TEXT], [THEIRS], [TEXT]], [[TEXT], [TEXT]]),
        ([[UNSIGNED, TEXT]], [[UNSIGNED, TEXT]]),
    ],
)
def test_reasoning_of_others_is_left_out_and_nothing_else(said, kept):
    call = Call(model="m", messages=tuple(Message(role="assistant", content=tuple(blocks)) for blocks in said))
    found = without_foreign(call, is_foreign)
    assert [list(message.content) for message in found.messages] == kept
    assert (found is call) == (said == kept)


@pytest.mark.parametrize(
    ("value", "seals"),
    [
        ({"delta": {"type": "signature_delta", "signature": "s"}}, ["s"]),
        ({"content_block": {"type": "redacted_thinking", "data": "d"}}, ["d"]),
        ({"content": [{"type": "thinking", "signature": "s"}, {"type": "redacted_thinking", "data": "d"}]}, ["s", "d"]),
        (
            {"choices": [{"delta": {"content_blocks": [{"delta": {"data": "d"}}, {"delta": {"signature": "s"}}]}}]},
            ["d", "s"],
        ),
        ({"content_block": {"type": "thinking", "thinking": "", "signature": ""}}, []),
        ({"content": [{"type": "image", "data": "AAAA"}, {"signature": 7}]}, []),
        ({"delta": {"type": "text_delta", "text": '"signature"'}}, []),
        ([], []),
    ],
)
def test_seals_are_found_in_what_a_provider_writes(value, seals):
    assert seals_in_json(json.dumps(value).encode()) == seals


@pytest.mark.parametrize("text", [b'{"signature":', b'"signature"' + b"[" * 5000, b'{"data":"\xff"}'])
def test_what_cannot_be_read_has_no_seals(text):
    assert seals_in_json(text) == []
