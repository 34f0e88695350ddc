"""Prompt caching through Lockgate with the portkey-ai SDK: cache marks on tools, system prompt and question.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_prompt_caching.py
"""

import os
import sys
import uuid

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
SEARCH_TOOL = {
    "type": "function",
    "function": {
        "name": "search_manual",
        "description": "Search other manuals.",
        "parameters": {"type": "object", "properties": {"words": {"type": "string"}}, "required": ["words"]},
    },
}


def connect() -> Portkey:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    # What OpenAI's API does not know (here: cache figures by lifetime) comes back only without strict compliance.
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"], strict_open_ai_compliance=False)


def ask(client: Portkey, manual: str, question: str) -> tuple[int, int]:
    """Return how many tokens the call wrote into the cache and how many it read from it."""
    reply = client.chat.completions.create(
        model=MODEL,
        max_tokens=200,
        # The cached part is what stands before a mark: first the tools, then the system prompt, then the messages.
        tools=[SEARCH_TOOL | {"cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        messages=[
            {
                "role": "system",
                "content": [
                    {"type": "text", "text": "You answer questions about the manual."},
                    {"type": "text", "text": manual, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "text", "text": question, "cache_control": {"type": "ephemeral"}}],
            },
        ],
    )
    usage = reply.usage.model_dump()
    return usage.get("cache_creation_input_tokens") or 0, usage.get("cache_read_input_tokens") or 0


def caching(client: Portkey) -> None:
    # A new manual for each run, so that the first call always has to write it into the cache.
    manual = f"Manual {uuid.uuid4()}. " + "Hold the red button for ten seconds to reset it. " * 600
    for name, question in (("First call", "How do I reset it?"), ("Second call", "Which button is it?")):
        written, read = ask(client, manual, question)
        print(f"{name}: wrote {written} tokens, read {read} tokens")
        if (read > written) != (name == "Second call"):
            sys.exit("The cache was not used as expected.")


def main() -> None:
    client = connect()
    try:
        caching(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
