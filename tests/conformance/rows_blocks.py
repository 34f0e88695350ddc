"""Rows of content blocks that requests hold, and of the messages and parts of chat completions."""

from __future__ import annotations

from tests.conformance.rows_fields import CHAT_ONLY, FUNCTION, TOOL
from tests.conformance.table import Expect, Row, carried, dropped, none, on, refused, translated

PIXEL = "iVBORw0KGgo="
PDF = "JVBERi0xLjQK"
MARK = {"type": "ephemeral", "ttl": "1h"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Zürich ☂", "n": 1.0}}
SEARCH = {
    "type": "search_result",
    "source": "https://a.example",
    "title": "A title",
    "content": [{"type": "text", "text": "found words"}],
    "citations": {"enabled": True},
}


def by_user(name: str, block: dict, adapter: Expect, *, chat: Expect | None = None, kind: str = "block") -> Row:
    """A block in a user's turn, behind some text."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "see"}, block]}]
    cells = on(chat or carried(holds=(block,)), carried(holds=(block,)), adapter)
    return Row(section=kind, name=name, messages={"messages": messages}, chat={"messages": messages}, cells=cells)


def by_tool(name: str, block: dict, adapter: Expect) -> Row:
    """A block inside a tool's result."""
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "see"}, block]}
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [USE]},
        {"role": "user", "content": [result]},
    ]
    return Row(
        section="block",
        name=name,
        messages={"messages": messages, "tools": [TOOL]},
        chat={"messages": messages, "tools": [FUNCTION]},
        cells=on(carried(holds=(result,)), carried(holds=(result,)), adapter),
    )


def _turn(block: dict) -> dict:
    blocks = [block, {"type": "text", "text": "so"}]
    turns = (
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": "on"},
    )
    return {"messages": list(turns)}


def by_assistant(name: str, block: dict, adapter: Expect, *, further: tuple[dict, ...] = ()) -> Row:
    """A block in an assistant's turn, as clients send it back: as ``content_blocks`` in chat."""
    blocks = [block, *further, {"type": "text", "text": "so"}]
    ends = [{"role": "user", "content": "on"}]
    return Row(
        section="block",
        name=name,
        messages={"messages": [{"role": "user", "content": "go"}, {"role": "assistant", "content": blocks}, *ends]},
        chat={
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": "so", "content_blocks": blocks},
                *ends,
            ]
        },
        cells=on(carried("in `content_blocks`", holds=(block,)), carried(holds=(block,)), adapter),
    )


def by_system(name: str, block: dict, adapter: Expect, chat: Expect) -> Row:
    """A block in a system message within the conversation."""
    messages = [{"role": "user", "content": "go"}, {"role": "system", "content": [block]}]
    return Row(
        section="block",
        name=name,
        messages={"messages": messages},
        chat={"messages": messages},
        cells=on(chat, carried(holds=(block,)), adapter),
    )


def left_out(kind: str, block: dict) -> Row:
    """A block of an assistant's that no other provider understands."""
    return by_assistant(kind, block, dropped(f"messages.{kind}"))


def picture(source: dict) -> dict:
    return {"type": "image", "source": source}


def paper(source: dict, **more) -> dict:
    return {"type": "document", "source": source, **more}


def shown(url: str) -> Expect:
    """An image part."""
    return translated("`image_url`", holds=({"type": "image_url", "image_url": {"url": url}},))


_PAGE = {
    "type": "web_search_result",
    "url": "https://a.example",
    "title": "A",
    "encrypted_content": "zz",
    "page_age": None,
}
_TEXT_SOURCE = {"type": "text", "media_type": "text/plain", "data": "plain words"}
_BLOCK_SOURCE = {"type": "content", "content": [{"type": "text", "text": "inner words"}]}
_LINKED = "Web pages found: A (https://a.example)"

USERS = (
    by_user("text", {"type": "text", "text": "Guten Tag ☂ \u2028 \\n"}, carried(holds=("Guten Tag ☂ \u2028 \\n",))),
    by_user(
        "text with cache_control",
        {"type": "text", "text": "marked", "cache_control": MARK},
        dropped("cache_control", holds=("marked",)),
    ),
    by_user(
        "image base64",
        picture({"type": "base64", "media_type": "image/png", "data": PIXEL}),
        shown(f"data:image/png;base64,{PIXEL}"),
    ),
    by_user("image url", picture({"type": "url", "url": "https://a.example/b.png"}), shown("https://a.example/b.png")),
    by_user("image file", picture({"type": "file", "file_id": "file_1"}), refused("messages[0].content[1].source")),
    by_user(
        "document base64",
        paper({"type": "base64", "media_type": "application/pdf", "data": PDF}, title="a.pdf"),
        translated(
            "a file part",
            holds=({"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},),
        ),
    ),
    by_user(
        "document url",
        paper({"type": "url", "url": "https://a.example/b.pdf"}),
        translated(
            "a file part, fetched",
            holds=({"filename": "document.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},),
            adjusted=("messages[0].content[1].source.url",),
        ),
    ),
    by_user("document file", paper({"type": "file", "file_id": "file_1"}), refused("messages[0].content[1].source")),
    by_user(
        "document text",
        paper(_TEXT_SOURCE, title="Notes", context="mine"),
        translated("text", holds=("Notes\n\nmine\n\nplain words",)),
    ),
    by_user("document content", paper(_BLOCK_SOURCE), translated("text", holds=("inner words",))),
    by_user(
        "document with citations",
        paper(_TEXT_SOURCE, citations={"enabled": True}),
        dropped("messages.citations", holds=("plain words",)),
    ),
    by_user(
        "image with transformations",
        {
            **picture({"type": "url", "url": "https://a.example/b.png"}),
            "transformations": {"oversized_image": "resize"},
        },
        dropped("messages.transformations", holds=("https://a.example/b.png",)),
    ),
    by_user(
        "search_result",
        SEARCH,
        translated(
            "text; citations are named",
            holds=("A title\nhttps://a.example\nfound words",),
            dropped=("messages.citations",),
        ),
    ),
    by_user(
        "container_upload",
        {"type": "container_upload", "file_id": "file_1"},
        dropped("messages.container_upload"),
    ),
    by_tool(
        "tool_result",
        {"type": "text", "text": "result words"},
        translated(
            "a tool message",
            sent={
                "messages[2].role": "tool",
                "messages[2].tool_call_id": "toolu_1",
                "messages[2].content": "see\nresult words",
            },
        ),
    ),
    by_tool(
        "tool_result with image",
        picture({"type": "base64", "media_type": "image/png", "data": PIXEL}),
        translated(
            "in the user's next turn",
            holds=({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},),
            sent={"messages[2].content": "see\n[image 1]"},
        ),
    ),
    by_tool(
        "tool_result with document",
        paper(_TEXT_SOURCE),
        translated("text", sent={"messages[2].content": "see\nplain words"}),
    ),
    by_tool(
        "tool_result with search_result",
        SEARCH,
        translated(
            "text; citations are named",
            sent={"messages[2].content": "see\nA title\nhttps://a.example\nfound words"},
            dropped=("messages.citations",),
        ),
    ),
    by_tool(
        "tool_result with tool_reference",
        {"type": "tool_reference", "tool_name": "look"},
        translated("text", sent={"messages[2].content": "see\nTool available: look"}),
    ),
    by_tool(
        "tool_result with browser_state",
        {"type": "browser_state", "tabs": [{"id": 1, "title": "A", "url": "https://a.example", "active": True}]},
        dropped("messages.browser_state"),
    ),
)

_UNSIGNED = Expect(
    verdict="dropped",
    note="Claude takes only what it signed",
    holds=({"role": "assistant", "content": [{"type": "text", "text": "so"}]},),
    adjusted=("messages.content.thinking",),
)
_SUM = "what was said before"

ASSISTANTS = (
    by_assistant("thinking", {"type": "thinking", "thinking": "hm", "signature": "c2ln"}, dropped("messages.thinking")),
    by_assistant(
        "thinking without text", {"type": "thinking", "thinking": "", "signature": "c2ln"}, dropped("messages.thinking")
    ),
    Row(
        section="block",
        name="thinking without a signature",
        messages=_turn({"type": "thinking", "thinking": "hm"}),
        chat=_turn({"type": "thinking", "thinking": "hm"}),
        cells=on(
            _UNSIGNED,
            _UNSIGNED,
            dropped("messages.thinking", holds=("so",)),
        ),
    ),
    by_assistant("redacted_thinking", {"type": "redacted_thinking", "data": "b3Bh"}, dropped("messages.thinking")),
    by_assistant(
        "tool_use",
        USE,
        translated(
            "`tool_calls`",
            sent={"messages[1].tool_calls[0].id": "toolu_1", "messages[1].tool_calls[0].function.name": "look"},
        ),
    ),
    by_assistant(
        "text with citations",
        {"type": "text", "text": "as they say ", "citations": [{"type": "char_location", "cited_text": "words"}]},
        dropped("messages.citations", sent={"messages[1].content": "as they say so"}),
    ),
    by_assistant(
        "tool_use with caller",
        {**USE, "caller": {"type": "direct"}},
        translated("`tool_calls`", sent={"messages[1].tool_calls[0].function.name": "look"}),
    ),
    by_assistant(
        "tool_use of a toolset",
        {**USE, "name": "left_click", "toolset_name": "computer"},
        translated("`tool_calls`", sent={"messages[1].tool_calls[0].function.name": "left_click"}),
    ),
    left_out(
        "server_tool_use",
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
    ),
    by_assistant(
        "web_search_tool_result",
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [_PAGE]},
        translated(
            "titles and URLs",
            sent={"messages[1].content": f"\n{_LINKED}\nso"},
            dropped=("messages.web_search_tool_result.content.encrypted_content",),
        ),
    ),
    by_assistant(
        "web_fetch_tool_result",
        {
            "type": "web_fetch_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": {
                "type": "web_fetch_result",
                "url": "https://a.example",
                "content": paper(_TEXT_SOURCE, title="A"),
            },
        },
        translated(
            "titles and URLs",
            sent={"messages[1].content": f"\n{_LINKED}\nso"},
            dropped=("messages.web_fetch_tool_result.content.content.source",),
        ),
    ),
    *(
        left_out(
            kind, {"type": kind, "tool_use_id": "srvtoolu_1", "content": {"type": f"{kind[:-12]}_result", "x": ["é"]}}
        )
        for kind in (
            "advisor_tool_result",
            "bash_code_execution_tool_result",
            "code_execution_tool_result",
            "text_editor_code_execution_tool_result",
            "tool_search_tool_result",
        )
    ),
    left_out(
        "mcp_tool_use",
        {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "x", "server_name": "docs", "input": {"a": 1}},
    ),
    left_out(
        "mcp_tool_result",
        {
            "type": "mcp_tool_result",
            "tool_use_id": "mcptoolu_1",
            "is_error": False,
            "content": [{"type": "text", "text": "r"}],
        },
    ),
    left_out("mcp_tool_listing", {"type": "mcp_tool_listing", "mcp_server_name": "docs", "tools": [{"name": "x"}]}),
    left_out("fallback", {"type": "fallback", "from": {"model": "claude-opus-5"}, "to": {"model": "claude-haiku-4-5"}}),
    by_assistant(
        "compaction",
        {"type": "compaction", "content": _SUM},
        translated("its text", sent={"messages[1].content": f"{_SUM}so"}),
    ),
    by_assistant(
        "compaction, signed",
        {"type": "compaction", "content": None, "encrypted_content": "b3Bh", "signature": "c2ln"},
        refused("messages[1].content[0]"),
    ),
)

_ADDED = {"type": "tool_addition", "tool": {"type": "tool_reference", "tool_name": "look"}}
_REMOVED = {"type": "tool_removal", "tool": {"type": "tool_reference", "tool_name": "look"}}

SYSTEMS = (
    by_system(
        "text in a system message",
        {"type": "text", "text": "Now be brief."},
        carried("at its place", sent={"messages[1]": {"role": "system", "content": "Now be brief."}}),
        translated("`system`", sent={"system[0].text": "Now be brief."}, adjusted=("messages.system",)),
    ),
    by_system(
        "tool_addition",
        _ADDED,
        dropped("messages.tool_addition"),
        refused("messages[1].content[0].type"),
    ),
    by_system(
        "tool_removal",
        _REMOVED,
        dropped("messages.tool_removal"),
        refused("messages[1].content[0].type"),
    ),
    Row(
        section="block",
        name="output_config of a system message",
        messages={
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "system", "content": [], "output_config": {"effort": "low"}},
            ]
        },
        cells=on(
            none("chat hoists system messages"),
            carried(),
            dropped("messages.output_config"),
        ),
    ),
    Row(
        section="block",
        name="clear_at of a system message",
        messages={
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "system", "content": "now", "clear_at": "next_user_message"},
            ]
        },
        cells=on(none("chat hoists system messages"), carried(), dropped("messages.clear_at", holds=("now",))),
    ),
    Row(
        section="block",
        name="keys that nobody knows, inside messages and blocks",
        messages={
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png", "odd": 1}}
                    ],
                    "odd": 1,
                },
            ]
        },
        cells=on(
            none("only Messages has such blocks"),
            carried(),
            dropped("messages[0].odd", "messages[0].content[0].source.odd", holds=("https://a.example/b.png",)),
        ),
    ),
)

# ---- chat completions


def chat_messages(name: str, messages: list, expect: Expect, **further) -> Row:
    """Messages that only chat completions write so."""
    body = {"messages": messages, **further}
    return Row(section="part", name=name, chat=body, cells=on(expect, CHAT_ONLY, CHAT_ONLY))


def part(name: str, value: object, expect: Expect, **further) -> Row:
    """A part of a user's message."""
    return chat_messages(
        name, [{"role": "user", "content": [{"type": "text", "text": "see"}, value]}], expect, **further
    )


def image(name: str, url: str, *expected: object) -> Row:
    return part(name, {"type": "image_url", "image_url": {"url": url}}, translated(holds=expected))


def file(name: str, value: dict, *expected: object, **further) -> Row:
    return part(name, {"type": "file", "file": value}, translated(holds=expected), **further)


_CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"city": "Zürich ☂"}'}}
_ASKED = [{"role": "user", "content": "go"}, {"role": "assistant", "content": None, "tool_calls": [_CALL]}]
_CALLED = {"type": "tool_use", "id": "call_1", "name": "look", "input": {"city": "Zürich ☂"}}

PARTS = (
    chat_messages(
        "role system",
        [{"role": "user", "content": "go"}, {"role": "system", "content": "Be brief."}],
        translated("`system`", sent={"system": [{"type": "text", "text": "Be brief."}]}, adjusted=("messages.system",)),
    ),
    chat_messages(
        "role developer",
        [
            {"role": "developer", "content": [{"type": "text", "text": "Be brief.", "cache_control": MARK}]},
            {"role": "user", "content": "go"},
        ],
        translated("`system`", sent={"system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}]}),
    ),
    chat_messages(
        "role user",
        [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}],
        carried("merged", holds=([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],)),
    ),
    chat_messages(
        "name of a message",
        [{"role": "user", "content": "one", "name": "ann"}],
        dropped("messages.name", holds=("one",)),
    ),
    part(
        "detail of an image",
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "high"}},
        dropped(
            "messages.content.image_url.detail",
            holds=(picture({"type": "url", "url": "https://a.example/b.png"}),),
        ),
    ),
    chat_messages(
        "role assistant",
        [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "once"},
            {"role": "user", "content": "on"},
        ],
        carried(sent={"messages[1].role": "assistant"}, holds=("once",)),
    ),
    chat_messages(
        "tool_calls",
        [*_ASKED, {"role": "tool", "tool_call_id": "call_1", "content": "hot"}],
        translated("`tool_use`", sent={"messages[1].content": [_CALLED]}),
        tools=[FUNCTION],
    ),
    chat_messages(
        "role tool",
        [*_ASKED, {"role": "tool", "tool_call_id": "call_1", "content": "hot ☂", "cache_control": MARK}],
        translated(
            "`tool_result`",
            sent={
                "messages[2].role": "user",
                "messages[2].content[0].type": "tool_result",
                "messages[2].content[0].tool_use_id": "call_1",
                "messages[2].content[0].cache_control": MARK,
            },
            holds=("hot ☂",),
        ),
        tools=[FUNCTION],
    ),
    chat_messages(
        "role tool with image",
        [
            *_ASKED,
            {
                "role": "tool",
                "tool_call_id": "call_1",
                "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}],
            },
        ],
        translated("`tool_result`", holds=(picture({"type": "base64", "media_type": "image/png", "data": PIXEL}),)),
        tools=[FUNCTION],
    ),
    chat_messages(
        "role function",
        [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}},
            {"role": "function", "name": "look", "content": "hot"},
        ],
        translated(
            "`tool_result`",
            sent={"messages[1].content[0].name": "look", "messages[2].content[0].type": "tool_result"},
            holds=("hot",),
        ),
        tools=[FUNCTION],
    ),
    chat_messages("a role of tomorrow", [{"role": "robot", "content": "x"}], refused("messages[0].role")),
    chat_messages(
        "reasoning_content",
        [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "so", "reasoning_content": "hm"},
            {"role": "user", "content": "on"},
        ],
        dropped("messages.reasoning_content", holds=("so",)),
    ),
    chat_messages(
        "thinking_blocks",
        [
            {"role": "user", "content": "go"},
            {
                "role": "assistant",
                "content": "so",
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}],
            },
            {"role": "user", "content": "on"},
        ],
        carried(holds=({"type": "thinking", "thinking": "hm", "signature": "c2ln"},)),
    ),
    part(
        "text",
        {"type": "text", "text": "a ☂", "cache_control": MARK},
        carried(holds=({"type": "text", "text": "a ☂", "cache_control": MARK},)),
    ),
    chat_messages(
        "refusal",
        [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no ☂"}]},
            {"role": "user", "content": "on"},
        ],
        translated("text", holds=({"type": "text", "text": "no ☂"},)),
    ),
    image(
        "image_url data URI",
        f"data:image/jpg;base64,{PIXEL}",
        picture({"type": "base64", "media_type": "image/jpeg", "data": PIXEL}),
    ),
    image("image_url URL", "https://a.example/b.png", picture({"type": "url", "url": "https://a.example/b.png"})),
    image(
        "image_url PDF",
        f"data:application/pdf;base64,{PDF}",
        paper({"type": "base64", "media_type": "application/pdf", "data": PDF}),
    ),
    part(
        "image_url malformed",
        {"type": "image_url", "image_url": {"url": "ftp://a"}},
        refused("messages[0].content[1].image_url.url"),
    ),
    file("file file_id", {"file_id": "file_1"}, paper({"type": "file", "file_id": "file_1"})),
    file(
        "file file_id image",
        {"file_id": "file_1", "mime_type": "image/png"},
        picture({"type": "file", "file_id": "file_1"}),
    ),
    file(
        "file file_id for the container",
        {"file_id": "file_1", "mime_type": "application/zip"},
        {"type": "container_upload", "file_id": "file_1"},
        tools=[{"type": "code_execution_20260120", "name": "code_execution"}],
    ),
    file(
        "file file_data PDF",
        {"file_data": PDF, "mime_type": "application/pdf", "filename": "a.pdf"},
        paper({"type": "base64", "media_type": "application/pdf", "data": PDF}, title="a.pdf"),
    ),
    file(
        "file file_data text",
        {"file_data": "plain ☂", "mime_type": "text/plain"},
        paper({"type": "text", "media_type": "text/plain", "data": "plain ☂"}),
    ),
    file(
        "file file_data text that begins like a data URI",
        {"file_data": "data: three rows", "mime_type": "text/plain"},
        paper({"type": "text", "media_type": "text/plain", "data": "data: three rows"}),
    ),
    file(
        "file file_url",
        {"file_url": "https://a.example/b.pdf"},
        paper({"type": "url", "url": "https://a.example/b.pdf"}),
    ),
    part(
        "input_audio",
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        refused("messages[0].content[1].type"),
    ),
    part(
        "video_url",
        {"type": "video_url", "video_url": {"url": "https://a.example/v"}},
        refused("messages[0].content[1].type"),
    ),
    part("a part of tomorrow", {"type": "hologram", "x": 1}, refused("messages[0].content[1].type")),
)

ROWS = (*USERS, *ASSISTANTS, *SYSTEMS, *PARTS)
