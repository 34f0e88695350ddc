"""Files through Lockgate with the Anthropic SDK: upload one, ask about it, list it, delete it.

pip install anthropic
LOCKGATE_API_KEY=... python anthropic_files.py
"""

import os
import sys

from anthropic import Anthropic, AnthropicError

# "@slug" names a provider that Lockgate knows. A file has no model in its body that could name it, so a header does.
PROVIDER = os.environ.get("LOCKGATE_PROVIDER", "@anthropic")
MODEL = os.environ.get("LOCKGATE_MODEL", f"{PROVIDER}/claude-sonnet-5-5")
TEXT = b"Grass is green. The sky is blue."


def connect() -> Anthropic:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    # This SDK adds /v1 by itself, so its base URL is the bare origin.
    return Anthropic(
        base_url=origin, api_key=os.environ["LOCKGATE_API_KEY"], default_headers={"x-portkey-provider": PROVIDER}
    )


def upload(client: Anthropic) -> str:
    file = client.files.upload(file=("colours.txt", TEXT, "text/plain"))
    print(f"Uploaded: {file.filename}, {file.size_bytes} bytes, {file.id}")
    return file.id


def ask(client: Anthropic, file_id: str) -> None:
    document = {"type": "document", "source": {"type": "file", "file_id": file_id}}
    question = {"type": "text", "text": "Which colours are named?"}
    message = client.messages.create(
        model=MODEL, max_tokens=1000, messages=[{"role": "user", "content": [document, question]}]
    )
    print(f"Answer: {next(block.text for block in message.content if block.type == 'text')}")


def find(client: Anthropic, file_id: str) -> None:
    # The SDK asks for the following pages by itself.
    count = sum(file.id == file_id for file in client.files.list())
    print(f"Found: {count} time in the list")


def delete(client: Anthropic, file_id: str) -> None:
    print(f"Deleted: {client.files.delete(file_id).id}")


def main() -> None:
    client = connect()
    try:
        file_id = upload(client)
        ask(client, file_id)
        find(client, file_id)
        delete(client, file_id)
    except AnthropicError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
