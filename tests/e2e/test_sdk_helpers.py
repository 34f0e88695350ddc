"""The helpers of the Anthropic SDK on /v1/messages, answered by Claude and, through the adapter, by an OpenAI-format provider."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import pydantic
import pytest

from tests.e2e.gateway import GATEWAY_KEY, Server

MODELS = pytest.mark.parametrize(
    "model",
    ["@sim-anthropic/claude-haiku-4-5", "@sim-anthropic/claude-opus-5-5", "@sim-openai/gpt-4.1"],
    ids=["haiku", "opus", "adapter"],
)
WEATHER: Any = {
    "name": "get_weather",
    "description": "Return the weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
QUESTIONS: dict[str, dict[str, Any]] = {
    "text": {"messages": [{"role": "user", "content": "Hello ☂"}]},
    "tools": {
        "messages": [{"role": "user", "content": "weather? [[sim: tool=get_weather, parallel=3]]"}],
        "tools": [WEATHER],
    },
    "cut": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3},
}


class Person(pydantic.BaseModel):
    name: str
    age: int
    pets: list[str]


def connect(gateway: Server) -> anthropic.Anthropic:
    http = anthropic.DefaultHttpxClient(trust_env=False)
    return anthropic.Anthropic(api_key=GATEWAY_KEY, base_url=gateway.url, max_retries=0, http_client=http)


def comparable(message: Any) -> dict[str, Any]:
    """Return a message without its ids and without what the SDK adds."""
    found: dict[str, Any] = message.to_dict()
    blocks = [{key: value for key, value in block.items() if key != "parsed_output"} for block in found["content"]]
    return {"content": blocks, "stop_reason": found["stop_reason"], "output": found["usage"]["output_tokens"]}


@MODELS
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_an_accumulated_stream_is_the_message(question: dict[str, Any], model: str, gateway: Server) -> None:
    body = {"model": model, "max_tokens": 4000} | question
    with connect(gateway) as claude:
        whole = claude.messages.create(**body)
        with claude.messages.stream(**body) as stream:
            text = "".join(stream.text_stream)
            streamed = stream.get_final_message()
    assert comparable(streamed) == comparable(whole)
    assert text == "".join(block.text for block in whole.content if block.type == "text")


@MODELS
def test_an_answer_is_parsed_whole_and_streamed(model: str, gateway: Server) -> None:
    body: dict[str, Any] = {"model": model, "max_tokens": 2000, "messages": [{"role": "user", "content": "Who?"}]}
    with connect(gateway) as claude:
        parsed = claude.messages.parse(**body, output_format=Person).parsed_output
        with claude.messages.stream(**body, output_format=Person) as stream:
            streamed = stream.get_final_message().parsed_output
    assert isinstance(parsed, Person)
    assert streamed == parsed


@MODELS
def test_the_asynchronous_client_does_the_same(model: str, gateway: Server) -> None:
    body: dict[str, Any] = {"model": model, "max_tokens": 2000, "messages": [{"role": "user", "content": "Who?"}]}

    async def run() -> tuple[Any, Any, Any]:
        http = anthropic.DefaultAsyncHttpxClient(trust_env=False)
        options: dict[str, Any] = {"api_key": GATEWAY_KEY, "base_url": gateway.url, "max_retries": 0}
        async with anthropic.AsyncAnthropic(**options, http_client=http) as claude:
            whole = await claude.messages.create(**body)
            async with claude.messages.stream(**body) as stream:
                streamed = await stream.get_final_message()
            parsed = await claude.messages.parse(**body, output_format=Person)
            return whole, streamed, parsed.parsed_output

    whole, streamed, parsed = asyncio.run(run())
    assert comparable(streamed) == comparable(whole)
    assert isinstance(parsed, Person)


@MODELS
def test_tokens_are_counted(model: str, gateway: Server) -> None:
    with connect(gateway) as claude:
        fields: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hello " * 100}]}
        counted = claude.messages.count_tokens(**fields, tools=[WEATHER], system="Be brief.")
        alike = claude.beta.messages.count_tokens(**fields, tools=[WEATHER], system="Be brief.")
    assert counted.input_tokens == alike.input_tokens > 100
