"""OpenAI's SDK reads the streams that we write, chunk by chunk and summed up."""

from __future__ import annotations

import json

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from lockgate.core.chunk import Start, StreamError, TextDelta
from lockgate.dialects.openai_chat import DIALECT
from lockgate.errors import StreamCut
from tests.unit.dialects.openai_chat.replies import REPLIES, stream_of
from tests.unit.dialects.openai_chat.samples import events, speak, view
from tests.unit.dialects.openai_chat.sdk import streaming

QUESTION = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("include_usage", [True, False])
@pytest.mark.parametrize("name", REPLIES)
def test_strict_chunks_are_of_the_sdks_type(name, include_usage):
    for event in events(speak(stream_of(REPLIES[name]), include_usage=include_usage))[:-1]:
        ChatCompletionChunk.model_validate(event, strict=True)


@pytest.mark.parametrize("include_usage", [True, False])
@pytest.mark.parametrize("name", [name for name in REPLIES if name != "cut off"])
def test_the_sdk_sums_a_stream_up_to_the_whole_reply(name, include_usage):
    whole = ChatCompletion.model_validate_json(DIALECT.write_reply(REPLIES[name], view()))
    with (
        streaming(speak(stream_of(REPLIES[name]), include_usage=include_usage)) as client,
        client.chat.completions.stream(model="m", messages=QUESTION) as stream,
    ):
        for _ in stream:
            pass
        found = stream.get_final_completion()
    assert (found.id, found.model, found.usage) == (whole.id, whole.model, whole.usage)
    assert found.choices[0].finish_reason == whole.choices[0].finish_reason
    assert (found.choices[0].message.content or "") == whole.choices[0].message.content
    assert calls(found) == calls(whole)


def test_the_sdk_says_that_a_stream_was_cut_off_by_its_limit():
    with (
        streaming(speak(stream_of(REPLIES["cut off"]))) as client,
        client.chat.completions.stream(model="m", messages=QUESTION) as stream,
        pytest.raises(openai.LengthFinishReasonError) as caught,
    ):
        stream.get_final_completion()
    assert caught.value.completion.choices[0].message.content == "to be cont"


def calls(completion):
    found = completion.choices[0].message.tool_calls or ()
    return [(call.id, call.function.name, json.loads(call.function.arguments)) for call in found]


@pytest.mark.parametrize("name", REPLIES)
def test_the_sdk_takes_streams_beyond_its_own_fields(name):
    with streaming(speak(stream_of(REPLIES[name]), strict=False)) as client:
        found = list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
    assert found[-1].choices[0].finish_reason == REPLIES[name].stop_reason


def test_the_sdk_raises_on_a_providers_error():
    stream = speak([Start("m", "m"), TextDelta(0, "x"), StreamError("overloaded_error", "Overloaded")])
    with streaming(stream) as client, pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
    assert caught.value.message == "anthropic error: Overloaded"
    assert caught.value.type == "overloaded_error"


def test_the_sdk_raises_on_an_error_of_ours():
    writer = DIALECT.stream_writer(view())
    stream = writer.write([Start("m", "m"), TextDelta(0, "x")]) + writer.error(StreamCut("The stream was cut"))
    with streaming(stream) as client, pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
    assert caught.value.message == "The stream was cut"
    assert caught.value.type == "stream_incomplete"
