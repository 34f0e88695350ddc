import pytest

from lockgate.records.agents import NOBODY, Agent, read_agent


@pytest.mark.parametrize(
    "text, agent",
    [
        ("", NOBODY),
        ("curl/8.5.0", Agent("curl")),
        ("Mozilla/5.0 (X11)", Agent("Mozilla")),
        ("python-httpx/v0.28", Agent("python-httpx")),
        ("Anthropic/Python 2.12.0", Agent("Anthropic/Python", "anthropic-python", "2.12.0")),
        ("AsyncAnthropicBedrock/Python 0.80.1", Agent("AsyncAnthropicBedrock/Python", "anthropic-python", "0.80.1")),
        ("AsyncAzureOpenAI/Python 3.54.0", Agent("AsyncAzureOpenAI/Python", "openai-python", "3.54.0")),
        ("OpenAI/JS 6.1.0", Agent("OpenAI/JS", "openai-node", "6.1.0")),
        ("Anthropic/Go 1.19.0", Agent("Anthropic/Go", "anthropic-go", "1.19.0")),
        ("OpenAI/2.5.0 (.NET 9.0; Linux)", Agent("OpenAI", "openai-dotnet", "2.5.0")),
        ("claude-cli/2.1.0 (external, cli)", Agent("claude-cli")),
        (
            "claude-cli/2.1.0 (external, sdk-py, agent-sdk/0.1.2)",
            Agent("claude-cli", "claude-agent-sdk", "0.1.2"),
        ),
        ("ai/5.0.9 ai-sdk/anthropic/2.0.3 ai-sdk/provider-utils/3.0.8 runtime/node.js", Agent("ai", "ai-sdk", "2.0.3")),
        ("litellm/1.80.0", Agent("litellm", "litellm", "1.80.0")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_user_agent_says(text, agent):
    assert read_agent(text) == agent
