"""Short ways to say calls, streams and their canonical forms in the tests beside this file."""

from __future__ import annotations

import json

import msgspec
from msgspec import Raw, Struct

from lockgate.catalog import ModelFacts
from lockgate.core.assemble import Assembler
from lockgate.core.chat import Reply
from lockgate.dialects import ReplyRules, TargetInfo, View
from lockgate.dialects.openai_chat import DIALECT

USER = {"role": "user", "content": "hi"}
FACTS = ModelFacts(family="gpt", max_output=128_000, effort=("none", "low", "medium", "high"))


def encode(value):
    """Return JSON as a client writes it."""
    return json.dumps(value, ensure_ascii=False).encode()


def raw(value):
    """Return a value as raw JSON."""
    return Raw(msgspec.json.encode(value))


def read(*messages, **fields):
    """Read a call of these messages."""
    return DIALECT.read_call(encode({"model": "m", "messages": list(messages) or [USER], **fields}))


def blocks(message, **fields):
    """Return the shapes of the blocks that one message is read into."""
    return [shape(block) for block in read(message, **fields).messages[0].content]


def parts(*found, **fields):
    """Return the shapes of the blocks that a user's parts are read into."""
    return blocks({"role": "user", "content": list(found)}, **fields)


def shape(value):
    """Return a canonical value as plain data: its class under ``_``, defaults left out, raw JSON decoded."""
    if isinstance(value, Raw):
        return json.loads(bytes(value))
    if isinstance(value, tuple | list):
        return [shape(item) for item in value]
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if not isinstance(value, Struct):
        return value
    plain = {"_": type(value).__name__}
    for field in msgspec.structs.fields(value):
        found = getattr(value, field.name)
        if found is not None and found != field.default and found not in ({}, ()):
            plain[field.name] = shape(found)
    return plain


def target(**fields):
    """Return a target of this dialect."""
    return TargetInfo(**{"provider": "openai", "model": "gpt-5", "facts": FACTS, **fields})


def write(call, **fields):
    """Return the body that a call is written as, decoded."""
    return json.loads(DIALECT.write_call(call, target(**fields)).body)


def view(**fields):
    """Return a client's view of a reply."""
    return View(**{"provider": "anthropic", "strict": True, "created": 1767225600, "request_id": "req_1", **fields})


def data(*objects):
    """Return a stream of these chunks; a string stands for itself."""
    return b"".join(
        b"data: " + (item.encode() if isinstance(item, str) else encode(item)) + b"\n\n" for item in objects
    )


def chunk(delta=None, *, finish=None, **fields):
    """Return one chunk as OpenAI sends it."""
    choice = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-5",
        "choices": [choice],
    } | fields


def call_delta(index, *, id=None, name=None, args=None):
    """Return a delta with a part of one tool call; None leaves a key out."""
    function = {key: value for key, value in (("name", name), ("arguments", args)) if value is not None}
    entry = {key: value for key, value in (("index", index), ("id", id)) if value is not None}
    return {"tool_calls": [{**entry, "type": "function", "function": function}]}


def listen(stream, rules=None, *, size=None):
    """Return the chunks that a stream is read into, fed in pieces of ``size`` bytes."""
    reader = DIALECT.stream_reader(rules or ReplyRules())
    step = size or max(1, len(stream))
    found = [chunk for at in range(0, len(stream), step) for chunk in reader.feed(stream[at : at + step])]
    return [*found, *reader.close()]


def assemble(chunks) -> Reply:
    """Return the reply that chunks express."""
    assembler = Assembler()
    for item in chunks:
        assembler.add(item)
    return assembler.reply()


def speak(chunks, **fields):
    """Return the bytes that chunks are written as."""
    return DIALECT.stream_writer(view(**fields)).write(chunks)


def events(stream):
    """Return the decoded data of each event; ``[DONE]`` as it is."""
    assert stream.endswith(b"\n\n") or not stream
    found = [line.removeprefix(b"data: ") for line in stream.split(b"\n\n") if line]
    return [item.decode() if item == b"[DONE]" else json.loads(item) for item in found]


def deltas(stream):
    """Return the deltas of the chunks that have a choice."""
    return [event["choices"][0]["delta"] for event in events(stream) if event != "[DONE]" and event.get("choices")]
