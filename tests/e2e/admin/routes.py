"""The routes of the control plane, as its own OpenAPI document tells them, with something to fill each path with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lockgate.admin.app import all_endpoints
from lockgate.admin.openapi import write_document
from lockgate.core.secret import Secret
from lockgate.entities import (
    ApiKey,
    Config,
    Integration,
    KeyText,
    Member,
    ProviderRecord,
    RateLimit,
    RatePolicy,
    UsageLimit,
    UsagePolicy,
    User,
)
from lockgate.records.exports.book import Job
from lockgate.records.store import Feedback
from lockgate.store.configs import create_config
from tests.unit.admin.plane import Plane
from tests.unit.records.rows import row

DOCUMENT = write_document(all_endpoints())
_KINDS = ("organisation-service", "workspace-service", "workspace-user")


@dataclass(frozen=True)
class Route:
    """One operation of the document."""

    method: str
    path: str
    operation: dict[str, Any] = field(hash=False, compare=False, repr=False)

    @property
    def id(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def access(self) -> dict[str, Any]:
        return self.operation["x-lockgate-access"]

    @property
    def is_public(self) -> bool:
        return bool(self.access.get("public"))

    @property
    def has_body(self) -> bool:
        return "requestBody" in self.operation

    @property
    def body_names(self) -> set[str]:
        """The fields of its body."""
        reference = self.operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        return set(DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]["properties"])

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    def kinds(self) -> set[str]:
        """The kinds of keys that may call it at all."""
        return set(_KINDS) if self.access.get("any_key") or self.is_public else set(self.access) & set(_KINDS)

    def filled(self, values: dict[str, str]) -> str:
        return re.sub(r"{(\w+)}", lambda match: values[match[1]], self.path)


def routes() -> Iterator[Route]:
    """Give every route."""
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            yield Route(method.upper(), path, operation)


ROUTES = list(routes())


def names(route: Route) -> str:
    return route.id


def owned_by(plane: Plane, workspace) -> dict[str, dict[str, str]]:
    """Make one thing of each kind in a workspace; return what fills the path parameters of each resource.

    A resource that is added later and belongs to a workspace needs an entry here: a test makes sure.
    """
    own = {"organisation_id": plane.organisation.id, "workspace_id": workspace.id}
    with plane.directory.change() as tx:
        user = tx.insert(User(organisation_id=plane.organisation.id, email=f"x-{workspace.slug}@example.org"))
        tx.insert(Member(user_id=user.id, **own))
        text = KeyText(digest=f"{workspace.id:0>64}"[-64:].replace("-", "0"), mask="gk_*****abc", created_at=tx.now)
        key = tx.insert(ApiKey(name="theirs", kind="workspace-service", texts=(text,), **own))
        usage = tx.insert(UsagePolicy(name="theirs", limit=UsageLimit(cap=10**9), **own))
        rate = tx.insert(RatePolicy(name="theirs", limit=RateLimit(cap=5), **own))
        integration = tx.insert(
            Integration(name="theirs", slug=f"main-{workspace.slug}", provider="anthropic", **own),
            secrets={"key": Secret("sk-ant-0123456789")},
        )
        config = create_config(
            tx, Config(slug=f"pc-{workspace.slug}", name="theirs", text='{"provider": "@main"}', **own)
        )
        plane.desk.store.append(
            [row(9, id=f"rec_{workspace.slug}", trace_id=f"trace-{workspace.slug}", workspace_id=workspace.id)]
        )
        plane.desk.exports.book.add(
            Job(
                id=f"exp_{workspace.slug}", organisation_id=plane.organisation.id, workspace_id=workspace.id,
                created_by="theirs", created_us=1, updated_us=1, description="theirs",
            )
        )  # fmt: skip
        opinion = Feedback(
            id=f"fb_{workspace.slug}", trace_id="x", workspace_id=workspace.id, value=1, created_us=1, updated_us=1
        )
        plane.desk.add_feedback([opinion])
        provider = tx.insert(ProviderRecord(integration_id=integration.id, slug="main", name="theirs", **own))
    return {
        "/v1/api-keys": {"id": key.id},
        "/v1/policies/usage-limits": {"id": usage.id, "entity_id": "dmE"},
        "/v1/policies/rate-limits": {"id": rate.id},
        "/v1/admin/workspaces": {"id": workspace.id, "user_id": user.id},
        "/v1/integrations": {"id": integration.id, "slug": integration.slug},
        "/v1/configs": {"slug": config.slug, "id": config.id, "version_id": "1"},
        "/v1/providers": {"id": provider.id, "slug": provider.id},
        "/v1/virtual-keys": {"id": provider.id, "slug": provider.id},
        "/v1/logs/exports": {"id": f"exp_{workspace.slug}"},
        "/v1/logs": {"id": f"rec_{workspace.slug}"},
        "/v1/traces": {"id": f"trace-{workspace.slug}"},
        "/v1/feedback": {"id": f"fb_{workspace.slug}"},
    }
