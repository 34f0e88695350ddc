"""OpenAI's own API. Source: OpenAI API reference and Python SDK 3.54.0, read 2026-11-22."""

from lockgate.providers import BearerAuth, Endpoint, Provider

PROVIDER = Provider(
    name="openai",
    title="OpenAI",
    dialect="openai_chat",
    auth=BearerAuth(),
    base_url="https://api.openai.com/v1",
    chat=Endpoint("/chat/completions"),
    models=Endpoint("/models"),
    deletes_models=True,
    batches=Endpoint("/batches"),
    files=Endpoint("/files"),
    credential_env="OPENAI_API_KEY",
)
