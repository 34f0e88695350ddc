"""Secrets that go in through the API come out nowhere: not in answers, logs, records, the database or the state folder.

And the master key is replaced while requests run, without one that fails.
"""

from __future__ import annotations

import secrets
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from lockgate.store.directory import open_directory
from lockgate.store.rotation import rotate_master_key
from tests.contract.store.conftest import create, postgresql
from tests.e2e.gateway import Evidence, Server, clean_environment, running

__all__ = ["postgresql"]

MODEL = "claude-haiku-4-5"
CONFIG = """
[server]
trusted_custom_hosts = ["127.0.0.1"]
[simulator]
enabled = false
"""
NEW_MASTER_KEY = "bmV3LW1hc3Rlci1rZXktb2YtdGVzdHMtMzItYnl0ZXM="
MASTER_KEY = "bWFzdGVyLWtleS1vZi10ZXN0cy1vbmx5LTMyLWJ5dGU="


class Plane:
    """A gateway's API and routes; every answer is evidence."""

    def __init__(self, server: Server, admin_key: str, evidence: Evidence) -> None:
        self.admin_key = admin_key
        self._evidence = evidence
        self.url = server.url

    def ask(self, method: str, path: str, body: object = None, key: str | None = None) -> httpx.Response:
        headers = {"x-portkey-api-key": key or self.admin_key}
        answer = httpx.request(method, self.url + path, json=body, headers=headers, trust_env=False, timeout=30)
        self._evidence.add(f"{method} {path} ({answer.status_code})", f"{answer.headers}\n{answer.text}")
        return answer

    def good(self, method: str, path: str, body: object = None) -> dict:
        answer = self.ask(method, path, body)
        assert answer.is_success, answer.text
        return answer.json()

    def call(self, key: str, model: str, said: str = "Hi", *, is_stream: bool = False) -> httpx.Response:
        body = {"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": said}], "stream": is_stream}
        return self.ask("POST", "/v1/messages", body, key)


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Server]:
    with running(["simulate", "--port", "0"], folder=tmp_path / "simulator", environment=clean_environment()) as server:
        yield server


def start(tmp_path: Path, workers: int, admin_key: str, **variables: str):
    config = tmp_path / "lockgate.toml"
    config.write_text(CONFIG)
    arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", "0", "--workers", str(workers)]
    environment = clean_environment(LOCKGATE_ADMIN_KEY=admin_key, **variables)
    return running(arguments, folder=tmp_path / "gw", environment=environment)


def secret(evidence: Evidence, name: str) -> str:
    return evidence.hide(name, f"{name.replace(' ', '-')}-canary-{secrets.token_hex(16)}")


def integration(slug: str, key: str, url: str) -> dict:
    place = {"custom_host": url}
    return {"name": slug, "slug": slug, "ai_provider_id": "anthropic", "key": key, "configurations": place}


def put_secrets_everywhere(plane: Plane, evidence: Evidence, upstream: str) -> None:
    """Send secrets down good paths and bad ones."""
    workspace = plane.good("GET", "/v1/admin/workspaces")["data"][0]["id"]
    for slug, url in (("sim", upstream), ("dead", "http://127.0.0.1:1")):
        body = integration(slug, secret(evidence, f"credential {slug}"), url)
        plane.good("POST", "/v1/integrations", {**body, "workspace_id": workspace})
        assert plane.ask("POST", "/v1/integrations", {**body, "workspace_id": workspace}).status_code == 409
        assert plane.ask("POST", "/v1/integrations", {**body, "slug": [body["key"]]}).status_code == 400
        assert plane.ask("POST", "/v1/integrations", {**body, "configurations": body["key"]}).status_code == 400
        plane.ask("POST", f"/v1/integrations/{slug}/test", {"model": MODEL})
        plane.good("GET", f"/v1/integrations/{slug}")
    replaced = secret(evidence, "credential that replaces")
    plane.good("PUT", "/v1/integrations/sim", {"key": replaced})
    virtual = {"name": "virtual", "provider": "anthropic", "key": secret(evidence, "virtual key")}
    plane.ask("POST", "/v1/virtual-keys", {**virtual, "workspace_id": workspace})
    made = plane.ask("POST", "/v1/api-keys/workspace/service", {"name": "k", "workspace_id": workspace}).json()
    key = made["key"]
    evidence.texts.pop()  # a key's text is told once, here
    for said, model in (
        ("Hi", f"@sim/{MODEL}"),
        ("[[sim: status=401]]", f"@sim/{MODEL}"),
        ("[[sim: status=500, html=1]]", f"@sim/{MODEL}"),
        ("[[sim: malformed=1]]", f"@sim/{MODEL}"),
        ("Hi", f"@dead/{MODEL}"),
        ("Hi", f"@{key}/{MODEL}"),
    ):
        for is_stream in (False, True):
            answer = plane.call(key, model, said, is_stream=is_stream)
            if key in model:
                evidence.texts.pop()  # what a caller takes for a name is repeated to that caller
            assert answer.status_code == 200 or answer.status_code >= 400
    assert plane.ask("GET", "/v1/models", key=key[:-1] + ("a" if key[-1] != "a" else "b")).status_code == 401
    rotated = plane.ask("POST", f"/v1/api-keys/{made['id']}/rotate", {}).json()
    evidence.texts.pop()
    for name, value in (("api key", key), ("rotated api key", rotated["key"])):
        evidence.hide(name, value)
    for path in ("/v1/api-keys", "/v1/integrations", "/v1/providers", "/v1/virtual-keys", "/v1/audit-logs"):
        plane.ask("GET", path)
    plane.ask("DELETE", "/v1/virtual-keys/virtual")


def test_nothing_of_a_secret_is_in_sqlite_state_log_or_answers(tmp_path: Path, simulator: Server) -> None:
    evidence = Evidence()
    admin = secret(evidence, "admin key")
    with start(tmp_path, 1, admin) as server:
        put_secrets_everywhere(Plane(server, admin, evidence), evidence, simulator.url)
    with sqlite3.connect(server.home / "lockgate.db") as database:
        dump = "\n".join(database.iterdump())
    assert "integrations" in dump
    evidence.add("the dump", dump)
    evidence.add("the dump, decoded", "".join(_decoded(dump)))
    evidence.folders.append(tmp_path / "gw")
    master_key = (server.home / "master.key").read_text().strip()
    evidence.texts += [("the master key", dump.replace(master_key, "LEAK"))] if master_key in dump else []
    assert len(evidence.canaries) > 8
    assert evidence.leaks() == []
    assert master_key not in dump


def _decoded(dump: str) -> Iterator[str]:
    """Return what stands in hexadecimal blobs."""
    for part in dump.split("X'")[1:]:
        yield bytes.fromhex(part.partition("'")[0]).decode("latin-1")


def test_nothing_of_a_secret_is_in_postgresql(tmp_path: Path, simulator: Server, postgresql) -> None:
    evidence = Evidence()
    admin = secret(evidence, "admin key")
    create(postgresql, "leaks")
    evidence.hide("master key", MASTER_KEY)
    url = postgresql("leaks")
    with start(tmp_path, 1, admin, LOCKGATE_DATABASE_URL=url, LOCKGATE_MASTER_KEY=MASTER_KEY) as server:
        put_secrets_everywhere(Plane(server, admin, evidence), evidence, simulator.url)
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    rows = 0
    with engine.connect() as connection:
        names = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars()
        for name in list(names):
            for row in connection.execute(text(f'SELECT t.* FROM "{name}" t')):  # names of the database's own
                rows += 1
                cells = [
                    bytes(cell).decode("latin-1") if isinstance(cell, (bytes, memoryview)) else cell for cell in row
                ]
                evidence.add(f"a row of {name}", "\n".join(map(str, cells)))
    engine.dispose()
    assert rows > 20
    evidence.folders.append(tmp_path / "gw")
    assert evidence.leaks() == []


def test_the_check_itself_finds_a_secret(tmp_path: Path) -> None:
    evidence = Evidence()
    hidden = secret(evidence, "some")
    (tmp_path / "log").write_text(f"oops: {hidden}")
    evidence.folders.append(tmp_path)
    evidence.add("an answer", {"key": hidden})
    assert [line.split(" in ")[0] for line in evidence.leaks()] == ["some", "some"]


def test_the_master_key_is_replaced_under_load_without_a_failed_request(tmp_path: Path, simulator: Server) -> None:
    evidence = Evidence()
    admin = secret(evidence, "admin key")
    with start(tmp_path, 2, admin) as server:
        plane = Plane(server, admin, evidence)
        workspace = plane.good("GET", "/v1/admin/workspaces")["data"][0]["id"]

        def add(number: int) -> str:
            body = integration(f"sim{number}", secret(evidence, f"credential {number}"), simulator.url)
            plane.good("POST", "/v1/integrations", {**body, "workspace_id": workspace})
            return f"@sim{number}/{MODEL}"

        models = [add(0)]
        key = plane.good("POST", "/v1/api-keys/workspace/service", {"name": "k", "workspace_id": workspace})["key"]
        statuses: Counter[int] = Counter()
        is_over = threading.Event()

        def load() -> None:
            with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
                while not is_over.is_set():
                    body = {"model": models[-1], "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
                    answer = client.post("/v1/messages", json=body, headers={"x-portkey-api-key": key})
                    statuses[answer.status_code] += 1

        wait_for_all(plane, key, models[0])
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        directory = open_directory(url=None, home=server.home, environment={})
        try:
            for number in range(1, 5):
                before = (server.home / "master.key").read_text()
                assert rotate_master_key(directory, server.home, {}) >= 1
                assert (server.home / "master.key").read_text() != before
                # a change makes every process read all secrets again, with the new key
                model = add(number)
                wait_for_all(plane, key, model)
                models.append(model)
        finally:
            is_over.set()
            for thread in threads:
                thread.join(60)
            directory.close()
    assert set(statuses) == {200}, statuses
    assert statuses[200] > 20
    assert "Traceback" not in server.log.read_text()
    assert not (server.home / "master.key.previous").exists()
    with start(tmp_path, 1, admin) as server:
        assert {Plane(server, admin, evidence).call(key, model).status_code for model in models} == {200}


def test_the_master_key_of_the_environment_is_replaced_by_the_command(tmp_path: Path, simulator: Server) -> None:
    evidence = Evidence()
    admin = secret(evidence, "admin key")
    model = f"@sim/{MODEL}"
    with start(tmp_path, 1, admin, LOCKGATE_MASTER_KEY=MASTER_KEY) as server:
        plane = Plane(server, admin, evidence)
        workspace = plane.good("GET", "/v1/admin/workspaces")["data"][0]["id"]
        body = integration("sim", secret(evidence, "credential"), simulator.url)
        plane.good("POST", "/v1/integrations", {**body, "workspace_id": workspace})
        key = plane.good("POST", "/v1/api-keys/workspace/service", {"name": "k", "workspace_id": workspace})["key"]
    both = {"LOCKGATE_MASTER_KEY": NEW_MASTER_KEY, "LOCKGATE_MASTER_KEY_PREVIOUS": MASTER_KEY}
    with start(tmp_path, 1, admin, **both) as server:
        plane = Plane(server, admin, evidence)
        assert "run lockgate secrets rotate before it goes" in server.log.read_text()
        command = [sys.executable, "-m", "lockgate", "secrets", "rotate"]
        environment = clean_environment(**both, LOCKGATE_HOME=str(server.home))
        rotation = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
        statuses = Counter([plane.call(key, model).status_code])
        while rotation.poll() is None:
            statuses[plane.call(key, model).status_code] += 1
        said = rotation.communicate()[0]
        assert "are encrypted with the new master key" in said
        assert "Remove LOCKGATE_MASTER_KEY_PREVIOUS" in said
        plane.good("PUT", "/v1/integrations/sim", {"name": "Again"})
        statuses[plane.call(key, model).status_code] += 1
        assert set(statuses) == {200}, statuses
    with start(tmp_path, 1, admin, LOCKGATE_MASTER_KEY=NEW_MASTER_KEY) as server:
        assert Plane(server, admin, evidence).call(key, model).status_code == 200
        assert "secrets rotate" not in server.log.read_text()


def wait_for_all(plane: Plane, key: str, model: str) -> None:
    """Return when every process knows a provider: each connection is another one's."""
    streak = 0
    for _ in range(400):
        with httpx.Client(base_url=plane.url, trust_env=False, timeout=30) as client:
            body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
            status = client.post("/v1/messages", json=body, headers={"x-portkey-api-key": key}).status_code
        streak = streak + 1 if status == 200 else 0
        if streak >= 12:
            return
    raise AssertionError(f"{model} is not known everywhere")
