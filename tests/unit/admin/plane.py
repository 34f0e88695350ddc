"""A control plane over a real database: two workspaces, one key of each kind, and a clock that tests set."""

from __future__ import annotations

import asyncio
import atexit
import base64
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from msgspec import structs

from lockgate.admin.app import AdminApp, all_endpoints
from lockgate.admin.call import Services
from lockgate.admin.scopes import ORGANISATION, WORKSPACE
from lockgate.app import load_dialects
from lockgate.config import Document
from lockgate.core.http import Timeouts, UpstreamRequest
from lockgate.entities import ApiKey, Config, Estate, Integration, KeyText, Member, Organisation, User, Workspace
from lockgate.entities.secret_fields import mask
from lockgate.plan.compile import Sources, compile_snapshot
from lockgate.plan.estate import EstateSources, check_changes, compile_estate, compile_integration
from lockgate.plan.keys import digest_of, write_key
from lockgate.plan.snapshot import Snapshot, Target
from lockgate.providers import load_providers
from lockgate.store.configs import create_config
from lockgate.store.counters_memory import MemoryCounters
from lockgate.store.directory import Directory, open_directory
from lockgate.store.secrets import SecretReader
from lockgate.transport.address_guard import check_url
from tests.unit.admin.record_desk import LazyDesk

PROVIDERS = load_providers()
DIALECTS = load_dialects()
START = datetime(2026, 8, 21, 9, 30, tzinfo=UTC)
BODY_LIMIT = 200_000
HOME = "ws-shared-000001"
OTHER = "ws-resear-1f0c3a"


class Plane:
    """The application, and what stands behind it."""

    def __init__(
        self,
        directory: Directory,
        clock: Clock,
        texts: dict[str, str],
        *,
        folder: Path,
        endpoints=None,
        body_limit: int = BODY_LIMIT,
    ) -> None:
        self.directory = directory
        self.clock = clock
        self.home_folder = Path("/nowhere")
        self.desk = LazyDesk(folder / "records")
        self.environment: dict[str, str] = {}
        self.counters = MemoryCounters(clock)
        self.texts = texts
        """The texts of keys by name: ``admin``, ``service``, ``user``, ``other`` (the second workspace's service key)."""
        self.taken_over = 0
        self.upstream = FakeUpstream()
        self.document = Document()
        """What the configuration file says."""
        self.simulator_url: str | None = None
        self._look_around()
        self.snapshot = self.compile(directory.load())
        self.refuse: Exception | None = None
        """What the next compile raises."""
        self.services = Services(
            directory=directory,
            snapshot=lambda: self.snapshot,
            check=self.check,
            lead_to=self.lead_to,
            upstream=self.upstream,
            dialects=DIALECTS,
            changed=self.changed,
            counters=self.counters,
            records=self.desk,
            now=lambda: self.clock.now,
            environment=self.environment,
            public_url=lambda: self.snapshot.public_url,
        )
        self.app = AdminApp(self.services, all_endpoints() if endpoints is None else endpoints, body_limit=body_limit)

    def _look_around(self) -> None:
        with self.directory.read() as view:
            (self.organisation,) = view.all(Organisation)
            self.home, self.other = view.get(Workspace, HOME), view.get(Workspace, OTHER)
            (self.owner,) = view.all(User, role="owner")
            (self.person,) = view.all(User, role="member")
            (self.member,) = view.all(Member)
            self.keys = {key.name: key for key in view.all(ApiKey)}

    def compile(self, estate: Estate) -> Snapshot:
        """Make what serves, as the gateway does."""
        base, sources = self._base()
        return compile_estate(estate, base, sources)

    def lead_to(self, integration: Integration) -> Target:
        """Compile what an integration leads to."""
        base, sources = self._base()
        return compile_integration(self.directory.load(), base, sources, integration)

    def recompile(self) -> None:
        """Take over another configuration file or environment."""
        self.snapshot = self.compile(self.directory.load())

    def _base(self) -> tuple[Snapshot, EstateSources]:
        read_secret = SecretReader(self.environment, self.home_folder)
        declared = Sources(
            environment=self.environment,
            providers=PROVIDERS,
            simulator_url=self.simulator_url,
        )
        base = compile_snapshot(self.document, declared, read_secret, 1)
        return base, EstateSources(
            providers=PROVIDERS, read_secret=read_secret, guard=check_url, timeouts=Timeouts(), now=self.clock.now
        )

    def check(self, estate: Estate) -> None:
        """Refuse what would not run."""
        if self.refuse is not None:
            raise self.refuse
        check_changes(self.snapshot, self.compile(estate))

    async def changed(self) -> None:
        """Take a change over."""
        self.taken_over += 1
        self.snapshot = self.compile(await asyncio.to_thread(self.directory.load))

    def promote(self, role: str) -> None:
        """Give the person of the user's key another role in the workspace."""
        with self.directory.change() as tx:
            member = tx.get(Member, self.member.id)
            tx.update(structs.replace(member, role=role))

    def save_config(self, slug: str, text: str = '{"retry":{"attempts":1}}', *, workspace: str | None = None) -> Config:
        """Store a config under a slug of our own, in the first workspace or another, and take it over."""
        with self.directory.change() as tx:
            own = {"organisation_id": self.organisation.id, "workspace_id": workspace or self.home.id}
            config = create_config(tx, Config(slug=slug, name=slug, text=text, **own))
        self.snapshot = self.compile(self.directory.load())
        return config

    def ask(self, method: str, path: str, key: str | None = "admin", **options: Any) -> httpx.Response:
        """Send one request, below /v1 but for the page of invites; ``key`` is a name in ``texts``, a key's text, or None."""
        return asyncio.run(self._ask(method, path, key, options))

    async def _ask(self, method: str, path: str, key: str | None, options: dict[str, Any]) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers.setdefault("x-portkey-api-key", self.texts.get(key, key))
        transport = httpx.ASGITransport(self.app)
        mount = "" if path.startswith("/invite/") else "/v1"
        async with httpx.AsyncClient(transport=transport, base_url=f"http://gateway{mount}") as client:
            return await client.request(method, path.removeprefix("/v1"), headers=headers, **options)

    def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request that somebody else has made."""

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app)) as client:
                return await client.send(request)

        return asyncio.run(send())

    def run(self, work: Any) -> Any:
        """Run a coroutine, such as one that charges a counter."""
        return asyncio.run(work)

    def ok(self, method: str, path: str, key: str | None = "admin", **options: Any) -> dict[str, Any]:
        """Send one request that must be done; return its answer."""
        answer = self.ask(method, path, key, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, status: int, method: str, path: str, key: str | None = "admin", **options: Any) -> dict[str, Any]:
        """Send one request that must be refused with this status and the union of error bodies."""
        answer = self.ask(method, path, key, **options)
        assert answer.status_code == status, answer.text
        body = answer.json()
        assert (body["status"], body["success"], body["type"]) == ("failure", False, "error")
        assert body["message"] == body["error"]["message"] == body["data"]["message"]
        assert body["request_id"] == answer.headers["x-portkey-request-id"]
        assert answer.headers["x-portkey-trace-id"]
        return body

    def close(self) -> None:
        """End threads and close the database."""
        self.app.close()
        self.desk.close()
        self.directory.close()


class FakeUpstream:
    """Answers requests to providers as a test says, and keeps them."""

    def __init__(self) -> None:
        self.seen: list[UpstreamRequest] = []
        self.answers: list[tuple[int, bytes] | Exception] = []

    async def send(self, request: UpstreamRequest) -> FakeResponse:
        self.seen.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return FakeResponse(*answer)


@dataclass
class FakeResponse:
    """One answer."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    is_closed: bool = False

    async def read(self, limit_bytes: int) -> bytes:
        return self.body

    def close(self) -> None:
        self.is_closed = True


class Clock:
    """The time, as tests set it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def unix(self) -> float:
        return self.now.timestamp()

    def pass_by(self, **duration: float) -> None:
        """Let time pass; the arguments are those of timedelta."""
        self.now += timedelta(**duration)


_templates: dict[str, Template] = {}


@dataclass
class Template:
    """A database as it is at the start; making it once and copying it is quicker."""

    folder: Path
    texts: dict[str, str]


def make_plane(folder: Path, **options: Any) -> Plane:
    """Make a database in a folder, and a control plane over it."""
    if not _templates:
        home = Path(tempfile.mkdtemp(prefix="plane-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        directory = open_directory(url=None, home=home, environment={}, clock=Clock())
        _templates["plane"] = Template(home, set_up(directory, START))
        directory.close()
    template = _templates["plane"]
    shutil.copytree(template.folder, folder, dirs_exist_ok=True)
    clock = Clock()
    directory = open_directory(url=None, home=folder, environment={}, clock=clock)
    return Plane(directory, clock, dict(template.texts), folder=folder, **options)


def make_plane_at(url: str, folder: Path) -> Plane:
    """Make a control plane over a new database elsewhere."""
    clock = Clock()
    environment = {"LOCKGATE_MASTER_KEY": base64.b64encode(os.urandom(32)).decode()}
    directory = open_directory(url=url, home=folder, environment=environment, clock=clock)
    return Plane(directory, clock, set_up(directory, START), folder=folder)


def set_up(directory: Directory, now: datetime) -> dict[str, str]:
    """Fill an empty database; return the texts of the keys."""
    texts = {}
    with directory.change() as tx:
        organisation = tx.insert(Organisation(name="Acme", slug="acme"))
        own = {"organisation_id": organisation.id}
        home = tx.insert(Workspace(name="Shared Team Workspace", slug=HOME, is_default=True, **own))
        other = tx.insert(Workspace(name="Research", slug=OTHER, **own))
        tx.insert(User(email="owner@example.org", first_name="Olga", role="owner", **own))
        person = tx.insert(User(email="kim@example.org", first_name="Kim", last_name="Lee", **own))
        tx.insert(Member(workspace_id=home.id, user_id=person.id, role="member", **own))
        for name, kind, workspace, user, scopes in (
            ("admin", "organisation-service", None, None, ORGANISATION),
            ("service", "workspace-service", home, None, WORKSPACE),
            ("other", "workspace-service", other, None, WORKSPACE),
            ("user", "workspace-user", home, person, WORKSPACE),
        ):
            texts[name] = text = write_key(os.urandom(32))
            tx.insert(
                ApiKey(
                    name=name,
                    kind=kind,
                    workspace_id=workspace.id if workspace else None,
                    user_id=user.id if user else None,
                    scopes=tuple(sorted(scopes)),
                    texts=(KeyText(digest=digest_of(text).hex(), mask=mask(text), created_at=now),),
                    **own,
                )
            )
    return texts
