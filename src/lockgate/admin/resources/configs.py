"""``/configs``: routing configs that are called by their slug. Every save makes a version, and none is lost.

Source: control-plane specification, sections 1.3 and 2.7.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.changes import given
from lockgate.admin.config_views import (
    ConfigSummary,
    ConfigView,
    declared_of,
    find_config,
    refuse_declared,
    show,
    show_declared,
    show_summary,
)
from lockgate.admin.configs import ConfigText, judge, write_text
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.slugs import Slug, make_slug
from lockgate.entities import Config, ProviderRecord, Workspace
from lockgate.errors import Conflict, Fault, NotFound
from lockgate.store.configs import create_config, save_config, text_of, version_of
from lockgate.store.references import is_named
from lockgate.store.transaction import Transaction

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class ConfigBody(Struct, frozen=True, kw_only=True):
    """A config to be made."""

    name: Name
    slug: Slug | None = None
    """What it is called by; made of the name when left out."""
    config: ConfigText
    is_default: bool | None = None
    """Whether requests of the workspace that bring no config are routed by this one."""
    workspace_id: Name | None = None


class ConfigPatch(Struct, frozen=True, kw_only=True):
    """What changes in a config: what is missing stays."""

    name: Name | UnsetType = UNSET
    config: ConfigText | UnsetType = UNSET
    status: Literal["active", "archived"] | UnsetType | None = UNSET
    """``archived`` deletes it."""
    is_default: bool | UnsetType | None = UNSET


class LeniencyQuery(Struct, frozen=True, kw_only=True):
    """How strictly to judge."""

    lenient: bool = False
    """Whether unknown keys, and names of what is not there, are let pass with a warning."""


class ConfigQuery(PageQuery, frozen=True, kw_only=True):
    """Which configs to list."""

    workspace_id: Name | None = None
    search: Annotated[str, Meta(max_length=255)] | None = None
    """Looks in names and slugs."""


class VersionQuery(Struct, frozen=True, kw_only=True):
    """Which version to show."""

    version: Name | None = None
    """A number or a ``version_id``; the newest when left out."""


class ConfigMade(Struct, frozen=True, kw_only=True):
    """What a new config is called."""

    id: str
    version_id: str
    slug: str
    version: int
    warnings: list[str]
    object: str = "config"


class ConfigSaved(Struct, frozen=True, kw_only=True):
    """The version that a save has made, or the one there was when nothing is different."""

    version_id: str
    version: int
    warnings: list[str]
    object: str = "config"


def create(call: Call[ConfigBody, LeniencyQuery]) -> Answer:
    """Make a config."""
    body = call.body
    with call.change() as tx:
        workspace = call.workspace(tx, body.workspace_id)
        text = write_text(body.config)
        judged = judge(
            text, call.services.snapshot(), workspace.id, is_lenient=call.query.lenient, also=_slugs(tx, workspace.id)
        )
        config = create_config(
            tx,
            Config(
                organisation_id=workspace.organisation_id,
                workspace_id=workspace.id,
                slug=body.slug or make_slug("pc-", body.name),
                name=body.name,
                text=text,
                providers=judged.providers,
            ),
        )
        if body.is_default:
            _make_default(tx, config)
    made = ConfigMade(
        id=config.id,
        version_id=config.version_id,
        slug=config.slug,
        version=config.version,
        warnings=written(judged.warnings),
    )
    return Answer(body=made, version=config.version)


def retrieve(call: Call[Nothing, VersionQuery]) -> Answer:
    """Show a config, or one of its versions."""
    name = call.parameters["slug"]
    with call.view() as view:
        place, declared = declared_of(call, name)
        if declared is not None:
            if call.query.version is not None:
                raise NotFound(f"The config {name!r} comes from the configuration file and has no versions")
            return Answer(body=show_declared(place, name, declared))
        config = find_config(call, view)
        version = None if call.query.version is None else version_of(view, config, call.query.version)
        return Answer(body=show(view, config, version), version=config.version)


def list_(call: Call[Nothing, ConfigQuery]) -> Page[ConfigSummary]:
    """List the configs of a workspace, without what is in them; those of the configuration file come last."""
    query, page = call.query, window(call.query)
    with call.view() as view:
        workspace = call.workspace(view, query.workspace_id)
        listed = view.page(Config, page=page.number, size=page.size, search=query.search, workspace_id=workspace.id)
        found = [show_summary(config, workspace) for config in listed.items]
    compiled = call.services.snapshot().workspaces.get(workspace.id)
    declared = compiled.configs.declared() if compiled is not None else {}
    text = (query.search or "").casefold()
    names = sorted(name for name in declared if text in name.casefold())
    first = max(page.number * page.size - listed.total, 0)
    places = names[first : first + page.size - len(found)] if len(found) < page.size else []
    if compiled is not None:
        found += [show_declared(compiled, name, declared[name]).summary() for name in places]
    return Page(total=listed.total + len(names), data=found)


def update(call: Call[ConfigPatch, LeniencyQuery]) -> Answer:
    """Change a config: what is different makes a version."""
    body = call.body
    refuse_declared(call)
    with call.change() as tx:
        config = find_config(call, tx)
        version = call.expect(config)
        warnings: tuple[Fault, ...] = ()
        changed = structs.replace(config, name=given(body.name, config.name), text=_text(tx, config))
        if not isinstance(body.config, UnsetType):
            text = write_text(body.config)
            judged = judge(
                text,
                call.services.snapshot(),
                config.workspace_id,
                is_lenient=call.query.lenient,
                also=_slugs(tx, config.workspace_id),
            )
            changed = structs.replace(changed, text=text, providers=judged.providers)
            warnings = judged.warnings
        config = save_config(tx, changed, expected_version=version)
        if not isinstance(body.is_default, UnsetType):
            _make_default(tx, config, is_default=bool(body.is_default))
        if body.status == "archived":
            tx.archive(config)
    saved = ConfigSaved(version_id=config.version_id, version=config.version, warnings=written(warnings))
    return Answer(body=saved, version=config.version)


def delete(call: Call[Nothing, Nothing]) -> None:
    """Delete a config that is nobody's default."""
    refuse_declared(call)
    with call.change() as tx:
        config = find_config(call, tx)
        tx.archive(config, expected_version=call.expect(config))


def written(faults: tuple[Fault, ...]) -> list[str]:
    """Return warnings as refusals write them."""
    return [str(fault) for fault in faults]


def _slugs(tx: Transaction, workspace_id: str) -> frozenset[str]:
    """Return the providers of a workspace as they are in this transaction, which may have made some."""
    return frozenset(record.slug for record in tx.all(ProviderRecord, workspace_id=workspace_id))


def _text(tx: Transaction, config: Config) -> str:
    """Return what is saved; a text whose secrets are gone stays as it is."""
    try:
        return text_of(tx, config)
    except Conflict:
        return config.text


def _make_default(tx: Transaction, config: Config, *, is_default: bool = True) -> None:
    """Let requests of the workspace that bring no config be routed by this one, or no longer."""
    workspace = tx.get(Workspace, config.workspace_id)
    defaults = workspace.defaults
    if is_default == is_named(config, defaults.config_id):
        return
    changed = structs.replace(defaults, config_id=config.slug if is_default else None)
    tx.update(structs.replace(workspace, defaults=changed))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/configs",
        access=needs("configs.create"),
        summary="Make a config",
        body=ConfigBody,
        query=LeniencyQuery,
        reply=ConfigMade,
        handler=create,
    ),
    Endpoint(
        method="GET",
        path="/configs",
        access=needs("configs.list"),
        summary="List configs",
        query=ConfigQuery,
        reply=Page[ConfigSummary],
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path="/configs/{slug}",
        access=needs("configs.read"),
        summary="Show a config, or one of its versions",
        query=VersionQuery,
        reply=ConfigView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path="/configs/{slug}",
        access=needs("configs.update"),
        summary="Change a config, which makes a version",
        body=ConfigPatch,
        query=LeniencyQuery,
        reply=ConfigSaved,
        handler=update,
    ),
    Endpoint(
        method="DELETE",
        path="/configs/{slug}",
        access=needs("configs.delete"),
        summary="Delete a config",
        handler=delete,
    ),
)
