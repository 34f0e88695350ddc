"""A fallback through Lockgate with the portkey-ai SDK: the first target fails and the next one answers, also streamed.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_fallback.py
"""

import os
import sys

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
SLUG = MODEL.partition("/")[0]
CONFIG = {
    "strategy": {"mode": "fallback"},
    "retry": {"attempts": 2, "on_status_codes": [429, 529], "use_retry_after_headers": True},
    "request_timeout": 60_000,
    "targets": [
        # No provider has this model, so this target always fails; yours would fail only now and then.
        {"override_params": {"model": f"{SLUG}/no-such-model"}},
        {"override_params": {"model": MODEL}},
    ],
}
REQUEST = {"model": MODEL, "max_tokens": 250, "messages": [{"role": "user", "content": "What is a fallback?"}]}


def connect(config: dict[str, object]) -> Portkey:
    """The config goes along with each request of this client."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"], config=config)


def whole(client: Portkey) -> None:
    reply = client.chat.completions.create(**REQUEST)
    text = reply.choices[0].message.content or sys.exit("The answer is empty.")
    headers = reply.get_headers()
    print(f"Answer: {text}")
    print(f"Answered by: {headers['last-used-option-index']} after {headers['retry-attempt-count']} retries")


def streamed(client: Portkey) -> None:
    """A stream that fails before its first event moves on, too; after that it ends with an error."""
    text, finish_reason = "", None
    for chunk in client.chat.completions.create(**REQUEST, stream=True):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish_reason = choice.finish_reason or finish_reason
    if not text or finish_reason is None:
        sys.exit("The stream was not complete.")
    print(f"Streamed: {text}")


def main() -> None:
    client = connect(CONFIG)
    try:
        whole(client)
        streamed(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
