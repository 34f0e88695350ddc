"""Anthropic's beta features through Lockgate with the portkey-ai SDK: flags for all calls of a client, or for one call.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_beta_header.py
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
    return Portkey(
        base_url=f"{origin}/v1",
        api_key=os.environ["LOCKGATE_API_KEY"],
        anthropic_beta="token-efficient-tools-2025-02-19",  # several are joined by commas
    )


def ask(client: Portkey, **options: object) -> str:
    reply = client.chat.completions.create(
        model=MODEL, max_tokens=250, messages=[{"role": "user", "content": "What does an AI gateway do?"}], **options
    )
    return reply.choices[0].message.content or sys.exit("The answer is empty.")


def one_flag(client: Portkey) -> None:
    print(f"One flag: {ask(client)}")


def two_flags(client: Portkey) -> None:
    flags = "token-efficient-tools-2025-02-19,context-1m-2025-08-07"
    print(f"Two flags: {ask(client, extra_headers={'x-portkey-anthropic-beta': flags})}")


def main() -> None:
    client = connect()
    try:
        one_flag(client)
        two_flags(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
