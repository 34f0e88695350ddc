"""Load balancing through Lockgate with the portkey-ai SDK: shares by weight, and users who stay where they are.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_load_balancing.py
"""

import collections
import os
import sys

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
TARGETS = [
    {"weight": 3, "override_params": {"model": MODEL}},
    {"weight": 1, "override_params": {"model": MODEL, "temperature": 1}},
]
BALANCED = {"strategy": {"mode": "loadbalance"}, "targets": TARGETS}
STICKY = {
    "strategy": {"mode": "loadbalance", "sticky": {"enabled": True, "hash_fields": ["metadata.user_id"], "ttl": 600}},
    "targets": TARGETS,
}


def connect(config: dict[str, object]) -> Portkey:
    """The config goes along with each request of this client."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"], config=config)


def ask(client: Portkey, **options: object) -> str:
    """Return the target that answered."""
    reply = client.with_options(**options).chat.completions.create(
        model=MODEL, max_tokens=250, messages=[{"role": "user", "content": "Say hi."}]
    )
    if not reply.choices[0].message.content:
        sys.exit("The answer is empty.")
    return reply.get_headers()["last-used-option-index"]


def shares(client: Portkey) -> None:
    """One dice is thrown for each request: over many of them three go to the first target for one to the second."""
    counts = collections.Counter(ask(client) for _ in range(12))
    print("Shares: " + ", ".join(f"{count} at {target}" for target, count in sorted(counts.items())))


def sticky(client: Portkey) -> None:
    """The first request of a user decides where the next ones go."""
    for user in ("ann", "bob"):
        targets = {ask(client, metadata={"user_id": user}) for _ in range(3)}
        if len(targets) > 1:
            sys.exit(f"{user} was sent to several targets: {targets}")
        print(f"Sticky: {user} stays at {targets.pop()}")


def main() -> None:
    try:
        shares(connect(BALANCED))
        sticky(connect(STICKY))
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
