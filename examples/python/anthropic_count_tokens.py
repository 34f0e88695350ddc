"""Token counts through Lockgate with the Anthropic SDK: the question, then with system prompt and tool.

pip install anthropic
LOCKGATE_API_KEY=... python anthropic_count_tokens.py
"""

import os
import sys

from anthropic import Anthropic, AnthropicError

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
WEATHER_TOOL = {
    "name": "get_weather",
    "description": "Return the current weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def connect() -> Anthropic:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    # This SDK adds /v1 by itself, so its base URL is the bare origin.
    return Anthropic(base_url=origin, api_key=os.environ["LOCKGATE_API_KEY"])


def count(client: Anthropic) -> None:
    messages = [{"role": "user", "content": "What is the weather in Chennai?"}]
    bare = client.messages.count_tokens(model=MODEL, messages=messages).input_tokens
    full = client.messages.count_tokens(
        model=MODEL, system="You answer in one sentence.", messages=messages, tools=[WEATHER_TOOL]
    ).input_tokens
    if not 0 < bare < full:
        sys.exit(f"The counts make no sense: {bare} and {full}.")
    print(f"Question: {bare} tokens")
    print(f"With system prompt and tool: {full} tokens")


def compare(client: Anthropic) -> None:
    """The count is what the same call is then charged for."""
    request = {"model": MODEL, "messages": [{"role": "user", "content": "Hello, Claude"}]}
    counted = client.messages.count_tokens(**request).input_tokens
    used = client.messages.create(max_tokens=100, **request).usage.input_tokens
    print(f"Counted and used: {counted} and {used} tokens")


def main() -> None:
    client = connect()
    try:
        count(client)
        compare(client)
    except AnthropicError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
