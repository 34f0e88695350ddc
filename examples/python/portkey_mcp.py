"""Remote MCP servers through Lockgate with the portkey-ai SDK: Claude calls their tools by itself.

pip install portkey-ai
LOCKGATE_API_KEY=... python portkey_mcp.py
"""

import os
import sys

from portkey_ai import Portkey

# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
MODEL = os.environ.get("LOCKGATE_MODEL", "@anthropic/claude-sonnet-5-5")
SERVER = "library"


def connect() -> Portkey:
    """Only the base URL and the key differ from a program that talks to the vendor directly."""
    if not os.environ.get("LOCKGATE_API_KEY"):
        sys.exit("Set LOCKGATE_API_KEY to a key of your gateway.")
    origin = os.environ.get("LOCKGATE_BASE_URL", "http://127.0.0.1:8787")
    return Portkey(
        base_url=f"{origin}/v1",
        api_key=os.environ["LOCKGATE_API_KEY"],
        anthropic_beta="mcp-client-2025-11-20",
        strict_open_ai_compliance=False,  # the calls of remote tools come back as content blocks
    )


def remote_tools(client: Portkey) -> None:
    reply = client.chat.completions.create(
        model=MODEL,
        max_tokens=1024,
        messages=[{"role": "user", "content": "Which tools do you have?"}],
        mcp_servers=[{"type": "url", "name": SERVER, "url": os.environ.get("MCP_URL", "https://mcp.example.com/mcp")}],
        # The toolset says which of the server's tools Claude may use; this one allows all.
        tools=[{"type": "mcp_toolset", "mcp_toolset": {"mcp_server_name": SERVER}}],
    )
    message = reply.choices[0].message
    if not message.content:
        sys.exit("The answer is empty.")
    used = [block["name"] for block in message.content_blocks if block["type"] == "mcp_tool_use"]
    print(f"Answer: {message.content}")
    print(f"Tools used: {', '.join(used) or 'none'}")


def main() -> None:
    client = connect()
    try:
        remote_tools(client)
    except Exception as error:  # noqa: BLE001 - this SDK exports no base class for its errors
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
