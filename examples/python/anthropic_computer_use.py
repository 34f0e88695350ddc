"""Claude's computer use through Lockgate with the Anthropic SDK: the screenshot goes back as a tool's result.

pip install anthropic
LOCKGATE_API_KEY=... python anthropic_computer_use.py
"""

import os
import sys

from anthropic import Anthropic, AnthropicError

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
COMPUTER = {"type": "computer_20251124", "name": "computer", "display_width_px": 1024, "display_height_px": 768}
# A red dot on white, 16 by 16 pixels.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQMAAAAlPW0iAAAABlBMVEX////IFBT+CheuAAAAJklEQVR42mNggAHmA0wsCkwc"
    "AkwCHEwMDFD04QfTjw9Mfx7AVQEAdUIG1racT0IAAAAASUVORK5CYII="
)


def connect() -> Anthropic:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    # This SDK adds /v1 by itself, so its base URL is the bare origin.
    return Anthropic(base_url=origin, api_key=os.environ["LOCKGATE_API_KEY"])


def computer_use(client: Anthropic) -> None:
    messages = [{"role": "user", "content": "Use the computer: which colour has the dot on the screen?"}]
    request = {"model": MODEL, "max_tokens": 1024, "tools": [COMPUTER], "betas": ["computer-use-2025-11-24"]}
    first = client.beta.messages.create(messages=messages, **request)
    actions = [block for block in first.content if block.type == "tool_use"]
    if not actions:
        sys.exit(f"The model did not use the computer: {first.content}")

    results = []
    for action in actions:
        print(f"Action: {action.name}({action.input})")
        # A real program would do the action here, and send a picture of the screen after it.
        screen = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
        results.append({"type": "tool_result", "tool_use_id": action.id, "content": [screen]})
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    last = client.beta.messages.create(messages=messages, **request)
    text = "".join(block.text for block in last.content if block.type == "text")
    if not text:
        sys.exit("There is no final answer after the screenshot.")
    print(f"Final answer: {text}")


def main() -> None:
    client = connect()
    try:
        computer_use(client)
    except AnthropicError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
