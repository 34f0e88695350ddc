"""Anthropic Messages through Lockgate with the unmodified anthropic SDK: a plain call, a streamed call, a tool call.

pip install anthropic
LOCKGATE_API_KEY=... python anthropic_messages.py
"""

import json
import os
import sys

from anthropic import Anthropic, AnthropicError

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
WEATHER_TOOL = {
    "name": "get_weather",
    "description": "Return the current weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


def connect() -> Anthropic:
    """Only the base URL and the key differ from a program that talks to Anthropic directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    # This SDK adds /v1 by itself, so its base URL is the bare origin.
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return Anthropic(base_url=origin, api_key=os.environ["LOCKGATE_API_KEY"])


def text_of(message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def plain(client: Anthropic) -> None:
    message = client.messages.create(
        model=MODEL,
        max_tokens=250,
        system="You answer in one sentence.",
        messages=[{"role": "user", "content": "What does an AI gateway do?"}],
    )
    if not text_of(message):
        sys.exit("The plain answer is empty.")
    print(f"Plain: {text_of(message)}")


def streamed(client: Anthropic) -> None:
    print("Streamed: ", end="")
    with client.messages.stream(
        model=MODEL,
        max_tokens=500,
        messages=[{"role": "user", "content": "Tell me a very short story."}],
    ) as stream:
        for text in stream.text_stream:
            print(text, end="", flush=True)
        message = stream.get_final_message()
    print()
    if not text_of(message) or message.stop_reason is None:
        sys.exit(f"The stream was not complete: stop reason {message.stop_reason}.")


def get_weather(city: str) -> dict[str, object]:
    return {"city": city, "sky": "sunny", "temperature_c": 31}


def tool_call(client: Anthropic) -> None:
    messages = [{"role": "user", "content": "What is the weather in Chennai? Use the tool."}]
    first = client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=[WEATHER_TOOL])
    calls = [block for block in first.content if block.type == "tool_use"]
    if not calls:
        sys.exit(f"The model called no tool; it said: {text_of(first)}")

    # All results go back in one user turn, each with the id of its call; the model then writes the final text.
    results = []
    for call in calls:
        result = get_weather(call.input.get("city", "?"))
        print(f"Tool call: {call.name}({call.input}) -> {result}")
        results.append({"type": "tool_result", "tool_use_id": call.id, "content": json.dumps(result)})
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    last = client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=[WEATHER_TOOL])
    if not text_of(last):
        sys.exit("There is no final answer after the tool's result.")
    print(f"Final answer: {text_of(last)}")


def main() -> None:
    client = connect()
    try:
        plain(client)
        streamed(client)
        tool_call(client)
    except AnthropicError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
