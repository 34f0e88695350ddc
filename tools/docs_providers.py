"""docs/reference/providers.md, from the files of lockgate.providers."""

from __future__ import annotations

import importlib
import inspect
from typing import assert_never

from lockgate.providers import BearerAuth, HeaderAuth, Provider, load_providers
from tools.docstrings import cell, markdown

HEAD = """\
# Providers

The vendors that Lockgate knows how to reach. The name is what stands in `type` of a `[providers.SLUG]` record and in
`x-portkey-provider`. Where a variable is named and set, a record of that provider exists under its own name without any
configuration: with `ANTHROPIC_API_KEY` in the environment, `@anthropic/MODEL` works. How to add one:
[CONTRIBUTING](../../CONTRIBUTING.md#add-a-provider).

| name | dialect | base URL | credential goes into | from the environment |
|---|---|---|---|---|
"""


def providers_page() -> str:
    """Return the page: a table of all, then a section for each."""
    providers = sorted(load_providers().values(), key=lambda provider: provider.name)
    return HEAD + "".join(map(row, providers)) + "".join(map(section, providers))


def row(provider: Provider) -> str:
    """Return the table row of one provider."""
    base_url = f"`{provider.base_url}`" if provider.base_url else "the record names it"
    variable = f"`{provider.credential_env}`" if provider.credential_env else "-"
    return f"| `{provider.name}` | `{provider.dialect}` | {base_url} | {auth_text(provider)} | {variable} |\n"


def auth_text(provider: Provider) -> str:
    """Say how the credential is sent."""
    match provider.auth:
        case BearerAuth():
            text = "`Authorization: Bearer`"
        case HeaderAuth(name=name, bearer_prefix=prefix):
            text = f"`{name}`" + (f"; `{prefix}...` tokens into `Authorization: Bearer`" if prefix else "")
        case _:
            assert_never(provider.auth)
    return text if provider.needs_credential else f"{text}, optional"


def section(provider: Provider) -> str:
    """Return the section of one provider: what its file says, and its operations."""
    module = importlib.import_module(f"lockgate.providers.{provider.name.replace('-', '_')}")
    operations = {
        "chat": provider.chat,
        "list of models": provider.models,
        "count tokens": provider.count_tokens,
        "batches": provider.batches,
        "files": provider.files,
    }
    about = markdown(inspect.getdoc(module) or "")
    lines = [f"\n## {provider.title}\n\n{about}\n\n| operation | upstream path |\n|---|---|\n"]
    lines += [f"| {name} | `{cell(endpoint.path)}` |\n" for name, endpoint in operations.items() if endpoint]
    return "".join(lines)
