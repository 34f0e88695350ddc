"""The official SDKs, pointed straight at the simulator over a socket: they are the judges of its wire format."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import anthropic
import httpx
import httpx2
import openai
import pydantic
import pytest

from lockgate.simulator.app import Simulator
from lockgate.simulator.serve import RunningSimulator, serving_in_thread

HAIKU = "claude-haiku-4-5"
OPUS = "claude-opus-5-5"
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1_000_000},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        },
        "required": ["city", "days", "tags"],
    },
}
FUNCTION = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather.", "parameters": WEATHER["input_schema"]},
}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 20).decode()


class Person(pydantic.BaseModel):
    """What the structured answers are about."""

    name: str
    age: int
    tags: list[str]


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with serving_in_thread(Simulator()) as running:
        yield running


@pytest.fixture(scope="module")
def claude(running) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=running.url, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def gpt(running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=f"{running.url}/v1", max_retries=0) as client:
        yield client


def user(text):
    return [{"role": "user", "content": text}]


# --- Anthropic ----------------------------------------------------------------------------------------------------


def test_a_message(claude):
    message = claude.messages.create(model=HAIKU, max_tokens=500, messages=user("Hello"))
    assert message.content[0].text.startswith("Simulated answer to: Hello.")
    assert message.stop_reason == "end_turn"
    assert message._request_id.startswith("req_")


QUESTIONS = {
    "text": {"messages": user("Hello")},
    "tool": {"messages": user("weather?"), "tools": [WEATHER]},
    "tools": {"messages": user("weather? [[sim: tool=get_weather, parallel=3]]"), "tools": [WEATHER]},
    "forced": {"messages": user("x"), "tools": [WEATHER], "tool_choice": {"type": "any"}},
    "thinking": {"messages": user("Hello"), "thinking": {"type": "enabled", "budget_tokens": 1024}},
    "omitted": {"messages": user("Hello"), "model": OPUS},
    "redacted": {"messages": user("Hello [[sim: redacted]]"), "thinking": {"type": "enabled", "budget_tokens": 1024}},
    "search": {"messages": user("search it"), "tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    "refusal": {"messages": user("x [[sim: stop_reason=refusal, category=bio]]")},
    "cited": {
        "messages": user(
            [
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "Grass is green."},
                    "citations": {"enabled": True},
                },
                {"type": "text", "text": "What colour?"},
            ]
        )
    },
    "image": {
        "messages": user([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}])
    },
    "container": {"messages": user("x"), "container": "container_1"},
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_the_accumulated_stream_is_the_message(claude, question):
    body = {"model": HAIKU, "max_tokens": 4000, **question}
    message = claude.messages.create(**body)
    with claude.messages.stream(**body) as stream:
        streamed = stream.get_final_message()
    dumped = streamed.to_dict()
    for block in dumped["content"]:
        block.pop("parsed_output", None)
    assert dumped == message.to_dict()


@pytest.mark.parametrize("seed", range(25))
def test_awkwardly_torn_arguments_are_accumulated(claude, seed):
    body = {"model": HAIKU, "max_tokens": 4000, "messages": user(f"weather {seed}?"), "tools": [WEATHER]}
    with claude.messages.stream(**body) as stream:
        streamed = stream.get_final_message().content[-1].input
    assert streamed == claude.messages.create(**body).content[-1].input


def test_a_tool_loop_with_thinking(claude):
    messages = user("What is the weather?")
    body = {"model": OPUS, "max_tokens": 4000, "tools": [WEATHER]}
    first = claude.messages.create(**body, messages=messages)
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": first.content[-1].id, "content": "12 degrees"}
    messages = [*messages, {"role": "assistant", "content": first.content}, *user([result])]
    second = claude.messages.create(**body, messages=messages)
    assert "12 degrees" in second.content[-1].text
    messages = [*messages, {"role": "assistant", "content": second.content}, *user("Thanks")]
    assert claude.messages.create(**body, messages=messages).stop_reason == "end_turn"


def test_a_search_goes_on(claude):
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    first = claude.messages.create(model=HAIKU, max_tokens=500, messages=user("search it"), tools=tools)
    messages = [*user("search it"), {"role": "assistant", "content": first.content}, *user("Thanks")]
    assert claude.messages.create(model=HAIKU, max_tokens=500, messages=messages, tools=tools).stop_reason == "end_turn"


def test_a_tool_runner_uses_a_thread(claude, running):
    calls = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: Where.
        """
        calls.append(city)
        return "12 degrees"

    runner = claude.beta.messages.tool_runner(
        model=OPUS, max_tokens=4000, tools=[get_weather], messages=user("weather in Bern?")
    )
    final = runner.until_done()
    assert len(calls) == 1
    assert "12 degrees" in final.content[-1].text
    assert b'"thread":{"type":"continue"' in running.simulator.requests[-1].body.replace(b" ", b"")


def test_a_parsed_answer(claude):
    message = claude.messages.parse(model=HAIKU, max_tokens=500, messages=user("Who?"), output_format=Person)
    assert isinstance(message.parsed_output, Person)


def test_counting_agrees_with_usage(claude):
    body = {"model": HAIKU, "messages": user("Hello"), "tools": [WEATHER], "system": "Be brief."}
    counted = claude.messages.count_tokens(**body).input_tokens
    assert counted == claude.messages.create(**body, max_tokens=50).usage.input_tokens
    assert counted == claude.beta.messages.count_tokens(**body).input_tokens


def test_the_cache_is_written_and_read(claude):
    system = [{"type": "text", "text": "Only here. " * 100, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    body = {"model": HAIKU, "max_tokens": 50, "system": system, "messages": user("Hello")}
    first, second = (claude.messages.create(**body).usage for _ in range(2))
    assert first.cache_creation.ephemeral_1h_input_tokens == first.cache_creation_input_tokens == 275
    assert second.cache_read_input_tokens == 275


def test_models_are_paged(claude):
    found = list(claude.models.list(limit=4))
    assert len(found) > 15
    assert {model.lifecycle for model in found} == {"active", "deprecated"}
    assert {model.lifecycle for model in claude.models.list(lifecycle=["retired"])} == {"retired"}
    assert claude.models.retrieve(HAIKU).capabilities.thinking.types.enabled.supported


@pytest.mark.parametrize(
    "status, error",
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (409, anthropic.ConflictError),
        (422, anthropic.UnprocessableEntityError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.APIStatusError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_each_status_raises_its_error(claude, status, error, stream):
    with pytest.raises(error) as caught:
        claude.messages.create(
            model=HAIKU, max_tokens=50, messages=user(f"x [[sim: status={status}, error_code=odd]]"), stream=stream
        )
    assert caught.value.status_code == status
    assert caught.value.error_code == "odd"
    assert caught.value.request_id


def test_a_refused_request_says_why(claude):
    with pytest.raises(anthropic.BadRequestError, match="foo: Extra inputs are not permitted"):
        claude.messages.create(model=HAIKU, max_tokens=50, messages=user("x"), extra_body={"foo": 1})
    with pytest.raises(anthropic.NotFoundError, match="model: claude-nothing"):
        claude.messages.create(model="claude-nothing", max_tokens=50, messages=user("x"))


@pytest.mark.parametrize(
    "fault, error",
    [
        ("cut=600", (anthropic.APIConnectionError, httpx2.RemoteProtocolError)),
        ("reset=600", (anthropic.APIConnectionError, httpx2.ReadError)),
        ("stream_error=overloaded_error, after=3", anthropic.APIStatusError),
        ("malformed=4", Exception),
    ],
)
def test_a_broken_stream_raises(claude, fault, error):
    text = f"x [[sim: {fault}]]"
    with pytest.raises(error):
        with claude.messages.stream(model=HAIKU, max_tokens=500, messages=user(text)) as stream:
            stream.get_final_message()


@pytest.mark.parametrize("fault", ["cut=20", "reset=0", "reset=20", "hangup=1", "content_length=100000"])
def test_a_broken_answer_raises(claude, fault):
    with pytest.raises(anthropic.APIConnectionError):
        claude.messages.create(model=HAIKU, max_tokens=500, messages=user(f"x [[sim: {fault}]]"))


def test_the_sdk_retries_until_it_works(running):
    with anthropic.Anthropic(api_key="k", base_url=running.url, max_retries=2) as client:
        text = "retry me [[sim: status=529, times=2, retry_after=0.01]]"
        before = len(running.simulator.requests)
        message = client.messages.create(model=HAIKU, max_tokens=50, messages=user(text))
    assert message.content[0].text.startswith("Simulated answer to: retry me")
    tries = running.simulator.requests[before:]
    assert [entry.status for entry in tries] == [529, 529, 200]
    assert [entry.header("x-stainless-retry-count") for entry in tries] == ["0", "1", "2"]


def test_a_client_that_closes_its_stream_is_noticed(claude, running):
    before = running.simulator.counters.aborted
    with claude.messages.stream(model=HAIKU, max_tokens=500, messages=user("x [[sim: stall=5]]")) as stream:
        next(iter(stream))
    with httpx.Client(trust_env=False) as client:
        while client.get(f"{running.url}/_simulator/counters").json()["aborted"] == before:
            pass
        entry = client.get(f"{running.url}/_simulator/requests").json()["requests"][-1]
    assert entry["outcome"] == "aborted"
    assert entry["events_sent"] in range(1, 6)


# --- OpenAI -------------------------------------------------------------------------------------------------------


def test_a_completion(gpt):
    completion = gpt.chat.completions.create(model="gpt-4o", messages=user("Hello"))
    assert completion.choices[0].message.content.startswith("Simulated answer to: Hello.")
    assert completion._request_id.startswith("req_")


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"n": 2},
        {"messages": user("weather"), "tools": [FUNCTION]},
        {"messages": user("weather [[sim: tool=get_weather, parallel=3]]"), "tools": [FUNCTION]},
        {"messages": user("x [[sim: stop_reason=refusal]]")},
        {"logprobs": True, "top_logprobs": 1},
    ],
    ids=["text", "choices", "tool", "tools", "refusal", "logprobs"],
)
def test_the_accumulated_stream_is_the_completion(gpt, question):
    body = {"model": "gpt-4o", "messages": user("Hello"), **question}
    completion = gpt.chat.completions.create(**body)
    with gpt.chat.completions.stream(**body, stream_options={"include_usage": True}) as stream:
        streamed = stream.get_final_completion()
    assert streamed.id == completion.id
    assert streamed.usage == completion.usage
    for one, other in zip(streamed.choices, completion.choices, strict=True):
        assert one.finish_reason == other.finish_reason
        assert (one.message.content or None) == (other.message.content or None)
        assert one.message.refusal == other.message.refusal
        assert [call.function.arguments for call in one.message.tool_calls or ()] == [
            call.function.arguments for call in other.message.tool_calls or ()
        ]


def test_a_parsed_completion(gpt):
    completion = gpt.chat.completions.parse(model="gpt-4o", messages=user("Who?"), response_format=Person)
    assert isinstance(completion.choices[0].message.parsed, Person)


def test_a_tool_loop(gpt):
    messages = user("weather?")
    message = gpt.chat.completions.create(model="gpt-5", messages=messages, tools=[FUNCTION]).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "12 degrees"}
    answer = gpt.chat.completions.create(model="gpt-5", messages=[*messages, message, result], tools=[FUNCTION])
    assert "12 degrees" in answer.choices[0].message.content


def test_openai_models_are_listed(gpt):
    assert "gpt-4o" in {model.id for model in gpt.models.list()}
    assert gpt.models.retrieve("gpt-4o").object == "model"


@pytest.mark.parametrize(
    "status, error",
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_each_status_raises_its_openai_error(gpt, status, error):
    with pytest.raises(error) as caught:
        gpt.chat.completions.create(model="gpt-4o", messages=user(f"x [[sim: status={status}]]"))
    assert caught.value.status_code == status
    assert caught.value.message


@pytest.mark.parametrize(
    "fault, error",
    [
        ("cut=900", (openai.APIConnectionError, httpx.RemoteProtocolError)),
        ("reset=900", (openai.APIConnectionError, httpx.ReadError)),
        ("stream_error=server_error, after=2", openai.APIError),
        ("malformed=3", Exception),
    ],
)
def test_a_broken_openai_stream_raises(gpt, fault, error):
    stream = gpt.chat.completions.create(model="gpt-4o", messages=user(f"x [[sim: {fault}]]"), stream=True)
    with pytest.raises(error):
        list(stream)
