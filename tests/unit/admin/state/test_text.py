from datetime import UTC, datetime
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lockgate.admin.state.document import StateDocument, StateProvider, StateUsageLimit, StateWorkspace
from lockgate.admin.state.text import find_yaml_line, keys_of, path_of, read_state, state_of, write_state
from lockgate.errors import InvalidDocument, InvalidRequest

MONEY = st.decimals(min_value=Decimal("0.01"), max_value=10**6, places=9)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)


@given(MONEY, TEXT, st.sampled_from(["yaml", "json"]))
def test_any_amount_and_any_text_survive_writing_and_reading(money, text, format):
    provider = StateProvider(
        workspace="w", slug="s", integration="i", name=text, note=text,
        usage_limits=[StateUsageLimit(credit_limit=money)], expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    assert read_state(write_state(StateDocument(providers=[provider]), format), format).providers == [provider]


@pytest.mark.parametrize("text", ["12:30", "2026-08-21", "yes", "null", "1_000", "0x10", "~", "@a", "1e3", "- a", "#"])
def test_words_that_yaml_might_take_for_something_else_stay_words(text):
    document = StateDocument(workspaces=[StateWorkspace(slug="s", name=text)])
    assert read_state(write_state(document, "yaml"), "yaml") == document


def test_a_part_that_is_empty_is_written_and_one_that_is_not_there_is_not():
    text = write_state(StateDocument(providers=[]), "yaml")
    assert yaml.safe_load(text) == {"version": 1, "providers": []}
    assert read_state("", "yaml") == StateDocument()


@pytest.mark.parametrize(
    "text, format, message",
    [
        ("a: [", "yaml", "not valid YAML"),
        ("{", "json", "not valid JSON"),
        ("[", "toml", "not valid TOML"),
        ("!!python/object/apply:os.system ['true']", "yaml", "not valid YAML"),
        ("[1]", "yaml", "the body: expected an object, got a list"),
        ("workspaces: [{slug: s}]", "yaml", "workspaces[0].name: is missing"),
        ("workspaces: [{slug: s, name: n, usage_limits: [{credit_limit: .inf}]}]", "yaml", "credit_limit"),
    ],
)
def test_faults_say_where(text, format, message):
    with pytest.raises(InvalidRequest) as caught:
        read_state(text, format)
    assert message in caught.value.message


def test_floats_of_json_are_taken_as_they_are_written():
    value = {"providers": [{"workspace": "w", "slug": "s", "integration": "i", "name": "n",
                            "usage_limits": [{"credit_limit": 0.1}]}]}  # fmt: skip
    assert state_of(value).providers[0].usage_limits[0].credit_limit == Decimal("0.1")


def test_toml_is_read_only():
    with pytest.raises(InvalidRequest):
        write_state(StateDocument(), "toml")


TEXTS = {
    "yaml": "workspaces:\n- slug: s\n  name: 5\n- name: n\nkeys:\n  - {name: k,\n     scopes: 7}\n",
    "json": '{"workspaces": [\n{"slug": "s",\n"name": []},\n{"name": "n"}],\n"keys": [{"name": "k",\n"scopes": 7}]}',
    "toml": '[[workspaces]]\nslug = "s"\nname = []\n[[workspaces]]\nname = "n"\n[[keys]]\nname = "k"\nscopes = 7\n',
}


@pytest.mark.parametrize("format, lines", [("yaml", [3, 4, 7]), ("json", [3, 4, 6]), ("toml", [3, 4, 8])])
def test_all_faults_of_the_form_are_found_with_their_lines(format, lines):
    with pytest.raises(InvalidDocument) as caught:
        read_state(TEXTS[format], format)
    assert [fault.line for fault in caught.value.faults] == lines
    assert [fault.path for fault in caught.value.faults][-2:] == ["workspaces[1].slug", "keys[0].scopes"]
    assert caught.value.message.startswith(f"{len(lines)} faults, and nothing is changed:\nline ")


def test_paths_and_keys():
    assert keys_of("keys[0].usage_limits[1].type") == ("keys", "0", "usage_limits", "1", "type")
    assert path_of(keys_of("keys[0].usage_limits[1].type")) == "keys[0].usage_limits[1].type"
    assert path_of(()) == "the body"
    assert find_yaml_line("a: [", ("a",)) == 1
    assert find_yaml_line("a:\n  b:\n    - c: 1\n    - d: 2\n", ("a", "b", "1", "d", "e")) == 4
