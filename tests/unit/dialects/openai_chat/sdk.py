"""OpenAI's own SDK with a transport that answers from memory: the judge of what we read and write."""

from __future__ import annotations

import json

import httpx
from openai import OpenAI


def client(body=b"{}", *, status=200, content_type="application/json", seen=None):
    """Return a client that gets this answer to everything; ``seen`` collects the bodies that it sends."""

    def answer(request):
        if seen is not None:
            seen.append(request.content)
        return httpx.Response(status, content=body, headers={"content-type": content_type})

    transport = httpx.MockTransport(answer)
    return OpenAI(
        api_key="key",
        base_url="http://gateway.invalid/v1",
        http_client=httpx.Client(transport=transport),
        max_retries=0,
    )


def streaming(stream):
    """Return a client that gets this stream as the answer to everything."""
    return client(stream, content_type="text/event-stream; charset=utf-8")


ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": '{"name": "Ann", "age": 31}'},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
}


def sent(method="create", **fields):
    """Return the body that a method of the SDK sends for a call."""
    seen = []
    fields = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    with client(json.dumps(ANSWER).encode(), seen=seen) as found:
        getattr(found.chat.completions, method)(**fields)
    return seen[0]


def exhausted(value):
    """Walk through all that a validator left lazy, so that it is validated, too."""
    if isinstance(value, dict):
        return {key: exhausted(item) for key, item in value.items()}
    if isinstance(value, str | int | float | None):
        return value
    return [exhausted(item) for item in value]
