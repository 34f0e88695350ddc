import asyncio

import pytest

from lockgate.app.office import Office
from lockgate.core.batches import BatchOwner, write_hold
from lockgate.core.journal import Position
from lockgate.core.limits import Budget, Charge, Charged, Grant, Hold
from lockgate.errors import ConfigError, Conflict, Unavailable
from lockgate.store.batch_book import DatabaseBatchBook
from lockgate.store.checkpoint import Checkpoint, write_checkpoint
from lockgate.store.counters_memory import MemoryCounters
from lockgate.store.directory import open_directory
from lockgate.telemetry.clock import SystemClock
from lockgate.telemetry.ledger_book import LedgerBook


@pytest.fixture
def office(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Office(config_path=None, home=tmp_path / "home", environment={}) as office:
        yield office


def test_it_makes_a_database_with_a_workspace_and_no_keys(office, tmp_path):
    assert office.is_new
    assert office.ask("GET", "/admin/workspaces").body["total"] == 1
    assert office.ask("GET", "/api-keys").body["data"] == []
    with Office(config_path=None, home=tmp_path / "home", environment={}) as again:
        assert not again.is_new


def test_operations_are_those_of_the_api_and_audited(office):
    made = office.ask("POST", "/api-keys/workspace/service", {"name": "k"})
    assert (made.status, made.is_done) == (200, True)
    refused = office.ask("POST", "/api-keys/workspace/service", {})
    assert (refused.status, refused.is_done, refused.body["message"]) == (
        400,
        False,
        "name: is missing; it is required",
    )
    assert office.ask("GET", f"/api-keys/{made.body['id']}").body["created_by"] == "command-line"


def test_what_was_done_without_an_operation_is_audited(office):
    office.note("delete", "logs", "del_1")
    entries = office.ask("GET", "/audit-logs", resource_type="logs").body["records"]
    assert [(one["action"], one["user_id"], one["user_type"]) for one in entries] == [
        ("delete", "command-line", "api_key")
    ]


def test_what_is_used_is_read_from_checkpoint_and_journal(office, tmp_path):
    body = {"name": "k", "usage_limits": {"type": "tokens", "credit_limit": 1000}}
    id = office.ask("POST", "/api-keys/workspace/service", body).body["id"]
    limit = office.ask("GET", f"/api-keys/{id}").body["usage_limits"]["id"]
    charge = Charge(limit=limit, unit="tokens", amount=300)
    counters = MemoryCounters(SystemClock())
    counters.replay((charge,))
    write_checkpoint(
        tmp_path / "home" / "counters.json", Checkpoint(position=Position(segment=1, offset=0), state=counters.state())
    )
    with Office(config_path=None, home=tmp_path / "home", environment={}) as again:
        assert again.ask("GET", f"/api-keys/{id}").body["usage"]["used"] == 300


def test_what_batches_reserve_is_reserved(office, tmp_path):
    body = {"name": "k", "usage_limits": {"type": "tokens", "credit_limit": 1000}}
    made = office.ask("POST", "/api-keys/workspace/service", body).body["id"]
    limit = office.ask("GET", f"/api-keys/{made}").body["usage_limits"]["id"]
    budget = Budget(id=limit, scope="key", name="k", unit="tokens", cap=1000)
    hold = Hold(limit=budget, group="", start=0, end=None, amount=400)
    owner = BatchOwner(workspace_id="w", id="msgbatch_1", slug="claude", hold=write_hold(Grant("b-1", (hold,), 60.0)))
    directory = open_directory(url="", home=tmp_path / "home", environment={})
    asyncio.run(DatabaseBatchBook(directory).keep(owner))
    directory.close()
    with Office(config_path=None, home=tmp_path / "home", environment={}) as again:
        usage = again.ask("GET", f"/api-keys/{made}").body["usage"]
    assert (usage["used"], usage["reserved"], usage["remaining"]) == (0, 400, 600)


def test_a_damaged_file_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lockgate.toml").write_text("[keys.bot]\nkey = 1\n")
    with pytest.raises(ConfigError, match="keys"):
        Office(config_path=None, home=tmp_path / "home", environment={})


def test_budgets_are_compared_with_the_ledger(office, tmp_path):
    body = {"name": "k", "usage_limits": {"type": "tokens", "credit_limit": 1000}}
    id = office.ask("POST", "/api-keys/workspace/service", body).body["id"]
    limit = office.ask("GET", f"/api-keys/{id}").body["usage_limits"]["id"]
    home = tmp_path / "home"
    book = LedgerBook(home / "ledger.json", home / "journal", 0.0)
    book.adopt(Charged(limit, "", 0), None, 300)
    book.save(0.0)
    (found,) = office.check_budgets(repairs=False)
    assert (found.counted, found.booked, found.matters) == (0, 300, True)
    (home / "appendonlydir").mkdir()
    with pytest.raises(Unavailable, match="which does not run"):
        office.check_budgets(repairs=False)
    (home / "appendonlydir").rmdir()
    with pytest.raises(Conflict, match="when it starts, and once an hour"):
        office.check_budgets(repairs=True)
