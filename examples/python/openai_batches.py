"""Claude's batches through Lockgate with the OpenAI SDK: create one, wait for it, read its output.

pip install openai
LOCKGATE_API_KEY=... python openai_batches.py
"""

import json
import os
import sys
import time

import httpx
from openai import OpenAI, OpenAIError
from openai.types import Batch

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


def connect() -> OpenAI:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return OpenAI(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"])


def run(client: OpenAI) -> str:
    # Claude's batches hold their requests, and those are Messages; this SDK's own method wants a file of chat calls.
    batch = client.post("/batches", body={"requests": requests()}, cast_to=Batch)
    print(f"Created: {batch.id}")
    while (batch := client.batches.retrieve(batch.id)).status in ("in_progress", "cancelling"):
        time.sleep(POLL_S)
    print(f"Ended: {batch.request_counts.completed} of {batch.request_counts.total} requests completed")
    return batch.id


def read(client: OpenAI, batch_id: str) -> None:
    output = client.get(f"/batches/{batch_id}/output", cast_to=httpx.Response)
    for line in map(json.loads, output.text.splitlines()):
        if line["result"]["type"] != "succeeded":
            sys.exit(f"{line['custom_id']}: {line['result']['type']}")
        text = next(block["text"] for block in line["result"]["message"]["content"] if block["type"] == "text")
        print(f"{line['custom_id'].title()}: {text}")


def main() -> None:
    client = connect()
    try:
        read(client, run(client))
    except OpenAIError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
