"""The cache of Lockgate with the portkey-ai SDK: an equal question is answered without asking, also as a stream.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_cache.py
"""

import os
import sys
import time

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
CONFIG = {"cache": {"mode": "simple", "max_age": 3600}}
# The time makes it a question that nobody has asked yet.
QUESTION = f"Name one good thing about caches. (Asked at {time.time()}.)"
REQUEST = {"model": MODEL, "max_tokens": 250, "messages": [{"role": "user", "content": QUESTION}]}


def connect(config: dict[str, object]) -> Portkey:
    """The config goes along with each request of this client."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"], config=config)


def ask(client: Portkey, expected: str, **options: object) -> str:
    reply = client.with_options(**options).chat.completions.create(**REQUEST)
    text, status = reply.choices[0].message.content, reply.get_headers()["cache-status"]
    if not text or status != expected:
        sys.exit(f"The cache says {status} where {expected} was expected.")
    return text


def main() -> None:
    client = connect(CONFIG)
    try:
        first = ask(client, "MISS")
        print(f"Asked: {first}")
        if ask(client, "HIT") != first:
            sys.exit("The answer from the cache is another one.")
        print("Asked again: the same answer, from the cache")
        streamed = "".join(
            choice.delta.content or ""
            for chunk in client.chat.completions.create(**REQUEST, stream=True)
            for choice in chunk.choices
        )
        print(f"Streamed: {streamed}")
        print(f"Asked anew: {ask(client, 'REFRESH', cache_force_refresh=True)}")
        print(f"In another namespace: {ask(client, 'MISS', cache_namespace='mine')}")
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
