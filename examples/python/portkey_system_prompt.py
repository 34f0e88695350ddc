"""System prompts through Lockgate with the portkey-ai SDK: one, several, and OpenAI's newer developer role.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_system_prompt.py
"""

import os
import sys

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")


def connect() -> Portkey:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"])


def ask(client: Portkey, *instructions: dict[str, str]) -> str:
    reply = client.chat.completions.create(
        model=MODEL, max_tokens=250, messages=[*instructions, {"role": "user", "content": "How do I boil water?"}]
    )
    return reply.choices[0].message.content or sys.exit("The answer is empty.")


def one(client: Portkey) -> None:
    print(f"One: {ask(client, {'role': 'system', 'content': 'You are a snarky assistant.'})}")


def several(client: Portkey) -> None:
    """Claude has one system prompt, made of parts: each message becomes one, in their order."""
    snarky = {"role": "system", "content": "You are a snarky assistant."}
    short = {"role": "developer", "content": "You answer in one sentence."}
    print(f"Several: {ask(client, snarky, short)}")


def main() -> None:
    client = connect()
    try:
        one(client)
        several(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
