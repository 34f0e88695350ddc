"""Makes calls with instructor. Calls and outcomes look as in ``drive_langchain.py``.

Its answers are always objects, and it runs no tools: "tools" is an object by a forced tool whose first version does not
validate, so that the fault goes back as the tool's result; "stream" is a partial object, whose versions are the deltas.
With the anthropic SDK that it pins, it can ask for an object without a tool only by describing the schema in words.
"""

# mypy: disable-error-code="import-not-found"
import json
import sys
from typing import Literal

import anthropic
import instructor
import openai
from pydantic import BaseModel


class Forecast(BaseModel):
    """The weather to come."""

    city: str
    days: int


class Choice(BaseModel):
    """A city that is known."""

    city: Literal["Tromsø", "Oslo"]
    days: int


def connect(call, mode):
    if call["speaks"] == "anthropic":
        client = anthropic.Anthropic(base_url=call["origin"], api_key=call["key"], max_retries=0)
        return instructor.from_anthropic(client, mode=mode)
    client = openai.OpenAI(base_url=f"{call['origin']}/v1", api_key=call["key"], max_retries=0)
    return instructor.from_openai(client, mode=mode)


def arguments(call):
    return {"model": call["model"], "max_tokens": 2000, "messages": [{"role": "user", "content": call["prompt"]}]}


def output_tokens(completion):
    return getattr(completion.usage, "output_tokens", None) or completion.usage.completion_tokens


def use_tools(call):
    client = connect(call, instructor.Mode.TOOLS)
    tried = []
    client.on("completion:response", lambda response: tried.append(response))
    data, completion = client.create_with_completion(response_model=Choice, max_retries=2, **arguments(call))
    return {
        "data": data.model_dump(),
        "usage": output_tokens(completion),
        "deltas": [f"try {n}" for n in range(len(tried))],
    }


def stream(call):
    client = connect(call, instructor.Mode.TOOLS)
    parts = [part.model_dump() for part in client.create_partial(response_model=Forecast, **arguments(call))]
    return {"data": parts[-1], "deltas": parts}


def structure(call):
    words = instructor.Mode.JSON if call["speaks"] == "anthropic" else instructor.Mode.JSON_SCHEMA
    client = connect(call, instructor.Mode.TOOLS if "by a tool" in call["prompt"] else words)
    data, completion = client.create_with_completion(response_model=Forecast, max_retries=0, **arguments(call))
    return {"data": data.model_dump(), "usage": output_tokens(completion)}


ACTIONS = {"tools": use_tools, "stream": stream, "structured": structure}


def drive(call):
    outcome = {"id": call["id"], "text": "", "calls": [], "deltas": [], "data": None, "usage": None, "error": None}
    try:
        outcome |= ACTIONS[call["action"]](call)
    except Exception as error:
        outcome["error"] = f"{type(error).__name__}: {error}"
    return outcome


for line in sys.stdin:
    print(json.dumps([drive(call) for call in json.loads(line)], default=str), flush=True)
