"""Providers and configuration files for planes whose tests need some."""

from __future__ import annotations

from lockgate.config import read_document
from lockgate.core.secret import Secret
from lockgate.entities import Integration, ProviderRecord
from tests.unit.admin.plane import Plane

CLAUDE = "claude-prod"


def add_provider(plane: Plane, slug: str = CLAUDE) -> None:
    """Put a provider of Anthropic's into the first workspace."""
    own = {"organisation_id": plane.organisation.id, "workspace_id": plane.home.id}
    with plane.directory.change() as tx:
        integration = tx.insert(
            Integration(name=slug, slug=slug, provider="anthropic", **own), secrets={"key": Secret("sk-ant-stored")}
        )
        tx.insert(ProviderRecord(integration_id=integration.id, slug=slug, name=slug, **own))
    plane.recompile()


def declare(plane: Plane, text: str) -> None:
    """Let the plane run with a configuration file."""
    plane.document = read_document(text, "lockgate.toml")
    plane.recompile()
