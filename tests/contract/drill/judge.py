"""Judges what a client got, by the rules that SDKs read by: a complete good answer, or a proper error. No third thing.

It shares no code with the gateway.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.contract.drill.answers import TEXTS, TOOL_INPUT


@dataclass
class Verdict:
    """``text`` is what the client has read so far; ``error`` is set when it was told that something went wrong."""

    text: str = ""
    tool_json: str = ""
    is_complete: bool = False
    error: dict[str, Any] | None = None
    status: int = 0
    open_blocks: set[int] = field(default_factory=set)

    @property
    def source(self) -> str | None:
        """The provider whose text it is the beginning of, None without any text. A mixture is nobody's."""
        if not self.text:
            return None
        (source,) = [name for name, text in TEXTS.items() if text.startswith(self.text)]
        return source


def judge(path: str, status: int, content_type: str, body: bytes, *, is_stream: bool) -> Verdict:
    """Return what a client of this path makes of an answer. Raises AssertionError for what no client should get."""
    verdict = Verdict(status=status)
    if status != 200:
        assert content_type.startswith("application/json"), content_type
        verdict.error = _error(path, json.loads(body))
        return verdict
    if not is_stream:
        _read_whole(path, json.loads(body), verdict)
    elif "messages" in path:
        _read_messages(body, verdict)
    else:
        _read_chat(body, verdict)
    assert verdict.is_complete != (verdict.error is not None), "neither complete nor an error, or both"
    if verdict.is_complete:
        assert verdict.text == TEXTS[verdict.source or ""], "a part of the text is missing"
        assert json.loads(verdict.tool_json) == TOOL_INPUT
    assert verdict.source or not verdict.text
    return verdict


def _error(path: str, body: dict[str, Any]) -> dict[str, Any]:
    error: dict[str, Any] = body["error"]
    assert isinstance(error["message"], str)
    assert error["message"]
    assert error["type"]
    if "messages" in path:
        assert body["type"] == "error"
    return error


def _read_whole(path: str, body: dict[str, Any], verdict: Verdict) -> None:
    if "messages" in path:
        assert body["type"] == "message"
        text, tool = body["content"]
        verdict.text, verdict.tool_json = text["text"], json.dumps(tool["input"])
        assert body["stop_reason"]
    else:
        (choice,) = body["choices"]
        said = choice["message"]
        verdict.text, verdict.tool_json = said["content"], said["tool_calls"][0]["function"]["arguments"]
        assert choice["finish_reason"]
    verdict.is_complete = True


def _events(body: bytes) -> list[tuple[str | None, str]]:
    text = body.decode()
    assert text.endswith("\n\n"), "the last event is not complete"
    found = []
    for event in text.split("\n\n")[:-1]:
        lines = dict(line.split(": ", 1) for line in event.split("\n") if not line.startswith(":"))
        if lines:
            assert set(lines) <= {"event", "data"}
            found.append((lines.get("event"), lines["data"]))
    return found


def _read_messages(body: bytes, verdict: Verdict) -> None:
    has_begun = has_stopped = False
    for kind, data in _events(body):
        assert not verdict.is_complete, "something after the end"
        assert verdict.error is None, "something after an error"
        event = json.loads(data)
        assert event["type"] == kind
        match kind:
            case "message_start":
                assert not has_begun, "a second beginning"
                has_begun = True
            case "content_block_start":
                assert not verdict.open_blocks
                verdict.open_blocks.add(event["index"])
            case "content_block_delta":
                assert event["index"] in verdict.open_blocks
                verdict.text += event["delta"].get("text", "")
                verdict.tool_json += event["delta"].get("partial_json", "")
            case "content_block_stop":
                verdict.open_blocks.remove(event["index"])
            case "message_delta":
                assert event["delta"]["stop_reason"]
                has_stopped = True
            case "message_stop":
                assert has_begun
                assert has_stopped
                assert not verdict.open_blocks
                verdict.is_complete = True
            case "error":
                verdict.error = _error("messages", event)
            case "ping":
                pass
            case _:
                raise AssertionError(f"an event that nobody knows: {kind}")


def _read_chat(body: bytes, verdict: Verdict) -> None:
    finish = None
    ids = set()
    for kind, data in _events(body):
        assert kind is None
        assert not verdict.is_complete, "something after the end"
        assert verdict.error is None, "something after an error"
        if data == "[DONE]":
            assert finish, "an end without a reason"
            verdict.is_complete = True
            continue
        chunk = json.loads(data)
        if "error" in chunk:
            verdict.error = _error("chat", chunk)
            continue
        ids.add(chunk["id"])
        for choice in chunk["choices"]:
            verdict.text += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls") or ():
                verdict.tool_json += call["function"].get("arguments") or ""
            finish = choice["finish_reason"] or finish
    assert len(ids) <= 1, "chunks of two answers"
