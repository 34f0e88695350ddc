"""How configs are found and shown: those that are stored, and those that the configuration file holds."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from lockgate.admin.call import Call
from lockgate.admin.times import write_time
from lockgate.entities import Config, ConfigVersion, Workspace
from lockgate.errors import Conflict, NotFound
from lockgate.plan import snapshot
from lockgate.store.configs import text_of
from lockgate.store.reading import Reading
from lockgate.store.references import is_named

FILE = "file"
API = "api"


class ConfigSummary(Struct, frozen=True, kw_only=True):
    """A config without what is in it."""

    id: str
    name: str
    slug: str
    workspace_id: str
    organisation_id: str
    is_default: int
    status: str
    owner_id: str | None
    updated_by: str | None
    created_at: str | None
    last_updated_at: str | None
    version_id: str | None
    version: int
    creation_source: str
    """``file``: it stands in the configuration file, and can be changed there only."""
    format: str = "json"
    type: str = "ORG_CONFIG"
    object: str = "config"


class ConfigView(ConfigSummary, frozen=True, kw_only=True):
    """A config."""

    config: str
    """JSON text."""

    def summary(self) -> ConfigSummary:
        """Return it without the text."""
        return ConfigSummary(**{name: getattr(self, name) for name in ConfigSummary.__struct_fields__})


def find_config(call: Call[Any, Any], view: Reading, *, with_archived: bool = False) -> Config:
    """Return the stored config that the path names. Raises NotFound."""
    config = view.find(Config, call.parameters["slug"], with_archived=with_archived)
    if config is None:
        raise NotFound(f"There is no config {call.parameters['slug'][:64]!r}", path="slug")
    return config


def declared_of(call: Call[Any, Any], name: str) -> tuple[snapshot.Workspace, bytes | None]:
    """Return the text of a config in the file, None when the file has none that the caller sees; and its workspace."""
    compiled = call.services.snapshot()
    place = compiled.workspaces[compiled.default_workspace]
    own = call.principal.workspace.id
    is_seen = call.principal.is_organisations or own == place.id
    return place, place.configs.declared().get(name) if is_seen else None


def refuse_declared(call: Call[Any, Any]) -> None:
    """Raise Conflict when the path names a config of the file: it is changed there."""
    if declared_of(call, call.parameters["slug"])[1] is not None:
        raise Conflict("This config comes from the configuration file; change it there")


def show(
    view: Reading, config: Config, version: ConfigVersion | None = None, *, owner: Workspace | None = None
) -> ConfigView:
    """Return a config, or what it was at a version, for the wire. ``owner`` is its workspace, if it is at hand."""
    common = _common(config, owner or owner_of(view, config))
    if version is not None:
        common |= {
            "name": version.name,
            "version_id": version.id,
            "version": version.number,
            "last_updated_at": write_time(version.created_at),
            "updated_by": version.created_by,
        }
    return ConfigView(config=_shown_text(view, version or config), **common)


def show_summary(config: Config, owner: Workspace | None) -> ConfigSummary:
    """Return a config without its text for the wire."""
    return ConfigSummary(**_common(config, owner))


def owner_of(view: Reading, config: Config) -> Workspace | None:
    """Return the workspace of a config."""
    return view.find(Workspace, config.workspace_id, with_archived=True)


def show_declared(place: snapshot.Workspace, name: str, text: bytes) -> ConfigView:
    """Return a config of the file for the wire; secrets are masked."""
    return ConfigView(
        id=name,
        name=name,
        slug=name,
        workspace_id=place.id,
        organisation_id="",
        is_default=int(place.config_id == name),
        status="active",
        owner_id=None,
        updated_by=None,
        created_at=None,
        last_updated_at=None,
        version_id=None,
        version=0,
        creation_source=FILE,
        config=text.decode(),
    )


def _common(config: Config, owner: Workspace | None) -> dict[str, Any]:
    default = owner.defaults.config_id if owner is not None else None
    return {
        "id": config.id,
        "name": config.name,
        "slug": config.slug,
        "workspace_id": config.workspace_id,
        "organisation_id": config.organisation_id,
        "is_default": int(is_named(config, default)),
        "status": config.status,
        "owner_id": config.created_by,
        "updated_by": config.updated_by,
        "created_at": write_time(config.created_at),
        "last_updated_at": write_time(config.updated_at),
        "version_id": config.version_id,
        "version": config.version,
        "creation_source": API,
    }


def _shown_text(view: Reading, config: Config | ConfigVersion) -> str:
    """Return the whole text; with masks where the secrets were wiped."""
    try:
        return text_of(view, config)
    except Conflict:
        return config.text
