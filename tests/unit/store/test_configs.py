from __future__ import annotations

import pytest
from msgspec import structs

from lockgate.entities import Config, Organisation, Workspace
from lockgate.store.configs import create_config, save_config, text_of, version_of, versions_of
from lockgate.store.directory import open_directory

TEXTS = [
    '{"provider":"@a"}',
    '{ "provider": "@b" }',
    '{"provider":"openai","api_key":"sk-0123456789abcdef"}',
    '{"provider":"openai","api_key":"sk-fedcba9876543210"}',
    '{"provider":"@a"}',
]


@pytest.fixture
def directory(tmp_path):
    opened = open_directory(url=None, home=tmp_path, environment={})
    yield opened
    opened.close()


def test_every_version_reads_as_it_was_written(directory):
    with directory.change() as tx:
        organisation = tx.insert(Organisation(name="O", slug="o"))
        workspace = tx.insert(Workspace(organisation_id=organisation.id, name="W", slug="w"))
        saved = create_config(
            tx,
            Config(organisation_id=organisation.id, workspace_id=workspace.id, slug="pc-a", name="A", text=TEXTS[0]),
        )
        for text in TEXTS[1:]:
            saved = save_config(tx, structs.replace(saved, text=text))
            assert text_of(tx, saved) == text
        found = [text_of(tx, version_of(tx, saved, str(number))) for number in range(1, 6)]
        assert found == TEXTS
        assert [version.number for version in versions_of(tx, saved)[0]] == [5, 4, 3, 2, 1]
