"""Documents that are only named by URL: found wherever they stand, and replaced without touching anything else."""

from msgspec import Raw

from lockgate.core.chat import (
    Base64Source,
    Call,
    DocumentBlock,
    ImageBlock,
    Message,
    TextBlock,
    TextSource,
    ToolResultBlock,
    UrlSource,
)
from lockgate.core.documents import documents_at_urls, may_have_urls, with_sources

A, B = "https://e.org/a.pdf", "https://e.org/b.pdf"
TEXT = TextBlock(text="Hi")
IMAGE = ImageBlock(source=UrlSource(url=A))
INLINE = DocumentBlock(source=TextSource(text="x"))


def at(url, **more):
    return DocumentBlock(source=UrlSource(url=url), **more)


def call_of(*contents):
    return Call(model="m", messages=tuple(Message(role="user", content=content) for content in contents))


def test_documents_are_found_in_messages_and_in_results_of_tools():
    result = ToolResultBlock(tool_use_id="t", content=(TEXT, at(B)))
    call = call_of((TEXT, at(A)), (ToolResultBlock(tool_use_id="u", content="x"), result), (IMAGE, INLINE))
    assert documents_at_urls(call) == {
        "messages[0].content[1]": A,
        "messages[1].content[1].content[1]": B,
    }


def test_sources_take_the_place_of_urls_and_nothing_else_changes():
    source = Base64Source(media_type="application/pdf", data="eA==")
    result = ToolResultBlock(tool_use_id="t", content=(TEXT, at(A)), raw=Raw(b"{}"))
    other = ToolResultBlock(tool_use_id="u", content=(TEXT,), raw=Raw(b"{}"))
    call = call_of((TEXT, at(A, title="T", raw=Raw(b"{}"))), (result, other, IMAGE, INLINE, at(B)))
    assert with_sources(call, {A: source}) == call_of(
        (TEXT, DocumentBlock(source=source, title="T")),
        (
            ToolResultBlock(tool_use_id="t", content=(TEXT, DocumentBlock(source=source))),
            other,
            IMAGE,
            INLINE,
            at(B),
        ),
    )


def test_a_body_without_both_words_is_not_looked_through():
    assert may_have_urls(b'{"type":"document","source":{"type":"url"}}')
    assert not may_have_urls(b'{"type":"image","source":{"type":"url"}}')
    assert not may_have_urls(b'{"type":"document"}')
