"""What surrounds a config: its versions, what is different between two, bringing one back, and whether a text would
be right. Source: control-plane specification, sections 2.7, 5.3 and 5.4.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, structs

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.config_views import ConfigView, find_config, owner_of, refuse_declared, show
from lockgate.admin.configs import ConfigText, judge, write_text
from lockgate.admin.diffs import Difference, differences, unified
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.entities import Config
from lockgate.errors import Fault, InvalidConfig
from lockgate.store.configs import save_config, text_of, version_of, versions_of

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class RestoreBody(Struct, frozen=True, kw_only=True):
    """Which version to bring back."""

    version: int | Name | None = None
    """A number or a ``version_id``. Without one a deleted config comes back as it was."""


class DiffQuery(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Two versions: numbers or ``version_id``."""

    from_: Name
    to: Name | None = None
    """The newest when left out."""


class DiffView(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """What is different between two versions."""

    from_: int
    to: int
    names: list[str]
    """The names that the config had then."""
    changes: list[Difference]
    text: str
    """The lines of a patch."""
    object: str = "diff"


class ValidateBody(Struct, frozen=True, kw_only=True):
    """A config to be judged."""

    config: ConfigText
    workspace_id: Name | None = None


class ValidateQuery(Struct, frozen=True, kw_only=True):
    """How strictly."""

    lenient: bool = False


class FaultView(Struct, frozen=True, kw_only=True):
    """Something that is wrong."""

    path: str
    """Dotted, such as ``targets.0.weight``; empty for the whole."""
    message: str


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether a config could be saved."""

    valid: bool
    errors: list[FaultView]
    warnings: list[FaultView]
    providers: list[str]
    """The provider records that it names."""
    object: str = "validation"


def versions(call: Call[Nothing, PageQuery]) -> Page[ConfigView]:
    """List the versions of a config, the newest first, each as the config was then."""
    page = window(call.query)
    refuse_declared(call)
    with call.view() as view:
        config = find_config(call, view)
        found, total = versions_of(view, config, page=page.number, size=page.size)
        owner = owner_of(view, config)
        return Page(total=total, data=[show(view, config, version, owner=owner) for version in found])


def diff(call: Call[Nothing, DiffQuery]) -> DiffView:
    """Tell what is different between two versions."""
    query = call.query
    refuse_declared(call)
    with call.view() as view:
        config = find_config(call, view)
        old = version_of(view, config, query.from_)
        new = version_of(view, config, query.to or config.version_id)
        before, after = text_of(view, old), text_of(view, new)
    return DiffView(
        from_=old.number,
        to=new.number,
        names=[old.name, new.name],
        changes=differences(before, after),
        text=unified(before, after, (f"{config.slug}@{old.number}", f"{config.slug}@{new.number}")),
    )


def restore(call: Call[RestoreBody, Nothing]) -> Answer:
    """Bring a deleted config back, or make an older version the newest: as a version of its own."""
    wanted = call.body.version
    refuse_declared(call)
    with call.change() as tx:
        config = find_config(call, tx, with_archived=True)
        call.expect(config)
        if config.status == "archived":
            config = tx.restore(Config, config.id)
        if wanted is not None:
            version = version_of(tx, config, str(wanted))
            judged = judge(text_of(tx, version), call.services.snapshot(), config.workspace_id, is_lenient=True)
            changed = structs.replace(config, text=judged.text, providers=judged.providers)
            config = save_config(tx, changed, expected_version=config.version)
        view = show(tx, config)
    return Answer(body=view, version=config.version)


def validate(call: Call[ValidateBody, ValidateQuery]) -> Verdict:
    """Tell all that is wrong with a config, without saving it."""
    with call.view() as view:
        workspace = call.workspace(view, call.body.workspace_id)
    text = write_text(call.body.config)
    try:
        judged = judge(text, call.services.snapshot(), workspace.id, is_lenient=call.query.lenient)
    except InvalidConfig as error:
        return Verdict(valid=False, errors=_shown(error.faults), warnings=[], providers=[])
    return Verdict(valid=True, errors=[], warnings=_shown(judged.warnings), providers=list(judged.providers))


def _shown(faults: tuple[Fault, ...]) -> list[FaultView]:
    return [FaultView(path=fault.path, message=fault.what) for fault in faults]


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/configs/{slug}/versions",
        access=needs("configs.read"),
        summary="List the versions of a config",
        query=PageQuery,
        reply=Page[ConfigView],
        handler=versions,
    ),
    Endpoint(
        method="GET",
        path="/configs/{slug}/diff",
        access=needs("configs.read"),
        summary="Tell what is different between two versions of a config",
        query=DiffQuery,
        reply=DiffView,
        handler=diff,
    ),
    Endpoint(
        method="POST",
        path="/configs/{slug}/restore",
        access=needs("configs.update"),
        summary="Bring an older version of a config back, or a deleted config",
        body=RestoreBody,
        reply=ConfigView,
        handler=restore,
    ),
    Endpoint(
        method="POST",
        path="/configs/validate",
        access=needs("configs.read", "configs.create", "configs.update"),
        summary="Tell all that is wrong with a config, without saving it",
        body=ValidateBody,
        query=ValidateQuery,
        reply=Verdict,
        handler=validate,
    ),
)
