"""Structured outputs through Lockgate with the portkey-ai SDK: a JSON Schema, streamed too, and a Pydantic model.

pip install portkey-ai pydantic
LOCKGATE_API_KEY=... python portkey_structured_outputs.py
"""

import json
import os
import sys

from portkey_ai import Portkey
from pydantic import BaseModel

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
MESSAGES = [
    {"role": "system", "content": "Extract carefully."},
    {"role": "user", "content": "Ann, 31, writes to ann@example.org"},
]
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "mail": {"type": "string", "format": "email"},
    },
    "required": ["name", "age", "mail"],
    "additionalProperties": False,
}
RESPONSE_FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": SCHEMA}}


def connect() -> Portkey:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return Portkey(base_url=f"{origin}/v1", api_key=os.environ["LOCKGATE_API_KEY"])


def check(answer: str | None) -> str:
    """Return the answer when it is JSON with the keys that the schema asks for."""
    person = json.loads(answer or "null")
    if not isinstance(person, dict) or person.keys() != SCHEMA["properties"].keys():
        sys.exit(f"The answer does not follow the schema: {answer}")
    return json.dumps(person)


def by_schema(client: Portkey) -> None:
    reply = client.chat.completions.create(
        model=MODEL, max_tokens=500, messages=MESSAGES, response_format=RESPONSE_FORMAT
    )
    print(f"JSON Schema: {check(reply.choices[0].message.content)}")


def streamed(client: Portkey) -> None:
    stream = client.chat.completions.create(
        model=MODEL, max_tokens=500, messages=MESSAGES, response_format=RESPONSE_FORMAT, stream=True
    )
    text = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    print(f"Streamed: {check(text)}")


class Person(BaseModel):
    name: str
    age: int
    mail: str


def parsed(client: Portkey) -> None:
    reply = client.chat.completions.parse(model=MODEL, max_tokens=500, messages=MESSAGES, response_format=Person)
    person = reply.choices[0].message.parsed
    if not isinstance(person, Person):
        sys.exit(f"The answer was not parsed: {reply.choices[0].message}")
    print(f"Parsed: {person!r}")


def main() -> None:
    client = connect()
    try:
        by_schema(client)
        streamed(client)
        parsed(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
