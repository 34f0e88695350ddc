"""What a call and its messages hold that nobody knows is named; what says nothing, or is carried, is not."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.dialects.anthropic_messages.leftovers import unknown_keys

CASES = {
    "nothing": ({"model": "m", "messages": [{"role": "user", "content": "x"}]}, ()),
    "call": ({"later": 1, "null": None, "messages": []}, ("later",)),
    "message": ({"messages": [{"role": "user"}, {"role": "user", "id": 1, "empty": ""}]}, ("messages[1].id",)),
    "both": ({"messages": [{"id": 1}, {"id": 1}], "later": 1}, ("later", "messages[0].id", "messages[1].id")),
    "block": ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "later": 1}]}]}, ()),
    "no list": ({"messages": 7}, ()),
}


@pytest.mark.parametrize("name", CASES)
def test_unknown_keys(name):
    body, paths = CASES[name]
    assert unknown_keys(msgspec.json.encode(body)) == paths
