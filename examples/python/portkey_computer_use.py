"""Claude's computer use through Lockgate with the portkey-ai SDK: the screenshot goes back as a tool's result.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_computer_use.py
"""

import os
import sys

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
COMPUTER = {
    "type": "computer",
    "computer": {"name": "computer_20251124", "display_width_px": 1024, "display_height_px": 768},
}
# A red dot on white, 16 by 16 pixels.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQMAAAAlPW0iAAAABlBMVEX////IFBT+CheuAAAAJklEQVR42mNggAHmA0wsCkwc"
    "AkwCHEwMDFD04QfTjw9Mfx7AVQEAdUIG1racT0IAAAAASUVORK5CYII="
)


def connect() -> Portkey:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    # What OpenAI's API does not know comes back only without strict compliance: here thinking, to be sent back.
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"], strict_open_ai_compliance=False)


def computer_use(client: Portkey) -> None:
    messages = [{"role": "user", "content": "Use the computer: which colour has the dot on the screen?"}]
    request = {"model": MODEL, "max_tokens": 1024, "tools": [COMPUTER]}
    message = client.chat.completions.create(messages=messages, **request).choices[0].message
    if not message.tool_calls:
        sys.exit(f"The model did not use the computer; it said: {message.content}")

    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls:
        print(f"Action: {call.function.name}({call.function.arguments})")
        # A real program would do the action here, and send a picture of the screen after it.
        screen = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
        messages.append({"role": "tool", "tool_call_id": call.id, "content": [screen]})
    text = client.chat.completions.create(messages=messages, **request).choices[0].message.content
    if not text:
        sys.exit("There is no final answer after the screenshot.")
    print(f"Final answer: {text}")


def main() -> None:
    client = connect()
    try:
        computer_use(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
