"""The official SDKs of Python in one shape, so that one test asks by each of them: what was said, headers, the error."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx
import openai
from portkey_ai import Portkey

from lockgate.core.record import Record
from tests.e2e.gateway import GATEWAY_KEY, Server
from tests.e2e.journaled import record_of

SDKS = ["anthropic", "openai", "portkey"]
CLAUDE = "claude-haiku-4-5-20251001"
GPT = "gpt-4.1"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@dataclass
class Outcome:
    """What became of one call. ``error`` is the SDK's exception."""

    tag: str
    text: str = ""
    tools: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    is_complete: bool = False
    error: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    """How many HTTP requests the SDK made of it."""
    message: Any = None
    """What the SDK made of the answer, to be sent back."""

    @property
    def status(self) -> int:
        return int(self.error.status_code) if self.error is not None else 200

    @property
    def path(self) -> str:
        return self.headers["x-portkey-last-used-option-index"]

    @property
    def retries(self) -> str:
        return self.headers["x-portkey-retry-attempt-count"]

    @property
    def cache(self) -> str:
        return self.headers["x-portkey-cache-status"]

    def record(self, gateway: Server) -> Record:
        """Return the one record of the exchange."""
        return record_of(gateway, self.headers["x-portkey-request-id"])


class Asker:
    """One SDK towards one gateway."""

    def __init__(self, sdk: str, gateway: Server, *, key: str = GATEWAY_KEY, max_retries: int = 0) -> None:
        self.sdk = sdk
        self._seen: list[httpx.Response] = []
        hooks: dict[str, list[Any]] = {"response": [self._seen.append]}
        if sdk == "anthropic":
            http: Any = anthropic.DefaultHttpxClient(trust_env=False, event_hooks=hooks)
            options: dict[str, Any] = {"base_url": gateway.url, "api_key": key}
            self.client: Any = anthropic.Anthropic(**options, max_retries=max_retries, http_client=http)
        elif sdk == "openai":
            http = openai.DefaultHttpxClient(trust_env=False, event_hooks=hooks)
            options = {"base_url": f"{gateway.url}/v1", "api_key": key}
            self.client = openai.OpenAI(**options, max_retries=max_retries, http_client=http)
        else:
            http = httpx.Client(trust_env=False, event_hooks=hooks, timeout=60)
            self.client = Portkey(
                base_url=f"{gateway.url}/v1", api_key=key, http_client=http, strict_open_ai_compliance=True
            )
        self._close = http.close

    def ask(
        self,
        text: str = "Hello",
        *,
        config: dict[str, Any] | str | None = None,
        model: str = CLAUDE,
        is_stream: bool = False,
        headers: dict[str, str] | None = None,
        messages: list[Any] | None = None,
        has_tool: bool = False,
        tag: str | None = None,
        **more: Any,
    ) -> Outcome:
        """Ask one thing. ``tag`` is part of the text, so that the request is found again at the simulator."""
        outcome = Outcome(tag=tag or uuid.uuid4().hex)
        self._seen.clear()
        sent = dict(headers or {})
        if config is not None:
            sent["x-portkey-config"] = config if isinstance(config, str) else json.dumps(config)
        body = {"model": model, "max_tokens": 500, "extra_headers": sent, **more}
        body["messages"] = messages or [{"role": "user", "content": f"{text} {outcome.tag}"}]
        if has_tool:
            body["tools"] = [self._tool()]
        run = self._ask_claude if self.sdk == "anthropic" else self._ask_chat
        try:
            run(body, outcome, is_stream=is_stream)
        except Exception as error:
            # Portkey brings a copy of OpenAI's classes along
            if type(error).__module__.split(".")[0] not in ("anthropic", "openai", "portkey_ai"):
                raise
            outcome.error = error
        outcome.calls = len(self._seen)
        if self._seen:
            outcome.headers = dict(self._seen[-1].headers)
        return outcome

    def _tool(self) -> dict[str, Any]:
        head = {"name": "get_weather", "description": "Return the weather of a city."}
        if self.sdk == "anthropic":
            return {**head, "input_schema": SCHEMA}
        return {"type": "function", "function": {**head, "parameters": SCHEMA}}

    def _ask_claude(self, body: dict[str, Any], outcome: Outcome, *, is_stream: bool) -> None:
        if is_stream:
            with self.client.messages.stream(**body) as stream:
                for event in stream:
                    if event.type == "text":
                        outcome.text += event.text
                message = stream.get_final_message()
        else:
            message = self.client.messages.create(**body)
            outcome.text = "".join(block.text for block in message.content if block.type == "text")
        outcome.tools = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
        outcome.is_complete = message.stop_reason is not None
        outcome.message = {"role": "assistant", "content": [block.to_dict() for block in message.content]}

    def _ask_chat(self, body: dict[str, Any], outcome: Outcome, *, is_stream: bool) -> None:
        calls: dict[int, list[str]] = {}
        more: dict[str, Any] = {}
        if is_stream:
            finish = None
            for chunk in self.client.chat.completions.create(**body, stream=True):
                for choice in chunk.choices:
                    outcome.text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
                    for call in choice.delta.tool_calls or ():
                        parts = calls.setdefault(call.index, ["", "", ""])
                        parts[0] += call.id or ""
                        parts[1] += call.function.name or ""
                        parts[2] += call.function.arguments or ""
            outcome.is_complete = finish is not None
        else:
            choice = self.client.chat.completions.create(**body).choices[0]
            outcome.text = choice.message.content or ""
            if blocks := (choice.message.model_extra or {}).get("content_blocks"):
                more["content_blocks"] = blocks
            for index, call in enumerate(choice.message.tool_calls or ()):
                calls[index] = [call.id, call.function.name, call.function.arguments]
            outcome.is_complete = choice.finish_reason is not None
        outcome.tools = [(name, json.loads(arguments)) for _, name, arguments in calls.values()]
        outcome.message = {
            "role": "assistant",
            "content": outcome.text or None,
            **more,
        }
        if calls:
            outcome.message["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id, name, arguments in calls.values()
            ]

    def answer_tools(self, message: dict[str, Any], result: str) -> list[dict[str, Any]]:
        """Return the turn that answers the tool calls of an answer."""
        if self.sdk == "anthropic":
            uses = [block for block in message["content"] if block["type"] == "tool_use"]
            results = [{"type": "tool_result", "tool_use_id": use["id"], "content": result} for use in uses]
            return [{"role": "user", "content": results}]
        return [{"role": "tool", "tool_call_id": call["id"], "content": result} for call in message["tool_calls"]]

    def close(self) -> None:
        self._close()


def askers(gateway: Server) -> Iterator[dict[str, Asker]]:
    """Yield an asker for each SDK."""
    made = {sdk: Asker(sdk, gateway) for sdk in SDKS}
    yield made
    for asker in made.values():
        asker.close()
