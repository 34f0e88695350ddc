"""Rules of the messages, each with one conversation that passes and one that is refused."""

import copy

import pytest

from lockgate.simulator.anthropic.models import find_model
from lockgate.simulator.anthropic.turns import prefix_of, read_turns
from lockgate.simulator.app import Simulator
from tests.unit.simulator.driver import HAIKU, NEW_VERSION, ask, user

OPUS = "claude-opus-5-5"
SONNET_46 = "claude-sonnet-4-6"


def text(words="x", **more):
    return {"type": "text", "text": words, **more}


def use(name="toolu_1", **more):
    return {"type": "tool_use", "id": name, "name": "t", "input": {}, **more}


def result(name="toolu_1", **more):
    return {"type": "tool_result", "tool_use_id": name, "content": "ok", **more}


def talk(*turns):
    """Return messages of alternating roles, the user first."""
    return [{"role": ("user", "assistant")[index % 2], "content": turn} for index, turn in enumerate(turns)]


SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
CITATION = {"type": "char_location", "cited_text": "x", "document_index": 0, "document_title": None,
            "start_char_index": 0, "end_char_index": 1}  # fmt: skip
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}

CASES = [
    ("none", user("x"), [], "messages: at least one message is required"),
    ("first", user("x"), [{"role": "assistant", "content": "x"}], 'messages: first message must use the "user" role'),
    ("empty user", user("x"), user(""), "messages.0: user messages must have non-empty content"),
    ("empty list", user([text()]), user([]), "messages.0: user messages must have non-empty content"),
    ("empty assistant", talk("x", "y", "z"), talk("x", "", "z"), "messages.1: all messages must have non-empty content"),
    ("final assistant may be empty", talk("x", ""), talk("x", [], "x"), "messages.1: all messages must have non-empty"),
    ("empty text", user([text()]), user([text("")]), "messages: text content blocks must be non-empty"),
    ("blank", user("x"), user(" \n"), "messages: text content blocks must contain non-whitespace text"),
    ("blank in a list", user([text()]), user([text(), text(" ")]), "must contain non-whitespace text"),
    ("blank answer", talk("x", "y", "z"), talk("x", "  ", "z"), "must contain non-whitespace text"),
    ("blank in a result", talk("x", [use()], [result(content=[text()])]),
     talk("x", [use()], [result(content=[text("")])]), "text content blocks must be non-empty"),
    ("cached empty", user([text("x", cache_control={"type": "ephemeral"})]),
     user([text("", cache_control={"type": "ephemeral"})]), "cache_control cannot be set for empty text blocks"),
    ("ending blank", talk("x", "y"), talk("x", "y "), "final assistant content cannot end with trailing whitespace"),
    ("answered", talk("x", [use()], [result()]), talk("x", [use()], "y"),
     "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1."),
    ("answered at all", talk("x", [use()], [result()]), talk("x", [use()]), "`tool_use` ids were found without"),
    ("all answered", talk("x", [use(), use("b")], [result(), result("b")]), talk("x", [use(), use("b")], [result()]),
     "immediately after: b."),
    ("results first", talk("x", [use()], [result(), text()]), talk("x", [use()], [text(), result()]),
     "`tool_use` ids were found without `tool_result` blocks immediately after: toolu_1."),
    ("orphan", talk("x", [use()], [result()]), user([result()]),
     "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1."),
    ("late result", talk("x", [use()], [result()], "y", "z"), talk("x", [use()], [result()], "y", [result()]),
     "messages.4.content.0: unexpected `tool_use_id`"),
    ("result twice", talk("x", [use()], [result()]), talk("x", [use()], [result(), result()]),
     "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id: too"),
    ("id twice", talk("x", [use("a"), use("b")], [result("a"), result("b")]),
     talk("x", [use("a"), use("a")], [result("a")]), "messages.1.content.1: `tool_use` ids must be unique"),
    ("id twice later", talk("x", [use("a")], [result("a")], [use("b")], [result("b")]),
     talk("x", [use("a")], [result("a")], [use("a")], [result("a")]), "messages.3.content.0: `tool_use` ids must be"),
    ("id pattern", talk("x", [use("a-_Z9")], [result("a-_Z9")]), talk("x", [use("a.b")], [result("a.b")]),
     "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"),
    ("use by user", user("x"), user([use()]), "`tool_use` blocks can only be in `assistant` messages"),
    ("result by assistant", user("x"), talk("x", [result()], "z"), "`tool_result` blocks can only be in `user` mes"),
    ("thinking by user", user("x"), user([{"type": "thinking", "thinking": "x", "signature": "y"}]),
     "`thinking` blocks can only be in `assistant` messages"),
    ("search result", talk("x", [SEARCH, FOUND, text()], "y"), talk("x", [FOUND, text()], "y"),
     "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result` blocks: srvtoolu_1."),
    ("searched", talk("x", [SEARCH, FOUND, text()], "y"), talk("x", [SEARCH, text()], "y"),
     "`web_search` tool use with id `srvtoolu_1` was found without a corresponding result"),
    ("server id", talk("x", [SEARCH, FOUND], "y"), talk("x", [{**SEARCH, "id": "a"}, FOUND], "y"),
     "String should match pattern '^srvtoolu_[a-zA-Z0-9_]+$'"),
    ("unsigned", user("x"), talk("x", [{"type": "thinking", "thinking": "x"}], "y"),
     "messages.1.content.0.thinking.signature: Field required"),
    ("forged", user("x"), talk("x", [{"type": "thinking", "thinking": "x", "signature": "eA=="}], "y"),
     "messages.1.content.0: Invalid `signature` in `thinking` block"),
    ("not base64", user("x"), talk("x", [{"type": "thinking", "thinking": "x", "signature": "gw1.x"}], "y"),
     "messages.1.content.0: Invalid `signature` in `thinking` block"),
    ("forged data", user("x"), talk("x", [{"type": "redacted_thinking", "data": "eA=="}], "y"),
     "messages.1.content.0: Invalid `data` in `redacted_thinking` block"),
    ("cached thinking", user("x"),
     talk("x", [{"type": "thinking", "thinking": "", "signature": "", "cache_control": {"type": "ephemeral"}}], "y"),
     "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted"),
]  # fmt: skip


@pytest.mark.parametrize("passing, failing, message", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_rule_passes_one_conversation_and_refuses_another(passing, failing, message):
    accepted = ask(messages=passing)
    assert accepted.status == 200, accepted.body
    refused = ask(messages=failing)
    assert refused.status == 400
    assert message in refused.message


def test_neighbouring_messages_of_one_role_are_one_turn():
    messages = [*user("x"), *user([text("y")]), {"role": "assistant", "content": [use("a")]},
                {"role": "assistant", "content": [use("b")]}, *user([result("a")]), *user([result("b")])]  # fmt: skip
    assert [(turn.role, len(turn.blocks)) for turn in read_turns(messages)] == [
        ("user", 2),
        ("assistant", 2),
        ("user", 2),
    ]
    assert ask(messages=messages).status == 200


@pytest.mark.parametrize("model, status", [(HAIKU, 200), (SONNET_46, 400), (OPUS, 400)])
def test_newer_models_take_no_prefill(model, status):
    answer = ask(model=model, messages=talk("x", "The answer is"))
    assert answer.status == status
    if status == 400:
        assert answer.message.startswith("This model does not support assistant message prefill.")


def test_prefill_does_not_go_with_thinking_or_a_format():
    prefilled = talk("x", "{")
    budget = {"type": "enabled", "budget_tokens": 1024}
    assert "when thinking is enabled" in ask(messages=prefilled, max_tokens=2000, thinking=budget).message
    config = {"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}}
    assert "not supported with `output_config.format`" in ask(messages=prefilled, output_config=config).message


def test_a_paused_turn_is_no_prefill():
    assert ask(model=OPUS, messages=talk("x", [SEARCH])).status == 200


def test_system_messages_are_for_newer_models():
    messages = [*user("x"), {"role": "system", "content": "Be brief."}]
    assert ask(model=OPUS, messages=messages).status == 200
    assert ask(model="claude-opus-4-8", messages=messages).status == 200
    assert ask(model="claude-opus-4-7", messages=messages).message.startswith('messages: Unexpected role "system".')
    assert "must follow" in ask(model=OPUS, messages=messages[::-1]).message


def test_an_empty_system_message_must_set_something():
    beta = "mid-conversation-output-config-2026-07-01"
    empty = {"role": "system", "content": []}
    assert "or `output_config`" in ask(model=OPUS, messages=[*user("x"), empty], beta=beta).message
    setting = [*user("x"), {**empty, "output_config": {"effort": "low"}}]
    assert ask(model=OPUS, messages=setting, beta=beta).status == 200
    assert ask(model=OPUS, messages=setting).message == "messages.1.output_config: Extra inputs are not permitted"


@pytest.mark.parametrize(
    "messages",
    [
        talk("x", [DOCUMENT, text()], "z"),
        user([text("x", citations=[CITATION])]),
        user([{"type": "search_result", "source": "s", "title": "t", "content": [text("x", citations=[CITATION])]}]),
        talk("x", [use()], [result(content=[text("x", citations=[CITATION])])]),
    ],
    ids=["document of the assistant", "cited user text", "cited search result", "cited tool result"],
)
def test_what_the_new_version_no_longer_takes(messages):
    assert ask(messages=messages).status == 200
    assert ask(messages=messages, headers=NEW_VERSION).status == 400


def test_the_new_version_still_takes_citations_of_the_assistant_and_the_switch():
    messages = talk([{**DOCUMENT, "citations": {"enabled": True}}, text()], [text("x", citations=[CITATION])], "y")
    assert ask(messages=messages, headers=NEW_VERSION).status == 200


# --- thinking -----------------------------------------------------------------------------------------------------

TOOLS = [{"name": "get_weather", "input_schema": {"type": "object"}}]
ENABLED = {"type": "enabled", "budget_tokens": 1024}


def think(simulator, model=HAIKU, messages=None, **more):
    """Return an answer that thinks, as the next turn would bring it back."""
    more = {"max_tokens": 4000, "thinking": ENABLED if model == HAIKU else {"type": "adaptive"}, **more}
    answer = ask(simulator, model=model, messages=messages or user("weather?"), tools=TOOLS, **more)
    assert answer.status == 200, answer.body
    return answer.json["content"]


def follow(content):
    return [result(block["id"]) for block in content if block["type"] == "tool_use"]


def test_thinking_comes_back_as_it_was():
    simulator = Simulator()
    content = think(simulator)
    assert [block["type"] for block in content] == ["thinking", "text", "tool_use"]
    messages = talk("weather?", content, follow(content))
    assert ask(simulator, messages=messages, tools=TOOLS, max_tokens=4000, thinking=ENABLED).status == 200


@pytest.mark.parametrize("field", ["thinking", "signature"])
def test_changed_thinking_is_refused(field):
    content = think(None)
    content[0][field] = content[0][field][:-8] + "AAAAAAA="
    refused = ask(messages=talk("weather?", content, follow(content)), tools=TOOLS)
    assert refused.message == "messages.1.content.0: Invalid `signature` in `thinking` block"


def test_a_tool_loop_must_start_with_its_thinking():
    content = think(None)
    more = {"tools": TOOLS, "max_tokens": 4000}
    messages = talk("weather?", content[1:], follow(content))
    refused = ask(messages=messages, **more, thinking=ENABLED)
    assert "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`." in refused.message
    assert ask(messages=messages, **more).status == 200
    assert (
        ask(messages=[*messages, {"role": "assistant", "content": "y"}, *user("z")], **more, thinking=ENABLED).status
        == 200
    )


def test_a_redacted_block_comes_back_too():
    content = think(None, messages=user("weather? [[sim: redacted=1]]"))
    assert content[0]["type"] == "redacted_thinking"
    messages = talk("weather? [[sim: redacted=1]]", content, follow(content))
    assert ask(messages=messages, tools=TOOLS, max_tokens=4000, thinking=ENABLED).status == 200


def test_newer_models_bind_thinking_to_the_messages_before_it():
    content = think(None, OPUS)
    kept = talk("weather?", content, follow(content))
    changed = talk("weather? ", content, follow(content))
    assert ask(model=OPUS, messages=kept, tools=TOOLS).status == 200
    refused = ask(model=OPUS, messages=changed, tools=TOOLS)
    assert "created in a different conversation, or the messages before it have changed" in refused.message
    assert ask(model=SONNET_46, messages=changed, tools=TOOLS).status == 200


def test_thinking_of_another_model_does_not_belong():
    content = think(None, SONNET_46)
    messages = talk("weather?", content, follow(content))
    assert "different conversation" in ask(model=OPUS, messages=messages, tools=TOOLS).message


def test_thinking_that_does_not_belong_may_be_dropped():
    content = think(None, OPUS)
    thinking = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    messages = talk("changed", content, follow(content))
    beta = "thinking-binding-controls-2026-08-01"
    assert ask(model=OPUS, messages=messages, tools=TOOLS, thinking=thinking, beta=beta).status == 200


def test_the_prefix_is_the_same_however_it_is_written():
    model = find_model(HAIKU)
    plain = talk("a", [text("b", citations=None)], "c")
    marked = copy.deepcopy(plain)
    marked[0]["content"] = [text("a", cache_control={"type": "ephemeral"})]
    marked[1]["content"] = [text("b")]
    split = talk([text("a")], "b", "c")
    assert prefix_of(plain, model) == prefix_of(marked, model) == prefix_of(split, model)
    assert prefix_of(plain, model) != prefix_of(talk("a", "b"), model)
    assert prefix_of(plain, model) != prefix_of(plain, find_model(OPUS))


# --- other seals --------------------------------------------------------------------------------------------------

SEARCH_TOOLS = [{"type": "web_search_20250305", "name": "web_search"}]


def test_search_results_come_back_as_they_were():
    content = ask(messages=user("search the news"), tools=SEARCH_TOOLS).json["content"]
    assert ask(messages=talk("search the news", content, "y"), tools=SEARCH_TOOLS).status == 200
    changed = copy.deepcopy(content)
    changed[2]["content"][0]["encrypted_content"] = "AAAA"
    refused = ask(messages=talk("search the news", changed, "y"), tools=SEARCH_TOOLS)
    assert refused.message == "messages.1.content.2: Invalid `encrypted_content` in `search_result` block"
    changed = copy.deepcopy(content)
    changed[4]["citations"][0]["url"] = "https://example.com/other"
    refused = ask(messages=talk("search the news", changed, "y"), tools=SEARCH_TOOLS)
    assert refused.message == "messages.1.content.4: Invalid `encrypted_index` in `citation` block"


def test_a_compaction_block_opens_a_conversation():
    beta = "compact-2026-09-04"
    content = ask(model=OPUS, messages=talk("a", "b", "c"), compaction={"type": "summarize"}, beta=beta).json["content"]
    messages = [{"role": "assistant", "content": content}, *user("go on")]
    assert ask(model=OPUS, messages=messages, beta=beta).status == 200
    content[0]["content"] += "!"
    assert "Invalid `signature` in `compaction` block" in ask(model=OPUS, messages=messages, beta=beta).message
