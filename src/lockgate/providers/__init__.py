"""Vendors, one file each: which dialect they speak, where, and how they are authenticated. Data, no code paths.

A file beside this one exports ``PROVIDER``; its name is the provider's name with ``-`` as ``_``. Nothing else has
to be edited to add one: ``load_providers`` finds it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct


class BearerAuth(Struct, frozen=True, tag="bearer"):
    """The credential goes into ``Authorization: Bearer``."""


class HeaderAuth(Struct, frozen=True, tag="header"):
    """The credential goes into a header of its own, but for those that begin with ``bearer_prefix``."""

    name: str
    bearer_prefix: str | None = None
    """OAuth tokens begin so; they go into ``Authorization: Bearer`` instead."""
    bearer_also: tuple[str, str] | None = None
    """A list header, and the value it must then hold as well."""


Auth: TypeAlias = BearerAuth | HeaderAuth


class Endpoint(Struct, frozen=True):
    """Where an operation is found: a path below the base URL."""

    path: str
    page_query: str = ""
    """What to ask for to get everything in one page, for lists that come in pages."""


class Provider(Struct, frozen=True, kw_only=True):
    """A vendor that Lockgate knows how to reach."""

    name: str
    """As in ``x-portkey-provider`` and in ``type`` of a provider record."""
    title: str
    """For people."""
    dialect: str
    """The dialect of its chat endpoint: a package of ``lockgate.dialects``."""
    auth: Auth
    base_url: str | None = None
    """None: the operator's record must give one."""
    chat: Endpoint
    models: Endpoint | None = None
    deletes_models: bool = False
    """Whether a fine-tuned model can be deleted where ``models`` shows it."""
    count_tokens: Endpoint | None = None
    batches: Endpoint | None = None
    files: Endpoint | None = None
    credential_env: str | None = None
    """An environment variable that, when set, makes a record of this provider under its own name."""
    is_query_forwarded: bool = False
    """Whether the client's query string goes along when the dialects are the same."""
    needs_credential: bool = True
    takes_document_urls: bool = False
    """Whether a document may be named by URL; else it is fetched and sent along."""


def load_providers() -> Mapping[str, Provider]:
    """Return every provider by name. A file whose name and provider name differ is a mistake and raises ValueError."""
    found: dict[str, Provider] = {}
    for info in pkgutil.iter_modules(__path__):
        provider = importlib.import_module(f"{__name__}.{info.name}").PROVIDER
        if provider.name.replace("-", "_") != info.name:
            raise ValueError(f"providers/{info.name}.py calls its provider {provider.name!r}")
        found[provider.name] = provider
    return found
