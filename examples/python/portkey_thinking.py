"""Extended thinking through Lockgate with the portkey-ai SDK: whole, streamed, and carried on after a tool call.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_thinking.py
"""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-haiku-4-5")
# Models from 4.6 on decide for themselves how long to think: {"type": "adaptive", "display": "summarized"}.
THINKING = json.loads(os.environ.get("LOCKGATE_THINKING", '{"type": "enabled", "budget_tokens": 2030}'))
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Return the current weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def connect() -> Portkey:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    # What OpenAI's API does not know (here: thinking) comes back only without strict compliance.
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"], strict_open_ai_compliance=False)


def thoughts_of(blocks: list[dict[str, Any]]) -> str:
    return "".join(block.get("thinking", "") for block in blocks)


def whole(client: Portkey) -> None:
    reply = client.chat.completions.create(
        model=MODEL,
        max_tokens=3000,
        thinking=THINKING,
        messages=[{"role": "user", "content": "Is 391 a prime number?"}],
    )
    message = reply.choices[0].message
    if not message.content or not any(block.get("signature") for block in message.content_blocks):
        sys.exit(f"The answer or its thinking is missing: {message}")
    print(f"Thinking: {thoughts_of(message.content_blocks)}")
    print(f"Answer: {message.content}")


def read_stream(stream: Iterable[Any]) -> dict[str, Any]:
    """Assemble a streamed answer into the message to send back: text, content blocks and tool calls."""
    text, blocks, calls = "", {}, {}
    for chunk in stream:
        for delta in (choice.delta for choice in chunk.choices):
            text += delta.content or ""
            for piece in getattr(delta, "content_blocks", None) or []:
                block = blocks.setdefault(piece["index"], {"index": piece["index"]})
                for key, value in piece["delta"].items():
                    block[key] = block.get(key, "") + value
            for piece in delta.tool_calls or []:
                function = {"name": piece.function.name, "arguments": ""}
                call = calls.setdefault(piece.index, {"id": piece.id, "type": "function", "function": function})
                call["function"]["arguments"] += piece.function.arguments or ""
    message = {"role": "assistant", "content": text, "content_blocks": list(blocks.values())}
    return message | ({"tool_calls": list(calls.values())} if calls else {})


def streamed(client: Portkey) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        max_tokens=3000,
        thinking=THINKING,
        messages=[{"role": "user", "content": "Is 397 a prime number?"}],
        stream=True,
    )
    message = read_stream(stream)
    if not message["content"] or not any(block.get("signature") for block in message["content_blocks"]):
        sys.exit(f"The answer or its thinking is missing: {message}")
    print(f"Streamed thinking: {thoughts_of(message['content_blocks'])}")
    print(f"Streamed answer: {message['content']}")


def turns(client: Portkey, is_streamed: bool) -> None:
    """Claude wants the signed thinking before a tool call back, unchanged: the content blocks carry it."""
    request = {"model": MODEL, "max_tokens": 3000, "thinking": THINKING, "tools": [WEATHER_TOOL]}
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Is it warm in Oslo? Look up the weather."}]
    for _ in range(2):
        if is_streamed:
            said = read_stream(client.chat.completions.create(messages=messages, stream=True, **request))
        else:
            reply = client.chat.completions.create(messages=messages, **request)
            said = reply.choices[0].message.model_dump(exclude_none=True)
        calls = said.get("tool_calls", [])
        if not calls or not any(block.get("signature") for block in said["content_blocks"]):
            sys.exit(f"The model called no tool, or its thinking is missing: {said}")
        messages.append(said)
        for call in calls:
            print(f"Tool call: {call['function']['name']}({call['function']['arguments']})")
            result = json.dumps({"sky": "light rain", "temperature_c": 9})
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        last = client.chat.completions.create(messages=messages, **request).choices[0].message
        if not last.content:
            sys.exit("There is no final answer after the tool's result.")
        print(f"Final answer: {last.content}")
        # The next question comes after a whole turn with thinking, tool call and answer.
        messages.append(last.model_dump(exclude_none=True))
        messages.append({"role": "user", "content": "And in Rome? Look up the weather again."})


def tool_whole(client: Portkey) -> None:
    turns(client, is_streamed=False)


def tool_streamed(client: Portkey) -> None:
    turns(client, is_streamed=True)


def main() -> None:
    client = connect()
    try:
        whole(client)
        streamed(client)
        tool_whole(client)
        tool_streamed(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
