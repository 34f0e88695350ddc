"""Chat Completions through Lockgate with the unmodified portkey-ai SDK: a plain call, a streamed call, a tool call.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_chat.py
"""

import json
import os
import sys

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
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
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"])


def plain(client: Portkey) -> None:
    reply = client.chat.completions.create(
        model=MODEL,
        max_tokens=250,  # Claude wants a limit; the SDK leaves it out unless you say it
        messages=[
            {"role": "system", "content": "You answer in one sentence."},
            {"role": "user", "content": "What does an AI gateway do?"},
        ],
    )
    text = reply.choices[0].message.content
    if not text:
        sys.exit("The plain answer is empty.")
    print(f"Plain: {text}")


def streamed(client: Portkey) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        max_tokens=500,
        messages=[{"role": "user", "content": "Tell me a very short story."}],
        stream=True,
    )
    pieces, finish_reason = [], None
    print("Streamed: ", end="")
    for chunk in stream:
        for choice in chunk.choices:
            pieces.append(choice.delta.content or "")
            print(pieces[-1], end="", flush=True)
            finish_reason = choice.finish_reason or finish_reason
    print()
    if not "".join(pieces) or finish_reason is None:
        sys.exit(f"The stream was not complete: {len(pieces)} pieces, finish reason {finish_reason}.")


def get_weather(city: str) -> dict[str, object]:
    return {"city": city, "sky": "sunny", "temperature_c": 31}


def tool_call(client: Portkey) -> None:
    messages = [{"role": "user", "content": "What is the weather in Chennai? Use the tool."}]
    first = client.chat.completions.create(model=MODEL, max_tokens=500, messages=messages, tools=[WEATHER_TOOL])
    message = first.choices[0].message
    if not message.tool_calls:
        sys.exit(f"The model called no tool; it said: {message.content}")

    # The answer goes back with the call it belongs to; the model then writes the final text.
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls:
        arguments = json.loads(call.function.arguments)
        result = get_weather(arguments.get("city", "?"))
        print(f"Tool call: {call.function.name}({arguments}) -> {result}")
        messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})
    last = client.chat.completions.create(model=MODEL, max_tokens=500, messages=messages, tools=[WEATHER_TOOL])
    text = last.choices[0].message.content
    if not text:
        sys.exit("There is no final answer after the tool's result.")
    print(f"Final answer: {text}")


def main() -> None:
    client = connect()
    try:
        plain(client)
        streamed(client)
        tool_call(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
