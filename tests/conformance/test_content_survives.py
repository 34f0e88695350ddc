"""No string of a user's content is lost, changed, doubled or moved on its way to a provider, in either dialect."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.conversations import Conversation, as_chat, as_messages, conversations
from tests.conformance.stage import COMPLETION, MESSAGE, exchange

EXAMPLES = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEPARATOR = "\x1f"


def sent_strings(path: str, body: dict, *, is_ascii: bool) -> list[str]:
    """Send a body and return the strings of what the provider got, in their order."""
    answer = MESSAGE if "@anthropic" in body["model"] else COMPLETION
    request = json.dumps(body, ensure_ascii=is_ascii).encode()
    seen = exchange(path, request, json.dumps(answer).encode(), False, {})
    assert seen.status == 200, seen.body
    return list(strings_of(json.loads(seen.sent)))


def strings_of(value: object, key: str = ""):
    """Yield every string in a value; the arguments of a tool call are JSON again."""
    if isinstance(value, str):
        if key == "arguments":
            yield from strings_of(json.loads(value))
        else:
            yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from strings_of(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from strings_of(item)


def check_survival(groups: list[list[str]], sent: list[str]) -> None:
    """Each string is there once, and the groups come in their order."""
    whole = SEPARATOR.join(sent)
    places = []
    for group in groups:
        for text in group:
            assert whole.count(text) == 1, (text, whole)
        places.append(min(whole.index(text) for text in group))
    assert places == sorted(places), whole


def expected(talk: Conversation, *, hoists_system: bool, with_thinking: bool) -> list[list[str]]:
    """Return the strings of a conversation as the provider should see them."""
    turns = sorted(talk.turns, key=lambda turn: turn.role != "system") if hoists_system else talk.turns
    told = [group for turn in turns for group in turn.groups(with_thinking=with_thinking)]
    return [*told, *([text] for text in talk.tools)]


@EXAMPLES
@given(talk=conversations(), is_ascii=st.booleans())
def test_messages_to_claude(talk, is_ascii):
    sent = sent_strings("/v1/messages", as_messages(talk, "@anthropic/claude-sonnet-4-6"), is_ascii=is_ascii)
    check_survival(expected(talk, hoists_system=False, with_thinking=True), sent)


@EXAMPLES
@given(talk=conversations(), is_ascii=st.booleans())
def test_chat_to_claude(talk, is_ascii):
    sent = sent_strings("/v1/chat/completions", as_chat(talk, "@anthropic/claude-sonnet-4-6"), is_ascii=is_ascii)
    check_survival(expected(talk, hoists_system=True, with_thinking=True), sent)


@EXAMPLES
@given(talk=conversations(), is_ascii=st.booleans())
def test_messages_to_an_openai_format_provider(talk, is_ascii):
    sent = sent_strings("/v1/messages", as_messages(talk, "@openai/gpt-4.1"), is_ascii=is_ascii)
    check_survival(expected(talk, hoists_system=False, with_thinking=False), sent)


@EXAMPLES
@given(talk=conversations(), is_ascii=st.booleans())
def test_chat_to_an_openai_format_provider(talk, is_ascii):
    sent = sent_strings("/v1/chat/completions", as_chat(talk, "@openai/gpt-4.1"), is_ascii=is_ascii)
    check_survival(expected(talk, hoists_system=False, with_thinking=True), sent)


@pytest.mark.parametrize(
    "sent",
    [["b⟦2⟧", "a⟦1⟧"], ["a⟦1⟧"], ["a⟦1⟧", "b⟦2⟧", "b⟦2⟧"], ["a⟦1⟧", "b⟦2"]],
    ids=["moved", "lost", "doubled", "cut"],
)
def test_a_loss_is_seen(sent):
    check_survival([["a⟦1⟧"], ["b⟦2⟧"]], ["a⟦1⟧", "b⟦2⟧"])
    with pytest.raises(AssertionError):
        check_survival([["a⟦1⟧"], ["b⟦2⟧"]], sent)
