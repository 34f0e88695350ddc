"""Makes calls with LangChain, as ``test_frameworks.py`` asks on standard input, and says what came of each.

All drivers of this folder read lines, each a JSON list of calls, and answer each with a JSON list of outcomes:

    {"id": "x", "speaks": "anthropic" | "openai", "origin": "http://...", "key": "...", "model": "@slug/model",
     "action": "tools" | "stream" | "structured", "prompt": "..."}
    {"id": "x", "text": "...", "calls": [{"city": "...", "days": 1}], "deltas": [...], "data": null, "usage": 7, "error": null}

``calls`` holds the arguments with which the framework called the tool, ``usage`` how many output tokens it was told of.
"""

# mypy: disable-error-code="import-not-found"
import json
import sys

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

called = []


@tool
def get_weather(city: str, days: int) -> str:
    """Tell the weather of a city for some days."""
    called.append({"city": city, "days": days})
    return f"{city}: {days} days of snow ❄"


class Forecast(BaseModel):
    """The weather to come."""

    city: str
    days: int


def make_model(call):
    if call["speaks"] == "anthropic":
        return ChatAnthropic(
            model=call["model"], base_url=call["origin"], api_key=call["key"], max_retries=0, max_tokens=2000
        )
    # Without the last argument the class may choose another API.
    return ChatOpenAI(
        model=call["model"],
        base_url=f"{call['origin']}/v1",
        api_key=call["key"],
        max_retries=0,
        stream_usage=True,
        use_responses_api=False,
    )


def use_tools(model, call):
    able = model.bind_tools([get_weather])
    messages = [HumanMessage(call["prompt"])]
    first = able.invoke(messages)
    results = [get_weather.invoke(request) for request in first.tool_calls]
    answer = able.invoke([*messages, first, *results])
    return {"text": answer.text, "usage": answer.usage_metadata["output_tokens"]}


def stream(model, call):
    chunks = list(model.stream(call["prompt"]))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    deltas = [chunk.text for chunk in chunks if chunk.text]
    return {"text": whole.text, "deltas": deltas, "usage": whole.usage_metadata["output_tokens"]}


def structure(model, call):
    method = "function_calling" if "by a tool" in call["prompt"] else "json_schema"
    return {"data": model.with_structured_output(Forecast, method=method).invoke(call["prompt"]).model_dump()}


ACTIONS = {"tools": use_tools, "stream": stream, "structured": structure}


def drive(call):
    called.clear()
    outcome = {"id": call["id"], "text": "", "deltas": [], "data": None, "usage": None, "error": None}
    try:
        outcome |= ACTIONS[call["action"]](make_model(call), call)
    except Exception as error:
        outcome["error"] = f"{type(error).__name__}: {error}"
    return outcome | {"calls": list(called)}


for line in sys.stdin:
    print(json.dumps([drive(call) for call in json.loads(line)], default=str), flush=True)
