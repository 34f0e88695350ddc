"""Makes calls with Pydantic AI. Calls and outcomes look as in ``drive_langchain.py``."""

# mypy: disable-error-code="import-not-found"
import asyncio
import json
import sys

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.anthropic import anthropic_model_profile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class Forecast(BaseModel):
    """The weather to come."""

    city: str
    days: int


def make_model(call):
    if call["speaks"] == "anthropic":
        provider = AnthropicProvider(base_url=call["origin"], api_key=call["key"])
        # It knows what a model can do by its bare name only, so it has to be told. The limit is for the other maker's model.
        profile = anthropic_model_profile("claude-sonnet-4-6")
        return AnthropicModel(call["model"], provider=provider, profile=profile, settings={"max_tokens": 2000})
    provider = OpenAIProvider(base_url=f"{call['origin']}/v1", api_key=call["key"])
    return OpenAIChatModel(call["model"], provider=provider)


async def use_tools(call, called):
    agent = Agent(make_model(call))

    @agent.tool_plain
    def get_weather(city: str, days: int) -> str:
        """Tell the weather of a city for some days."""
        called.append({"city": city, "days": days})
        return f"{city}: {days} days of snow ❄"

    result = await agent.run(call["prompt"])
    return {"text": result.output, "usage": result.usage.output_tokens}


async def stream(call, called):
    async with Agent(make_model(call)).run_stream(call["prompt"]) as result:
        deltas = [delta async for delta in result.stream_text(delta=True, debounce_by=None)]
        return {"text": "".join(deltas), "deltas": deltas, "usage": result.usage.output_tokens}


async def structure(call, called):
    output = ToolOutput(Forecast) if "by a tool" in call["prompt"] else NativeOutput(Forecast)
    result = await Agent(make_model(call), output_type=output).run(call["prompt"])
    return {"data": result.output.model_dump(), "usage": result.usage.output_tokens}


ACTIONS = {"tools": use_tools, "stream": stream, "structured": structure}


async def drive(call):
    called = []
    outcome = {"id": call["id"], "text": "", "deltas": [], "data": None, "usage": None, "error": None}
    try:
        outcome |= await ACTIONS[call["action"]](call, called)
    except Exception as error:
        outcome["error"] = f"{type(error).__name__}: {error}"
    return outcome | {"calls": called}


async def drive_all(calls):
    return [await drive(call) for call in calls]


with asyncio.Runner() as runner:
    for line in sys.stdin:
        print(json.dumps(runner.run(drive_all(json.loads(line))), default=str), flush=True)
