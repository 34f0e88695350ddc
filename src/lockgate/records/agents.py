"""What a user agent says of the program behind a request: the product it names first, and the SDK it was built with."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

_PRODUCT = re.compile(r"^([^\s/;()]+)(?:/([^\s/;()]*))?")
_GENERATED = re.compile(
    r"^(?:Async)?(Anthropic|OpenAI|AzureOpenAI|Portkey)[A-Za-z]*/(Python|JS|TS|Go|Java|Kotlin|Ruby|PHP|C#)\s+([\w.+-]+)"
)
"""``AsyncAnthropicBedrock/Python 0.80.0``: how the SDKs of both vendors name themselves, by the class of the client."""
_OTHERS = (
    ("claude-agent-sdk", re.compile(r"\bagent-sdk/([\w.+-]+)")),
    ("ai-sdk", re.compile(r"\bai-sdk/(?!provider-utils)[\w.-]+/([\w.+-]+)")),
    ("litellm", re.compile(r"^litellm/([\w.+-]+)", re.IGNORECASE)),
    ("openai-dotnet", re.compile(r"^OpenAI/([\w.+-]+) \(\.NET")),
    ("anthropic-dotnet", re.compile(r"^Anthropic/([\w.+-]+) \(\.NET")),
)
_LANGUAGES = {"js": "node", "ts": "node", "c#": "dotnet"}
_VENDORS = {"azureopenai": "openai"}


class Agent(Struct, frozen=True):
    """Who called. What is not known is None."""

    app: str | None = None
    """The product that the agent names first, without its version: ``Anthropic/Python``, ``claude-cli``."""
    sdk: str | None = None
    """The SDK: ``anthropic-python``, ``openai-node``, ``claude-agent-sdk``, ``ai-sdk``."""
    sdk_version: str | None = None


NOBODY = Agent()


@lru_cache(maxsize=1024)
def read_agent(user_agent: str) -> Agent:
    """Return what a user agent says."""
    app = _app_of(user_agent)
    found = _GENERATED.match(user_agent)
    if found:
        vendor, language = found[1].lower(), found[2].lower()
        return Agent(app, f"{_VENDORS.get(vendor, vendor)}-{_LANGUAGES.get(language, language)}", found[3])
    for name, pattern in _OTHERS:
        found = pattern.search(user_agent)
        if found:
            return Agent(app, name, found[1])
    return Agent(app)


def _app_of(user_agent: str) -> str | None:
    found = _PRODUCT.match(user_agent)
    if not found:
        return None
    name, version = found[1], found[2] or ""
    return f"{name}/{version}" if version and not version[0].isdigit() and version[0] != "v" else name
