"""Message batches through Lockgate with the Anthropic SDK: create one, wait for it, read its results.

pip install anthropic
LOCKGATE_API_KEY=... python anthropic_batches.py
"""

import os
import sys
import time

from anthropic import Anthropic, AnthropicError

# "@slug/model": the slug names a provider that Lockgate knows; all requests of a batch name the same one.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
QUESTIONS = {"france": "What is the capital of France?", "norway": "What is the capital of Norway?"}
POLL_S = 1.0


def requests() -> list[dict[str, object]]:
    return [
        {
            "custom_id": name,
            "params": {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": question}]},
        }
        for name, question in QUESTIONS.items()
    ]


def connect() -> Anthropic:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    # This SDK adds /v1 by itself, so its base URL is the bare origin.
    return Anthropic(base_url=origin, api_key=os.environ["LOCKGATE_API_KEY"])


def run(client: Anthropic) -> str:
    batch = client.messages.batches.create(requests=requests())
    print(f"Created: {batch.id}")
    # Lockgate remembers which provider keeps the batch: from here on its id is enough.
    while (batch := client.messages.batches.retrieve(batch.id)).processing_status != "ended":
        time.sleep(POLL_S)
    print(f"Ended: {batch.request_counts.succeeded} of {len(QUESTIONS)} requests succeeded")
    return batch.id


def read(client: Anthropic, batch_id: str) -> None:
    for line in client.messages.batches.results(batch_id):
        if line.result.type != "succeeded":
            sys.exit(f"{line.custom_id}: {line.result.type}")
        text = next(block.text for block in line.result.message.content if block.type == "text")
        print(f"{line.custom_id.title()}: {text}")


def main() -> None:
    client = connect()
    try:
        read(client, run(client))
    except AnthropicError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
