import pytest

from lockgate.simulator.app import Simulator
from tests.unit.simulator.driver import PDF, PNG, ask, user

MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TOOL = {"name": "t", "input_schema": {"type": "object"}}


def text(words, **more):
    return {"type": "text", "text": words, **more}


def count(**body):
    return ask(path="/v1/messages/count_tokens", max_tokens=None, **body).json["input_tokens"]


@pytest.mark.parametrize(
    "body, tokens",
    [
        ({"messages": user("abcdefgh")}, 6),
        ({"messages": user([text("abcd"), text("abcd")])}, 6),
        ({"messages": user("abcd"), "system": "abcd"}, 6),
        ({"messages": user("abcd"), "system": [text("abcd"), text("abcd")]}, 7),
        ({"messages": user([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}])},
         1604),
        ({"messages": user([{"type": "document", "source": {"type": "text", "media_type": "text/plain",
                                                             "data": "abcdefgh"}}])}, 6),
        ({"messages": user([{"type": "document", "source": {"type": "content", "content": "abcd"}}])}, 5),
        ({"messages": user([{"type": "document", "source": {"type": "content", "content": [text("abcd")]}}])}, 5),
        ({"messages": user([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf",
                                                             "data": PDF}}])}, 2004),
        ({"messages": user("abcd"), "tools": [TOOL]}, 5 + 346 + 12),
    ],
)  # fmt: skip
def test_tokens_are_counted_block_by_block(body, tokens):
    assert count(**body) == tokens


def test_counting_agrees_with_the_usage_of_the_answer():
    body = {"messages": user("weather in Bern?"), "tools": [TOOL], "system": "Be brief."}
    assert count(**body) == ask(**body).json["usage"]["input_tokens"]


@pytest.mark.parametrize(
    "passing, failing, message",
    [
        (
            {"system": [text("a", **MARK)] * 4},
            {"system": [text("a", **MARK)] * 5},
            "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        ),
        (
            {"system": [text("a", **MARK)] * 3, **MARK},
            {"system": [text("a", **MARK)] * 4, **MARK},
            "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        ),
        (
            {"tools": [{**TOOL, **HOUR}], "system": [text("a", **MARK)]},
            {"tools": [{**TOOL, **MARK}], "system": [text("a", **HOUR)]},
            "system.0.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m'",
        ),
        ({"system": [text("a", **HOUR)]}, {"system": [text("a", cache_control={"type": "ephemeral", "ttl": "9m"})]},
         "system.0.cache_control.ephemeral.ttl: Input should be '5m' or '1h'"),
        ({"system": [text("a", cache_control=None)]}, {"system": [text("a", cache_control={"type": "forever"})]},
         "system.0.cache_control.type: Input should be 'ephemeral'"),
        ({"system": ""}, {"system": [text(" ")]}, "system: text content blocks must be non-empty"),
    ],
)  # fmt: skip
def test_each_rule_of_breakpoints_passes_one_request_and_refuses_another(passing, failing, message):
    accepted = ask(**passing)
    assert accepted.status == 200, accepted.body
    refused = ask(**failing)
    assert (refused.status, refused.message.startswith(message)) == (400, True), refused.message


def usage(simulator, **body):
    found = ask(simulator, **body).json["usage"]
    parts = found["cache_creation"]
    return (
        found["input_tokens"],
        found["cache_read_input_tokens"],
        found["cache_creation_input_tokens"],
        (parts["ephemeral_5m_input_tokens"], parts["ephemeral_1h_input_tokens"]),
    )


def test_a_prefix_is_written_once_and_read_afterwards():
    simulator = Simulator()
    body = {"system": [text("a" * 400, **MARK)], "messages": user("abcd")}
    assert usage(simulator, **body) == (5, 0, 100, (100, 0))
    assert usage(simulator, **body) == (5, 100, 0, (0, 0))
    assert usage(simulator, **{**body, "messages": user("abcdefgh")}) == (6, 100, 0, (0, 0))
    simulator.reset()
    assert usage(simulator, **body) == (5, 0, 100, (100, 0))


def test_both_lifetimes_are_told_apart():
    body = {"system": [text("a" * 400, **HOUR), text("b" * 40, **MARK)], "messages": user("abcd")}
    assert usage(Simulator(), **body) == (5, 0, 110, (10, 100))


def test_a_breakpoint_that_moves_on_reads_what_an_older_one_wrote():
    simulator = Simulator()
    first = user([text("a" * 400, **MARK)])
    assert usage(simulator, messages=first)[2] == 104
    second = [*user("a" * 400), {"role": "assistant", "content": "b" * 40}, *user([text("c" * 40, **MARK)])]
    assert usage(simulator, messages=second) == (0, 104, 28, (28, 0))


def test_the_mark_at_the_top_is_one_on_the_last_block():
    simulator = Simulator()
    assert usage(simulator, messages=user("a" * 400), **MARK) == (0, 0, 104, (104, 0))
    assert usage(simulator, messages=user("a" * 400), **MARK) == (0, 104, 0, (0, 0))


def test_another_model_has_another_cache():
    simulator = Simulator()
    body = {"messages": user("a" * 400), **MARK}
    usage(simulator, **body)
    assert usage(simulator, **body, model="claude-sonnet-4-6")[1] == 0


def test_a_prompt_may_be_too_long():
    refused = ask(messages=user("abcd" * 200_001))
    assert refused.message == "prompt is too long: 200005 tokens > 200000 maximum"


def test_a_full_cache_starts_anew(monkeypatch):
    monkeypatch.setattr("lockgate.simulator.anthropic.prompt.MOST_ENTRIES", 1)
    simulator = Simulator()
    for letter in "abc":
        usage(simulator, messages=user(letter * 400), **MARK)
    assert usage(simulator, messages=user("a" * 400), **MARK)[1] == 0
