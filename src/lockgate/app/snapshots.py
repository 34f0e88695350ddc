"""What file, environment and database say together, compiled, and the one snapshot of it that serves now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from msgspec import structs

from lockgate.admin.scopes import ORGANISATION, WORKSPACE
from lockgate.app.options import ADMIN_KEY_VARIABLE, API_KEY_VARIABLE
from lockgate.config import Document
from lockgate.core.http import Timeouts
from lockgate.core.recording import Rules
from lockgate.entities import Estate, Integration
from lockgate.errors import ConfigError
from lockgate.plan.compile import ReadSecret, Sources, check_key, compile_snapshot, timeouts_of
from lockgate.plan.estate import EstateSources, check_changes, compile_estate, compile_integration, missing_of_declared
from lockgate.plan.keys import digest_of
from lockgate.plan.snapshot import GatewayKey, Snapshot, Target
from lockgate.providers import Provider
from lockgate.store.config_file import ConfigFile
from lockgate.store.directory import Directory, utc_now
from lockgate.store.secrets import SecretReader
from lockgate.transport.address_guard import check_url

_log = logging.getLogger("lockgate.config")


class Snapshots:
    """Compiles and publishes. ``publish`` is given each new snapshot, on the event loop."""

    def __init__(
        self,
        *,
        file: ConfigFile,
        document: Document,
        environment: Mapping[str, str],
        providers: Mapping[str, Provider],
        directory: Directory,
        trusted: frozenset[str],
        simulator_url: str | None,
        read_secret: ReadSecret | None = None,
    ) -> None:
        """Compile what is there now. ``read_secret`` resolves references, by the environment when left out.

        Raises ConfigError.
        """
        self._file = file
        self._environment = environment
        self._providers = providers
        self._directory = directory
        self._trusted = trusted
        self._simulator_url = simulator_url
        self._read_secret = read_secret or SecretReader(environment, file.path.parent)
        self._turn = asyncio.Lock()
        self._version = 0
        self.document = document
        self.publish: Callable[[Snapshot], None] = lambda snapshot: None
        estate = directory.load()
        self.revision = estate.revision
        self.api_keys = estate.api_keys
        """All keys in the database, as those who are told of them need them."""
        self.current = self._compile(document, estate)
        self._warn()

    def check(self, estate: Estate) -> None:
        """Raise ConfigError when an estate, as a change would leave it, does not compile. May run in any thread."""
        check_changes(self.current, self._compile(self.document, estate))

    def lead_to(self, integration: Integration) -> Target:
        """Return what a stored integration leads to. Raises ConfigError, InvalidRequest for a forbidden host."""
        base, sources = self._base(self.document)
        sources = structs.replace(sources, read_secret=SecretReader(self._environment, self._file.path.parent))
        return compile_integration(self._directory.load(), base, sources, integration)

    async def take_changes(self) -> None:
        """Take over what was stored, if it is newer than what serves."""
        async with self._turn:
            estate = await asyncio.to_thread(self._directory.load)
            if estate.revision != self.revision or self.is_stale():
                self._take(await asyncio.to_thread(self._compile, self.document, estate), estate)

    async def take_document(self, document: Document) -> None:
        """Take over another configuration. Raises ConfigError; then the old one stays."""
        async with self._turn:
            estate = await asyncio.to_thread(self._directory.load)
            snapshot = await asyncio.to_thread(self._compile, document, estate)
            self.document = document
            self._take(snapshot, estate)
            self._warn()

    def has_news(self) -> bool:
        """Ask the change feed, and the clock. To be called in a thread."""
        return self._directory.revision() != self.revision or self.is_stale()

    def is_stale(self) -> bool:
        """Tell whether a limit has come into force since the snapshot was compiled."""
        stale_at = self.current.stale_at
        return stale_at is not None and utc_now().timestamp() >= stale_at

    def workspace_slug(self, id: str) -> str:
        """Return how people call a workspace, "" for one that is gone."""
        workspace = self.current.workspaces.get(id)
        return workspace.slug if workspace is not None else ""

    def rules_of(self, id: str | None) -> Rules:
        """Return what may be kept of a workspace's requests, of those of nobody what holds by default."""
        workspaces = self.current.workspaces
        workspace = workspaces.get(id or "") or workspaces[self.current.default_workspace]
        return workspace.recording.rules

    def _warn(self) -> None:
        """Tell what is not wrong, and yet not what somebody meant."""
        for what in missing_of_declared(self.current):
            _log.warning("%s: %s", self._file.path, what)

    def _take(self, snapshot: Snapshot, estate: Estate) -> None:
        self.current, self.revision, self.api_keys = snapshot, estate.revision, estate.api_keys
        self.publish(snapshot)

    def _compile(self, document: Document, estate: Estate) -> Snapshot:
        base, sources = self._base(document)
        return compile_estate(estate, base, sources)

    def _base(self, document: Document) -> tuple[Snapshot, EstateSources]:
        """Return what file and environment say, and what compiling an estate on top of it needs."""
        self._version += 1
        reader = self._read_secret
        sources = Sources(
            environment=self._environment,
            providers=self._providers,
            stored_keys=given_keys(self._environment),
            simulator_url=self._simulator_url,
            file=self._file.path.name,
            key_scopes=WORKSPACE,
        )
        try:
            base = compile_snapshot(document, sources, reader, self._version)
        except ConfigError as error:
            raise self._file.locate(error) from None
        timeouts: Timeouts = timeouts_of(document.timeouts)
        return structs.replace(base, trusted_hosts=self._trusted), EstateSources(
            providers=self._providers, read_secret=reader, guard=check_url, timeouts=timeouts, now=utc_now()
        )


def given_keys(environment: Mapping[str, str]) -> Mapping[bytes, GatewayKey]:
    """Return the keys of the environment by digest. Raises ConfigError for one that no request could use, and for one
    text in both variables: it would manage the organisation or call models, and nobody could say which."""
    keys = {}
    given = environment.get(API_KEY_VARIABLE)
    admin = environment.get(ADMIN_KEY_VARIABLE)
    if given and given == admin:
        raise ConfigError(f"{API_KEY_VARIABLE} and {ADMIN_KEY_VARIABLE} hold the same text; give each its own")
    if given:
        check_key(given, API_KEY_VARIABLE)
        keys[digest_of(given)] = GatewayKey(
            id="key_environment", name="environment", scopes=WORKSPACE, source=_variable(API_KEY_VARIABLE)
        )
    if admin:
        check_key(admin, ADMIN_KEY_VARIABLE)
        keys[digest_of(admin)] = GatewayKey(
            id="key_admin_environment",
            name="admin environment",
            kind="organisation-service",
            scopes=ORGANISATION,
            source=_variable(ADMIN_KEY_VARIABLE),
        )
    return keys


def _variable(name: str) -> str:
    return f"the environment variable {name}"
