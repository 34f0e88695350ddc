"""Has one conversation with the Claude Agent SDK, as told by the JSON on standard input, and prints what it was given.

    {"prompt": "...", "model": "...", "environment": {"NAME": "..."}}
    {"texts": ["..."], "tools": ["..."], "results": ["..."], "deltas": 12, "is_error": false, "result": "...", "asked": ["..."]}

``asked`` holds what the tool was asked that runs in this very process.
"""

# mypy: disable-error-code="import-not-found"
import asyncio
import json
import sys

import claude_agent_sdk as sdk

asked = []


@sdk.tool("look_up", "Look up a word", {"word": str})
async def look_up(arguments):
    asked.append(arguments["word"])
    return {"content": [{"type": "text", "text": f"{arguments['word']}: a kind of snow ❄"}]}


def make_options(order):
    return sdk.ClaudeAgentOptions(
        model=order["model"],
        env=order["environment"],
        mcp_servers={"desk": sdk.create_sdk_mcp_server("desk", tools=[look_up])},
        allowed_tools=["mcp__desk__look_up", "Bash(echo:*)"],
        max_turns=4,
        include_partial_messages=True,
        setting_sources=[],
    )


async def converse(order):
    outcome = {"texts": [], "tools": [], "results": [], "deltas": 0, "asked": asked}
    async for message in sdk.query(prompt=order["prompt"], options=make_options(order)):
        if isinstance(message, sdk.AssistantMessage):
            outcome["texts"] += [block.text for block in message.content if isinstance(block, sdk.TextBlock)]
            outcome["tools"] += [block.name for block in message.content if isinstance(block, sdk.ToolUseBlock)]
        elif isinstance(message, sdk.UserMessage) and isinstance(message.content, list):
            outcome["results"] += [block.content for block in message.content if isinstance(block, sdk.ToolResultBlock)]
        elif isinstance(message, sdk.StreamEvent):
            outcome["deltas"] += message.event["type"] == "content_block_delta"
        elif isinstance(message, sdk.ResultMessage):
            outcome |= {"is_error": message.is_error, "result": message.result, "turns": message.num_turns}
    return outcome


print(json.dumps(asyncio.run(converse(json.load(sys.stdin))), default=str))
