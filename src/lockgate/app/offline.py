"""What file, environment and database would serve, compiled without starting anything and without reading a secret."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from msgspec import structs

from lockgate.config import Document
from lockgate.config.routes import ConfigRules, read_config
from lockgate.core.secret import Secret
from lockgate.entities import Estate
from lockgate.entities.estate import EMPTY
from lockgate.errors import ConfigError, NotFound
from lockgate.plan.compile import Sources, compile_snapshot, needs_simulator, timeouts_of
from lockgate.plan.configs import named_providers
from lockgate.plan.estate import EstateSources, compile_estate
from lockgate.plan.explain import Described, Explained, explain_request, find_routes
from lockgate.plan.snapshot import GatewayKey, Snapshot, Workspace
from lockgate.providers import load_providers
from lockgate.routing.explain import USUAL_STATUSES
from lockgate.routing.tree import Routes
from lockgate.store.config_file import ConfigFile
from lockgate.store.directory import URL_VARIABLE, open_directory, utc_now
from lockgate.store.engine import database_url
from lockgate.transport.address_guard import check_url, trusted_set

_DEFAULT_FILE = Path("lockgate.toml")
_SIMULATOR = "http://127.0.0.1"
"""Stands for where the built-in simulator would listen."""


def offline_snapshot(path: Path | None, environment: Mapping[str, str], home: Path) -> Snapshot:
    """Compile. A database is read where there is one, and none is made. Raises ConfigError."""
    file = ConfigFile(path or _DEFAULT_FILE, is_required=path is not None)
    document, providers = file.read(), load_providers()
    base = _declared(file, document, environment)
    base = structs.replace(base, trusted_hosts=trusted_set(document.server.trusted_custom_hosts))
    estate_sources = EstateSources(
        providers=providers,
        read_secret=_unread,
        guard=check_url,
        timeouts=timeouts_of(document.timeouts),
        now=utc_now(),
    )
    return compile_estate(_estate(document, environment, home), base, estate_sources)


def missing_providers(
    path: Path, environment: Mapping[str, str], stored: frozenset[str] | None = None
) -> list[ConfigError]:
    """Return where keys and configs of a file name providers that are neither in the file nor in the environment.

    ``stored`` are the slugs in the database, None when nobody has looked. Raises ConfigError.
    """
    file = ConfigFile(path, is_required=True)
    document, providers = file.read(), load_providers()
    declared = _declared(file, document, environment)
    known = declared.targets.keys() | (stored or frozenset())
    rules = ConfigRules(providers=frozenset(providers))
    where = "in the database" if stored is not None else "the database must have it"
    notes = []
    for name, key in document.keys.items():
        # a vendor's name may come with the environment of the gateway
        vendors = {one for one, provider in providers.items() if provider.credential_env}
        for slug in key.providers:
            if slug not in known | vendors:
                hint = _nearest(slug, known)
                what = f"there is no provider {slug!r} in the file or the environment, "
                what += f"nor {where}{hint}" if stored is not None else f"so {where}{hint}"
                notes.append(ConfigError(f"keys.{name}.providers: {what}"))
    for name, settings in document.configs.items():
        for slug, places in named_providers(read_config(settings.text, rules).root).items():
            what = f"@{slug} is neither in the file nor in the environment"
            what += f", nor {where}" if stored is not None else f", so {where}"
            notes += [ConfigError(f"configs.{name}.{place}: {what}") for place in places if slug not in known]
    return [file.locate(note) for note in notes]


def _nearest(slug: str, known: Collection[str]) -> str:
    near = get_close_matches(slug, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _declared(file: ConfigFile, document: Document, environment: Mapping[str, str]) -> Snapshot:
    """Compile what file and environment say."""
    sources = Sources(environment=environment, providers=load_providers())
    if needs_simulator(document, sources):
        sources = structs.replace(sources, simulator_url=_SIMULATOR)
    try:
        return compile_snapshot(document, sources, _unread, 1)
    except ConfigError as error:
        raise file.locate(error) from None


def explain_offline(
    text: str,
    described: Described,
    statuses: Sequence[int] | None,
    *,
    snapshot: Snapshot,
    workspace: str | None = None,
) -> Explained:
    """Explain a config, given as JSON or by its slug, in a workspace. Raises GatewayError."""
    place, routes = offline_routes(text, snapshot, workspace)
    key = GatewayKey(id="", name="", workspace=place.id)
    return explain_request(snapshot, place, key, routes, described, USUAL_STATUSES if statuses is None else statuses)


def offline_routes(text: str, snapshot: Snapshot, workspace: str | None = None) -> tuple[Workspace, Routes]:
    """Return a workspace, and a config in it, given as JSON or by its slug. Raises GatewayError."""
    place = snapshot.workspaces[snapshot.default_workspace] if workspace is None else _place(snapshot, workspace)
    rules = ConfigRules(
        providers=frozenset(snapshot.raw_targets), judge_host=lambda url: _judge(url, snapshot.trusted_hosts)
    )
    return place, find_routes(text, place, rules)


def _place(snapshot: Snapshot, name: str) -> Workspace:
    for one in snapshot.workspaces.values():
        if name in (one.id, one.slug):
            return one
    known = ", ".join(sorted(one.slug for one in snapshot.workspaces.values()))
    raise NotFound(f"There is no workspace {name!r}; there are: {known}")


def _judge(url: str, trusted: frozenset[str]) -> None:
    check_url(url, trusted)


def _estate(document: Document, environment: Mapping[str, str], home: Path) -> Estate:
    """Return what is stored; nothing where there is no database yet."""
    url = environment.get(URL_VARIABLE) or document.database.url
    kept = database_url(url, home).database if url is None or url.startswith("sqlite") else None
    if kept is not None and not Path(kept).exists():
        return EMPTY
    directory = open_directory(url=document.database.url, home=home, environment=environment)
    try:
        return directory.load()
    finally:
        directory.close()


def _unread(reference: str) -> Secret:
    """Stand in for a secret that nobody will send: what a reference yields is not needed."""
    return Secret(f"not read: {reference}")
