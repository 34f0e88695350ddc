"""Writes canonical turns as OpenAI messages.

OpenAI wants each call answered by a tool message directly behind it, knows no thinking, and takes images only from
users. So results are brought to their calls, images of results follow in a user message, thinking is left out.
What is left out is named; what would change the answer is refused with its path.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Raw

from lockgate.core.blocks import further_keys
from lockgate.core.chat import (
    Base64Source,
    Block,
    Call,
    DocumentBlock,
    FileSource,
    ImageBlock,
    Message,
    OpaqueBlock,
    RedactedThinkingBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from lockgate.core.json_text import write_json
from lockgate.core.tool_names import ToolNames
from lockgate.dialects.openai_chat.block_leftovers import block_leftovers, page_leftovers
from lockgate.dialects.openai_chat.names import send_call_id
from lockgate.dialects.openai_chat.opaque_text import (
    cites,
    is_cited,
    others_than_text,
    source_line,
    text_of_block,
)
from lockgate.dialects.openai_chat.wire import CallMessageOut, FunctionOut, ToolCallOut
from lockgate.errors import Unsupported

BILLING = "x-anthropic-billing-header:"
NO_RESULT = "(no result)"
_FOREIGN_FILE = "file ids belong to the provider that issued them"


class MessageWriter:
    """Writes the messages of one call. ``dropped`` fills with the names of what was left out."""

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self._out: list[CallMessageOut] = []
        self.dropped: dict[str, None] = {}

    def write(self, call: Call) -> list[CallMessageOut]:
        """Return the messages of a call. Raises Unsupported."""
        system = self._system_text(call.system, "system", "system")
        if system:
            self._out.append(CallMessageOut("system", system))
        messages = call.messages
        starts = [at for at, message in enumerate(messages) if message.role == "assistant"]
        self._span(messages, 0, starts[0] if starts else len(messages), _Results())
        for start, end in pairwise([*starts, len(messages)]):
            results = _Results()
            for at in range(start + 1, end):
                results.collect(messages[at].content, f"messages[{at}]")
            self._assistant(messages[start].content, f"messages[{start}]", results)
            self._span(messages, start + 1, end, results)
        return self._out

    def drop(self, name: str) -> None:
        """Note that something was left out."""
        self.dropped[name] = None

    # ---- what the assistant said

    def _assistant(self, content: Sequence[Block], path: str, results: _Results) -> None:
        texts: list[str] = []
        calls: list[ToolCallOut] = []
        uses = [block for block in content if isinstance(block, ToolUseBlock)]
        for at, block in enumerate(content):
            if isinstance(block, ToolUseBlock):
                self._name_below(block, f"{path}.content[{at}]")
                calls.append(self._call(block))
            else:
                texts.append(self._assistant_text(block, f"{path}.content[{at}]"))
        text = "".join(texts)
        if calls:
            self._out.append(CallMessageOut("assistant", text or None, calls))
        elif text:
            self._out.append(CallMessageOut("assistant", text))
        for use in uses:
            self._out.append(self._answer(use, results))

    def _assistant_text(self, block: Block, path: str) -> str:
        if isinstance(block, TextBlock):
            self._name_lost(block, block.citations)
            return block.text
        if isinstance(block, ThinkingBlock | RedactedThinkingBlock):
            self.drop("messages.thinking")
            return ""
        if not isinstance(block, OpaqueBlock):
            self.drop(f"messages.{_kind(block)}")
            return ""
        line = source_line(block)
        if line is not None:
            for name in page_leftovers(block):
                self.drop(name)
            return f"\n{line}\n"
        if block.type == "compaction":
            return self._compaction(block, path)
        self.drop(f"messages.{block.type}")
        return ""

    def _compaction(self, block: OpaqueBlock, path: str) -> str:
        """Return the summary that stands for the turns before it; without it the model would know nothing of them."""
        text = text_of_block(block)
        if text is None:
            raise Unsupported("this compaction block can only be read by the provider that made it", path=path)
        self._name_below(block, path)
        return text

    def _call(self, block: ToolUseBlock) -> ToolCallOut:
        function = FunctionOut(self._names.sent(block.name), bytes(block.input).decode("utf-8", "replace"))
        return ToolCallOut(send_call_id(block.id), "function", function)

    def _answer(self, use: ToolUseBlock, results: _Results) -> CallMessageOut:
        found = results.take(use.id)
        call_id = send_call_id(use.id)
        text = NO_RESULT if found is None else self._result_text(*found, results.attachments)
        return CallMessageOut("tool", text, tool_call_id=call_id)

    # ---- what users and tools said

    def _span(self, messages: Sequence[Message], start: int, end: int, results: _Results) -> None:
        """Write the turns between two of the assistant's; the results they hold were written before."""
        for at in range(start, end):
            message, path = messages[at], f"messages[{at}]"
            if message.role == "system":
                text = self._system_text(message.content, "messages", f"{path}.content")
                if text:
                    self._out.append(CallMessageOut("system", text))
                continue
            parts = self._user_parts(message.content, path, results)
            if parts:
                self._user(parts, results)
        if results.attachments:
            self._user([], results)

    def _user(self, parts: list[str | Raw], results: _Results) -> None:
        """Write one user message: a plain string if it is one text, parts otherwise, and what results showed."""
        for call_id, attached in results.attachments.items():
            parts = [*parts, f"Images returned by tool call {send_call_id(call_id)}:", *attached]
        results.attachments.clear()
        if len(parts) == 1 and isinstance(parts[0], str):
            self._out.append(CallMessageOut("user", parts[0]))
        else:
            self._out.append(CallMessageOut("user", [_text_part(p) if isinstance(p, str) else p for p in parts]))

    def _user_parts(self, content: Sequence[Block], path: str, results: _Results) -> list[str | Raw]:
        parts: list[str | Raw] = []
        for at, block in enumerate(content):
            if isinstance(block, ToolResultBlock):
                if not results.is_taken(block):
                    parts.append(self._result_text(block, f"{path}.content[{at}]", results.attachments))
            else:
                part = self._part(block, f"{path}.content[{at}]")
                if part is not None:
                    parts.append(part)
        return parts

    def _part(self, block: Block, path: str) -> str | Raw | None:
        match block:
            case TextBlock():
                self._name_lost(block, block.citations)
                return block.text or None
            case ImageBlock():
                self._name_lost(block)
                self._name_below(block, path)
                return _image_part(block, path)
            case DocumentBlock():
                self._name_lost(block, block.citations)
                self._name_below(block, path)
                if block.context and not isinstance(block.source, TextSource):
                    self.drop("messages.context")
                return _document_part(block, path)
            case OpaqueBlock():
                return self._opaque(block, path)
            case _:
                self.drop(f"messages.{_kind(block)}")
                return None

    def _opaque(self, block: OpaqueBlock, path: str) -> str | None:
        if block.type == "compaction":
            return self._compaction(block, path)
        text = text_of_block(block)
        if text is None:
            self.drop(f"messages.{block.type}")
            return None
        self._name_in_words(block, path)
        return text

    def _name_in_words(self, block: OpaqueBlock, path: str) -> None:
        """Name what a block that was put into words says beside them."""
        if is_cited(block):
            self.drop("messages.citations")
        for kind in others_than_text(block):
            self.drop(f"messages.{kind}")
        self._name_below(block, path)

    def _name_lost(self, block: TextBlock | ImageBlock | DocumentBlock, citations: Raw | None = None) -> None:
        """Name what a block says beside its text or picture."""
        if cites(citations):
            self.drop("messages.citations")
        if block.raw is not None:
            for name in further_keys(_kind(block), block.raw):
                self.drop(f"messages.{name}")

    def _name_below(
        self, block: ToolUseBlock | ToolResultBlock | ImageBlock | DocumentBlock | OpaqueBlock, path: str
    ) -> None:
        """Name what a block holds, at any depth, that nobody knows."""
        if block.raw is not None:
            for name in block_leftovers(block, path):
                self.drop(name)

    def _system_text(self, blocks: Sequence[Block], place: str, path: str) -> str:
        """Join a system prompt; the leading line about billing is meant for Anthropic alone."""
        texts: list[str] = []
        for at, block in enumerate(blocks):
            text = self._of_system(block, place, f"{path}[{at}]")
            if not text:
                continue
            if not texts and text.startswith(BILLING):
                self.drop(f"{path}[{at}]")
            else:
                texts.append(text)
        return "\n\n".join(texts)

    def _of_system(self, block: Block, place: str, path: str) -> str | None:
        if isinstance(block, TextBlock):
            self._name_lost(block, block.citations)
            return block.text
        text = text_of_block(block) if isinstance(block, OpaqueBlock) else None
        if text is None:
            self.drop(f"{place}.{_kind(block)}")
        elif isinstance(block, OpaqueBlock):
            self._name_in_words(block, path)
        return text

    def _result_text(self, block: ToolResultBlock, path: str, attachments: dict[str, list[Raw]]) -> str:
        """Return a result as text; images and files are replaced by their number and put into ``attachments``."""
        self._name_below(block, path)
        content = block.content
        lines: list[str] = [content] if isinstance(content, str) else []
        attached: list[Raw] = []
        for at, item in enumerate(content if isinstance(content, tuple) else ()):
            part = self._part(item, f"{path}.content[{at}]")
            if isinstance(part, Raw):
                attached.append(part)
                part = f"[{'image' if isinstance(item, ImageBlock) else 'document'} {len(attached)}]"
            if part is not None:
                lines.append(part)
        if attached:
            attachments.setdefault(block.tool_use_id, []).extend(attached)
        return ("Error: " if block.is_error else "") + "\n".join(lines)


class _Results:
    """The results that a span of turns holds for the calls before it."""

    def __init__(self) -> None:
        self._found: list[tuple[ToolResultBlock, str]] = []
        self._used: set[int] = set()
        self.attachments: dict[str, list[Raw]] = {}

    def collect(self, content: Sequence[Block], path: str) -> None:
        """Take the results out of a turn."""
        for at, block in enumerate(content):
            if isinstance(block, ToolResultBlock):
                self._found.append((block, f"{path}.content[{at}]"))

    def take(self, call_id: str) -> tuple[ToolResultBlock, str] | None:
        """Return the first result of a call that was not taken yet."""
        for block, path in self._found:
            if block.tool_use_id == call_id and id(block) not in self._used:
                self._used.add(id(block))
                return block, path
        return None

    def is_taken(self, block: ToolResultBlock) -> bool:
        """Tell whether a result was written as the answer to a call."""
        return id(block) in self._used


def _kind(block: Block) -> str:
    """Return a block's type as clients know it."""
    match block:
        case OpaqueBlock(type=kind):
            return kind
        case ImageBlock():
            return "image"
        case DocumentBlock():
            return "document"
        case ToolUseBlock():
            return "tool_use"
        case ToolResultBlock():
            return "tool_result"
        case TextBlock():
            return "text"
        case _:
            return "thinking"


def _text_part(text: str) -> Raw:
    return Raw(write_json({"type": "text", "text": text}))


def _image_part(block: ImageBlock, path: str) -> Raw:
    match block.source:
        case Base64Source(media_type=media_type, data=data):
            return _image_url(f"data:{media_type};base64,{data}")
        case UrlSource(url=url):
            return _image_url(url)
        case FileSource() | TextSource():
            raise Unsupported(_FOREIGN_FILE, path=f"{path}.source")


def _image_url(url: str) -> Raw:
    return Raw(write_json({"type": "image_url", "image_url": {"url": url}}))


def _document_part(block: DocumentBlock, path: str) -> str | Raw:
    match block.source:
        case TextSource(text=text):
            return "\n\n".join(part for part in (block.title, block.context, text) if part)
        case Base64Source(media_type=media_type, data=data):
            return _file(block, file_data=f"data:{media_type};base64,{data}")
        case UrlSource(url=url):
            return _file(block, file_url=url)
        case FileSource():
            raise Unsupported(_FOREIGN_FILE, path=f"{path}.source")


def _file(block: DocumentBlock, **place: str) -> Raw:
    return Raw(write_json({"type": "file", "file": {"filename": block.title or "document.pdf", **place}}))
