import base64

import pytest

from lockgate.core.secret import Secret
from lockgate.entities import Integration
from lockgate.store.directory import open_directory

OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))


@pytest.fixture
def home(run, tmp_path):
    run("workspaces", "list")
    return tmp_path / "home"


def credentials(home, **environment):
    """Return what a gateway that starts with these keys can read."""
    directory = open_directory(url=None, home=home, environment=environment)
    try:
        return sorted(secret.reveal() for secret in directory.load().secrets.values())
    finally:
        directory.close()


def add_credential(home, **environment):
    directory = open_directory(url=None, home=home, environment=environment)
    with directory.change() as tx:
        (organisation,) = {each.organisation_id for each in tx.estate().workspaces}
        made = Integration(name="I", slug="i", provider="openai", organisation_id=organisation)
        tx.insert(made, secrets={"key": Secret("sk-stored")})
    directory.close()


def test_a_key_in_a_file_is_replaced(run, home):
    add_credential(home)
    before = (home / "master.key").read_text()
    said = run("secrets", "rotate")
    assert "encrypted with the new master key" in said
    assert str(home / "master.key") in said
    assert (home / "master.key").read_text() != before
    assert credentials(home) == ["sk-stored"]


def test_a_key_of_the_environment_is_replaced_and_the_old_one_may_go(run, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCKGATE_MASTER_KEY", OLD)
    run("workspaces", "list")
    home = tmp_path / "home"
    add_credential(home, LOCKGATE_MASTER_KEY=OLD)
    monkeypatch.setenv("LOCKGATE_MASTER_KEY", NEW)
    monkeypatch.setenv("LOCKGATE_MASTER_KEY_PREVIOUS", OLD)
    said = run("secrets", "rotate")
    assert said.startswith("2 data keys")  # of the organisation, and of the audit log
    assert "Remove LOCKGATE_MASTER_KEY_PREVIOUS" in said
    assert credentials(home, LOCKGATE_MASTER_KEY=NEW) == ["sk-stored"]


def test_without_the_key_before_it_says_what_to_set(run, home, monkeypatch):
    monkeypatch.setenv("LOCKGATE_MASTER_KEY", NEW)
    assert "LOCKGATE_MASTER_KEY_PREVIOUS to the one before" in run("secrets", "rotate", status=1)


def test_a_database_that_is_not_there_is_not_made(run, tmp_path):
    assert "there is no database" in run("secrets", "rotate", status=1)
    assert not (tmp_path / "home").exists()
