"""Runs a conversation with one tool call by the tool runner of the Anthropic SDK, and says what it sent and was answered.

``tool_runner.mjs`` is its twin. Takes one JSON argument: {"origin", "key", "model", "question", "stream", "headers"}.
It imports nothing of the tests, as it also runs in an environment that has only the SDKs.
"""

import json
import sys

import anthropic

call = json.loads(sys.argv[1])
sent, answers, asked = [], [], []


def watch(response):
    sent.append(json.loads(response.request.content))
    code = None
    if response.status_code >= 400:
        response.read()
        code = (response.json()["error"].get("details") or {}).get("error_code")
    answers.append((response.status_code, code))


@anthropic.beta_tool
def get_weather(city: str) -> str:
    """Return the weather of a city.

    Args:
        city: The name of the city.
    """
    asked.append(city)
    return "12 degrees"


http = anthropic.DefaultHttpxClient(trust_env=False)
http.event_hooks = {"response": [watch]}
client = anthropic.Anthropic(
    api_key=call["key"],
    base_url=call["origin"],
    max_retries=0,
    http_client=http,
    default_headers=call.get("headers") or {},
)
question = {"role": "user", "content": call["question"]}
body = {"model": call["model"], "max_tokens": 500, "messages": [question], "tools": [get_weather]}
if call["stream"]:
    *_, message = (turn.get_final_message() for turn in client.beta.messages.tool_runner(**body, stream=True))
else:
    message = client.beta.messages.tool_runner(**body).until_done()
text = "".join(block.text for block in message.content if block.type == "text")
print(json.dumps({"sent": sent, "answers": answers, "asked": asked, "text": text, "stop_reason": message.stop_reason}))
