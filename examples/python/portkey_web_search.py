"""Claude's web search through Lockgate with the portkey-ai SDK: citations, and a second turn that keeps them.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_web_search.py
"""

import os
import sys
from typing import Any

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-haiku-4-5")
WEB_SEARCH = {"type": "web_search", "web_search": {"name": "web_search_20250305", "max_uses": 2}}


def connect() -> Portkey:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    # What OpenAI's API does not know (here: citations) comes back only without strict compliance.
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"], strict_open_ai_compliance=False)


def sources_of(message: dict[str, Any]) -> list[str]:
    cited = [citation for block in message["content_blocks"] for citation in block.get("citations") or []]
    return sorted({citation["url"] for citation in cited})


def search(client: Portkey) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "What is the latest news on Poland?"}]
    for name in ("Answer", "Second answer"):
        reply = client.chat.completions.create(model=MODEL, max_tokens=1024, messages=messages, tools=[WEB_SEARCH])
        message = reply.choices[0].message.model_dump(exclude_none=True)
        if not message.get("content") or not sources_of(message):
            sys.exit(f"The answer cites nothing: {message}")
        print(f"{name}: {message['content']}")
        print(f"Sources: {', '.join(sources_of(message))}")
        # The content blocks hold what was found; sent back whole, Claude can cite it again.
        messages += [message, {"role": "user", "content": "Search for the latest news on Norway, too."}]


def main() -> None:
    client = connect()
    try:
        search(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
