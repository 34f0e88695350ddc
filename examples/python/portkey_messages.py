"""Anthropic Messages through Lockgate with the portkey-ai SDK, which has no method for it, but `post`.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_messages.py
"""

import os
import sys
from typing import Any

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")


def connect() -> Portkey:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"])


def text_of(message: dict[str, Any]) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def plain(client: Portkey) -> None:
    # What comes back is Anthropic's own answer, untranslated. For streams use Anthropic's SDK or curl:
    # this one's reader passes over events that have a name, and all of Anthropic's have one.
    reply = client.post(
        "/messages",
        model=MODEL,
        max_tokens=250,
        system="You answer in one sentence.",
        messages=[{"role": "user", "content": "What is the weather like in Chennai?"}],
    )
    message = reply.model_dump()
    if message.get("type") != "message" or not text_of(message):
        sys.exit(f"The answer is empty: {message}")
    print(f"Message: {text_of(message)}")
    print(f"Usage: {message['usage']['input_tokens']} tokens in, {message['usage']['output_tokens']} out")


def main() -> None:
    client = connect()
    try:
        plain(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
