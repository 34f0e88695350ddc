import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.body import peek
from lockgate.core.upper_bound import ANY_MEDIA, CLAUDE_MEDIA, UNKNOWN_INPUT, upper_bound_tokens
from lockgate.simulator.anthropic.prompt import read_pieces
from lockgate.simulator.openai.asked import count_prompt

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(30_000)).decode()
PDF = base64.b64encode(b"%PDF-1.7" + bytes(90_000)).decode()
ENGLISH = "The quick brown fox jumps over the lazy dog. " * 50
CODE = "def f(x):\n\treturn {'a': [x, \"b\"]} if x else None  # \\u4f60\n" * 40
CJK = "機械学習モデルの価格表は毎日変わります。" * 40
EMOJI = "👩‍👩‍👧‍👦🏳️‍🌈" * 60


def bound(body, media=CLAUDE_MEDIA, **how):
    raw = json.dumps(body, **how).encode()
    return upper_bound_tokens(raw, peek(raw), media)


def texts_in(value):
    """Every text that a tokenizer may see."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return sum(texts_in(inner) for pair in value.items() for inner in pair)
    return sum(map(texts_in, value)) if isinstance(value, list) else 0


def said(*content):
    return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": list(content)}]}


def text(value):
    return {"type": "text", "text": value}


def image(**source):
    return {"type": "image", "source": source}


@pytest.mark.parametrize("words", [ENGLISH, CODE, CJK, EMOJI, PNG, "9" * 500, "\x00\x1f" * 99, "\\" * 99, '"' * 99, ""])
@pytest.mark.parametrize("how", [{}, {"ensure_ascii": False}, {"separators": (",", ":")}])
def test_a_token_for_each_byte_of_text_always_fits(words, how):
    for body in (said(text(words)), {"model": "m", "messages": [{"role": "user", "content": words}]}):
        assert bound(body, **how) >= texts_in(body["messages"])


@pytest.mark.parametrize("words", [ENGLISH, CODE, CJK, EMOJI])
def test_escapes_of_other_alphabets_do_not_count_twice(words):
    assert bound(said(text(words))) <= bound(said(text(words)), ensure_ascii=False) * 2.1 + 512
    assert bound(said(text(CJK))) <= bound(said(text(CJK)), ensure_ascii=False) + 64


JSON_TEXT = st.text(st.characters(codec="utf-8"), max_size=200)


@given(st.lists(JSON_TEXT, min_size=1, max_size=5), st.booleans())
def test_any_text_fits(words, is_ascii):
    body = said(*map(text, words))
    assert bound(body, ensure_ascii=is_ascii) >= texts_in(body["messages"])


TOOL = {
    "name": "look_up",
    "description": ENGLISH,
    "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}},
}
CONVERSATIONS = {
    "text": said(text(ENGLISH)),
    "code": said(text(CODE)),
    "cjk": said(text(CJK)),
    "image": said(image(type="base64", media_type="image/png", data=PNG), text("?")),
    "image by url": said(image(type="url", url="https://example.com/a.png")),
    "many images": said(*[image(type="url", url="https://example.com/a.png")] * 20),
    "pdf": said({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}),
    "text document": said(
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": ENGLISH}}
    ),
    "tools": {**said(text("hi")), "tools": [TOOL] * 5},
    "system": {**said(text("hi")), "system": ENGLISH},
    "tool result": {
        "model": "m",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look_up", "input": {"q": CJK}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [text(CODE), image(type="base64", media_type="image/png", data=PNG)],
                    }
                ],
            },
        ],
    },
    "tiny": said(text("a")),
    "many messages": {"model": "m", "messages": [{"role": "user", "content": "a"}] * 300},
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("media", [CLAUDE_MEDIA, ANY_MEDIA])
def test_the_simulated_claude_never_counts_more(name, media):
    body = CONVERSATIONS[name]
    counted = sum(piece.tokens for piece in read_pieces(body))
    assert bound(body, media) >= counted


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m", "messages": [{"role": "user", "content": ENGLISH}]},
        {"model": "m", "messages": [{"role": "user", "content": "a"}] * 300},
        {
            "model": "m",
            "messages": [{"role": "user", "content": "a"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": TOOL["input_schema"]}}] * 9,
        },
    ],
)
def test_the_simulated_openai_never_counts_more(body):
    assert bound(body, ANY_MEDIA) >= count_prompt(body)


def data_url(kind, data):
    return f"data:{kind};base64,{data}"


@pytest.mark.parametrize(
    "block, tokens",
    [
        (image(type="base64", media_type="image/png", data=PNG), CLAUDE_MEDIA.image),
        (image(type="url", url="https://example.com/a.png"), CLAUDE_MEDIA.image),
        (image(type="file", file_id="f"), CLAUDE_MEDIA.image),
        ({"type": "image_url", "image_url": {"url": data_url("image/png", PNG)}}, CLAUDE_MEDIA.image),
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, CLAUDE_MEDIA.image),
        ({"type": "input_audio", "input_audio": {"data": PNG, "format": "mp3"}}, len(PNG) // 32),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
            len(PDF) * 3 // 4,
        ),
        ({"type": "file", "file": {"file_data": data_url("application/pdf", PDF)}}, len(PDF) * 3 // 4),
        ({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}, UNKNOWN_INPUT),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, UNKNOWN_INPUT),
        ({"type": "file", "file": {"file_id": "f"}}, UNKNOWN_INPUT),
        ({"type": "container_upload", "file_id": "f"}, UNKNOWN_INPUT),
        ({"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}, UNKNOWN_INPUT),
        (
            {
                "type": "document",
                "source": {"type": "content", "content": [image(type="url", url="https://example.com/a.png")]},
            },
            CLAUDE_MEDIA.image,
        ),
        (
            {"type": "tool_result", "content": [image(type="base64", media_type="image/png", data=PNG)]},
            CLAUDE_MEDIA.image,
        ),
    ],
)
def test_media_count_by_what_they_are_and_not_by_their_bytes(block, tokens):
    assert tokens <= bound(said(block)) <= tokens + 7_000


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_use", "id": "t", "name": "n", "input": image(type="base64", media_type="image/png", data=PNG)},
        text(json.dumps(image(type="base64", media_type="image/png", data=PNG))),
        {"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": PNG}},
        {"type": "tool_result", "content": PNG},
        {"type": "new_kind", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    ],
)
def test_what_only_looks_like_media_counts_as_text(block):
    assert bound(said(block, text("?"))) >= len(PNG)


def test_media_in_a_schema_is_text():
    body = {**said(text("hi")), "tools": [{**TOOL, "input_schema": image(type="base64", data=PNG)}]}
    assert bound(body) >= len(PNG)


@pytest.mark.parametrize("name", ["thread", "mcp_servers", "container", "previous_response_id"])
def test_input_that_is_elsewhere_may_fill_the_window(name):
    assert bound({**said(text("hi")), name: ["x"]}) >= UNKNOWN_INPUT
    assert bound({**said(text("hi")), name: None}) < UNKNOWN_INPUT


@pytest.mark.parametrize("key", ["type", "\\u0074ype"])
@pytest.mark.parametrize("kind", ["image", "\\u0069mage"])
@pytest.mark.parametrize("colon", [":", " : ", "\n:\t"])
def test_no_spelling_hides_an_image(key, kind, colon):
    block = f'{{"{key}"{colon}"{kind}","source":{{"type":"url","url":"https://example.com/a.png"}}}}'
    raw = f'{{"model":"m","messages":[{{"role":"user","content":[{block}]}}]}}'.encode()
    assert upper_bound_tokens(raw, peek(raw), CLAUDE_MEDIA) >= CLAUDE_MEDIA.image


@pytest.mark.parametrize(
    "messages", ["3", '[{"content":[{"type":"image","source":3}]}]', '[{"content":[3,{"type":"image"}]}]', '"x"']
)
def test_a_structure_that_nobody_knows_may_fill_the_window(messages):
    raw = f'{{"messages":{messages},"x":[{{"type":"image"}}]}}'.encode()
    found = upper_bound_tokens(raw, peek(raw), CLAUDE_MEDIA)
    assert found >= (UNKNOWN_INPUT if "image" in messages else len(raw))


def test_tools_that_the_provider_knows_bring_their_own_instructions():
    native = {"type": "computer_20251124", "name": "computer", "display_width_px": 1, "display_height_px": 1}
    plain = {**said(text("hi")), "tools": [TOOL]}
    assert bound({**plain, "tools": [TOOL, native]}) - bound(plain) >= 1_500
