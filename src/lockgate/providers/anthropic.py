"""Anthropic's own API. Source: Anthropic API reference and Python SDK 2.12.0, read 2026-11-22."""

from lockgate.providers import Endpoint, HeaderAuth, Provider

PROVIDER = Provider(
    name="anthropic",
    title="Anthropic",
    dialect="anthropic_messages",
    auth=HeaderAuth("x-api-key", bearer_prefix="sk-ant-oat", bearer_also=("anthropic-beta", "oauth-2025-04-20")),
    base_url="https://api.anthropic.com",
    chat=Endpoint("/v1/messages"),
    models=Endpoint("/v1/models", page_query="limit=1000"),
    count_tokens=Endpoint("/v1/messages/count_tokens"),
    batches=Endpoint("/v1/messages/batches"),
    files=Endpoint("/v1/files"),
    credential_env="ANTHROPIC_API_KEY",
    is_query_forwarded=True,
    takes_document_urls=True,
)
