"""Makes calls with the Python SDKs of the interpreter that runs it, and says what came of each.

Reads lines from standard input, each a JSON list of calls, and answers each with a JSON list of outcomes. It imports nothing of the
tests, as it also runs in an environment that has only the SDKs. ``drive.mjs`` is its twin; a call looks like this
(all but the first four may be left out):

    {"id": "x", "sdk": "anthropic" | "openai" | "portkey", "origin": "http://...", "model": "@slug/model",
     "action": "create" | "models" | "files" | "count_tokens", "path": "/v1", "text": "...", "stream": false, "max_tokens": 100,
     "api_key": null, "auth_token": null, "headers": {}, "max_retries": 0, "pad_bytes": 0, "options": {}}
"""

import json
import sys


def connect(call):
    options = dict(call.get("options") or {})
    if call.get("headers"):
        options["default_headers"] = call["headers"]
    if call.get("auth_token"):
        options["auth_token"] = call["auth_token"]
    if call.get("api_key"):
        options["api_key"] = call["api_key"]
    options["base_url"] = call["origin"] + call.get("path", "" if call["sdk"] == "anthropic" else "/v1")
    if call["sdk"] == "portkey":
        from portkey_ai import Portkey

        options.pop("default_headers", None)
        return Portkey(**options, **(call.get("headers") or {}))
    options["max_retries"] = call.get("max_retries", 0)
    if call["sdk"] == "anthropic":
        from anthropic import Anthropic

        return Anthropic(**options)
    from openai import OpenAI

    return OpenAI(**options)


def body_of(call):
    text = call.get("text", "Hello") + "x" * call.get("pad_bytes", 0)
    body = {"model": call["model"], "messages": [{"role": "user", "content": text}]}
    if call.get("max_tokens", 100) is not None and call.get("action") != "count_tokens":
        body["max_tokens"] = call.get("max_tokens", 100)
    return body


def run_anthropic(client, call, outcome):
    body = body_of(call)
    if call.get("action") == "models":
        outcome["models"] = [model.id for model in client.models.list()]
    elif call.get("action") == "files":
        outcome["files"] = [file.id for file in client.beta.files.list(limit=15)]
    elif call.get("action") == "count_tokens":
        outcome["text"] = str(client.messages.count_tokens(**body).input_tokens)
    elif "max_tokens" not in body:
        # The typed method refuses this before it sends anything.
        client.post("/v1/messages", body=body, cast_to=object)
    elif call.get("stream"):
        for event in client.messages.create(**body, stream=True):
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                outcome["text"] += event.delta.text
            outcome["is_complete"] = event.type == "message_stop"
    else:
        message = client.messages.create(**body)
        outcome["text"] = "".join(block.text for block in message.content if block.type == "text")
        outcome["model"] = message.model
    outcome["is_complete"] = outcome["is_complete"] or not call.get("stream")


def run_chat(client, call, outcome):
    if call.get("action") == "models":
        outcome["models"] = [model.id for model in client.models.list().data]
    elif call.get("action") == "files":
        outcome["files"] = [file.id for file in client.files.list(limit=15)]
    elif call.get("stream"):
        for chunk in client.chat.completions.create(**body_of(call), stream=True):
            for choice in chunk.choices:
                outcome["text"] += choice.delta.content or ""
                outcome["is_complete"] = outcome["is_complete"] or choice.finish_reason is not None
    else:
        reply = client.chat.completions.create(**body_of(call))
        outcome["text"] = reply.choices[0].message.content
        outcome["model"] = reply.model
    outcome["is_complete"] = outcome["is_complete"] or not call.get("stream")


def describe(error):
    response = getattr(error, "response", None)
    return {
        "class": type(error).__name__,
        "ancestors": [base.__name__ for base in type(error).__mro__],
        "status": getattr(error, "status_code", None),
        "message": str(error),
        "body": getattr(error, "body", None),
        "headers": dict(response.headers) if response is not None else {},
    }


def drive(call):
    outcome = {"id": call["id"], "text": "", "model": None, "is_complete": False, "error": None}
    try:
        client = connect(call)
        (run_anthropic if call["sdk"] == "anthropic" else run_chat)(client, call, outcome)
    except Exception as error:
        outcome["error"] = describe(error)
    return outcome


for line in sys.stdin:
    print(json.dumps([drive(call) for call in json.loads(line)], default=str), flush=True)
