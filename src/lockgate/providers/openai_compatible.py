"""Any server that speaks OpenAI's chat completions; the record gives the base URL, a credential is optional."""

from lockgate.providers import BearerAuth, Endpoint, Provider

PROVIDER = Provider(
    name="openai-compatible",
    title="OpenAI-compatible server",
    dialect="openai_chat",
    auth=BearerAuth(),
    chat=Endpoint("/chat/completions"),
    models=Endpoint("/models"),
    deletes_models=True,
    batches=Endpoint("/batches"),
    files=Endpoint("/files"),
    needs_credential=False,
)
