"""Images through Lockgate with the portkey-ai SDK: a data URI in the OpenAI format, whole and streamed.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_vision.py
"""

import os
import sys

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
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
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"])


def question(text: str) -> list[dict[str, object]]:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    return [{"role": "user", "content": [image, {"type": "text", "text": text}]}]


def whole(client: Portkey) -> None:
    reply = client.chat.completions.create(model=MODEL, max_tokens=300, messages=question("What's in this image?"))
    text = reply.choices[0].message.content
    if not text:
        sys.exit("The answer is empty.")
    print(f"Image: {text}")


def streamed(client: Portkey) -> None:
    messages = question("Which colours has it?")
    print("Streamed: ", end="")
    finish_reason = None
    for chunk in client.chat.completions.create(model=MODEL, max_tokens=300, messages=messages, stream=True):
        for choice in chunk.choices:
            print(choice.delta.content or "", end="", flush=True)
            finish_reason = choice.finish_reason or finish_reason
    print()
    if finish_reason is None:
        sys.exit("The stream was not complete.")


def main() -> None:
    client = connect()
    try:
        whole(client)
        streamed(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
