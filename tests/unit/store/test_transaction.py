from __future__ import annotations

import msgspec
import pytest

from lockgate.core.secret import Secret
from lockgate.entities import Integration, Organisation, Workspace
from lockgate.errors import InvalidRequest
from lockgate.store.directory import open_directory


@pytest.fixture
def directory(tmp_path):
    directory = open_directory(url=None, home=tmp_path, environment={})
    yield directory
    directory.close()


def test_what_belongs_to_nobody_is_refused(directory):
    with pytest.raises(InvalidRequest, match="belongs to an organisation"), directory.change() as tx:
        tx.insert(Workspace(name="x", slug="x"))


def test_secrets_are_masked_in_the_entity_and_stored_beside_it(directory):
    with directory.change() as tx:
        acme = tx.insert(Organisation(name="Acme", slug="acme"))
        made = tx.insert(
            Integration(organisation_id=acme.id, name="M", slug="m", provider="x", masks={"forged": "x"}),
            secrets={"key": Secret("sk-ant-0123456789Qx7"), "configurations.secret": Secret("short"), "gone": None},
        )
        assert made.masks == {"key": "sk-*****Qx7", "configurations.secret": "*****"}
        changed = tx.update(made, secrets={"configurations.secret": None})
        assert changed.masks == {"key": "sk-*****Qx7"}
        assert changed.version == 2
        assert tx.secrets_of(changed) == {"key": Secret("sk-ant-0123456789Qx7")}


def test_a_reference_takes_the_place_of_a_secret_and_the_other_way_round(directory):
    with directory.change() as tx:
        acme = tx.insert(Organisation(name="Acme", slug="acme"))
        made = tx.insert(
            Integration(organisation_id=acme.id, name="M", slug="m", provider="x"), secrets={"key": Secret("hush")}
        )
        referred = tx.update(msgspec.structs.replace(made, references={"key": "env:NAME"}))
        assert (referred.masks, tx.secrets_of(referred)) == ({}, {})
        with pytest.raises(ValueError, match="as a secret and as a reference"):
            tx.update(referred, secrets={"key": Secret("hush")})
        back = tx.update(msgspec.structs.replace(referred, references={}), secrets={"key": Secret("hush")})
        assert tx.secrets_of(back) == {"key": Secret("hush")}


def test_what_has_no_secrets_takes_none(directory):
    with pytest.raises(ValueError, match="has no secrets"), directory.change() as tx:
        tx.insert(Organisation(name="Acme", slug="acme"), secrets={"key": Secret("x")})
