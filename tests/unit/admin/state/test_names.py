from msgspec import structs

from lockgate.admin.state.document import (
    StateConfig,
    StateDocument,
    StateIntegration,
    StateKey,
    StateProvider,
    StateWorkspace,
)
from lockgate.admin.state.names import names_in, names_of, unknown_names
from tests.unit.admin.catalog_plane import make_integration

KNOWN = {
    "workspaces": frozenset({"ws-billing", "01a22492-f892-7001-9d66-4f27fef28785"}),
    "integrations": frozenset({"main"}),
    "providers": frozenset({"claude"}),
    "configs": frozenset({"pc-main"}),
    "secret_references": frozenset({"spare"}),
}


def found(entry):
    return [(".".join(flaw.keys), flaw.what) for flaw in unknown_names(entry, KNOWN)]


def test_names_that_are_known_are_no_flaws():
    key = StateKey(name="k", workspace="ws-billing", scopes=[], providers=["claude", "@claude"])
    key = structs.replace(key, defaults=structs.replace(key.defaults, config_id="pc-main@3"))
    assert found(key) == []
    assert found(StateWorkspace(slug="new", name="New")) == []


def test_names_that_nobody_knows_are_told_with_what_was_meant():
    provider = StateProvider(workspace="ws-biling", slug="claude", integration="mian", name="Claude")
    assert found(provider) == [
        ("workspace", "there is no workspace 'ws-biling'; did you mean ws-billing?"),
        ("integration", "there is no integration 'mian'; did you mean main?"),
    ]
    assert found(StateKey(name="k", scopes=[], providers=["openai"])) == [
        ("providers.0", "there is no provider 'openai'")
    ]


def test_what_an_entry_speaks_of():
    config = StateConfig(slug="c", workspace="w", name="C", config={"targets": [{"provider": "@claude"}]})
    assert {"w", "claude", "@claude"} <= names_in(config)
    assert "c" not in names_in(config)


def test_what_is_stored_and_what_is_in_the_document_is_known(plane):
    make_integration(plane, "service", slug="own")
    new = StateIntegration(slug="new", name="New", ai_provider_id="openai")
    with plane.directory.read() as view:
        known = names_of(view, StateDocument(integrations=[new]), plane.snapshot)
    assert {"own", "new"} <= known["integrations"]
    assert "own" in known["providers"]
    assert plane.home.slug in known["workspaces"]
