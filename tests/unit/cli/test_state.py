import json
from datetime import UTC, datetime

import msgspec
import pytest
import yaml

from lockgate.entities import ApiKey
from lockgate.store.directory import open_directory

DOCUMENT = """
workspaces:
  - {slug: ws-billing, name: Billing}
keys:
  - {name: invoices, workspace: ws-billing, scopes: [completions.write], usage_limits: [{credit_limit: 5}]}
"""


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def test_a_file_is_tried_then_applied_then_changes_nothing(run, ask, tmp_path):
    file = tmp_path / "state.yaml"
    file.write_text(DOCUMENT)
    said = run("apply", file, "--dry-run")
    assert said.splitlines() == ["+ workspaces ws-billing", "+ keys ws-billing/invoices", "2 changes to make."]
    assert ask("keys", "list") == []
    said = run("apply", file)
    assert "the text of key 'invoices', shown this once: gk_" in said
    assert said.endswith("2 changes made.\n")
    assert run("apply", file) == "Nothing to change.\n"
    file.write_text(DOCUMENT.replace("credit_limit: 5", "credit_limit: 6"))
    assert run("apply", file, "-n").splitlines() == [
        "~ keys ws-billing/invoices",
        '    usage_limits: [{"credit_limit":5}] -> [{"credit_limit":6}]',
        "1 change to make.",
    ]


def test_what_is_exported_can_be_applied(run, ask, tmp_path):
    run("apply", "-", input=DOCUMENT)
    for name in ("out.yaml", "out.json"):
        run("export", "--output", tmp_path / name)
        assert run("apply", tmp_path / name, "--prune") == "Nothing to change.\n"
    assert json.loads((tmp_path / "out.json").read_text()) == yaml.safe_load(run("export"))
    assert ask("export")["keys"][0]["name"] == "invoices"


def test_keys_of_one_name_and_keys_that_have_ended_can_be_exported_and_applied(run, ask, home, tmp_path):
    run("apply", "-", input=DOCUMENT)
    run("keys", "create", "invoices", "-w", "ws-billing")
    directory = open_directory(url=None, home=home, environment={})
    with directory.change() as tx:
        one, two = tx.all(ApiKey, name="invoices")
        tx.update(msgspec.structs.replace(one, expires_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)))
    directory.close()
    file = tmp_path / "out.yaml"
    run("export", "--output", file)
    assert {each["id"] for each in yaml.safe_load(file.read_text())["keys"]} == {one.id, two.id}
    assert run("apply", file, "--prune") == "Nothing to change.\n"
    file.write_text(file.read_text().replace(f"- name: invoices\n  id: {two.id}", f"- name: other\n  id: {two.id}"))
    assert f"~ keys ws-billing/invoices/{two.id}" in run("apply", file)
    assert sorted(each["name"] for each in ask("keys", "list", "-w", "ws-billing")) == ["invoices", "other"]
    # an id is right also where the name alone would do by now
    assert run("apply", file, "--prune") == "Nothing to change.\n"


def test_which_of_several_must_be_said(run, ask):
    run("apply", "-", input=DOCUMENT)
    run("keys", "create", "invoices", "-w", "ws-billing")
    ids = sorted(each["id"] for each in ask("keys", "list", "-w", "ws-billing"))
    said = run("apply", "-", input=DOCUMENT, status=1)
    assert f"keys ws-billing/invoices: 2 have this name; say which one with id: {ids[0]} or {ids[1]}" in said
    unknown = DOCUMENT.replace("name: invoices", "name: invoices, id: nope")
    assert "there is none with this id" in run("apply", "-", input=unknown, status=1)


@pytest.mark.parametrize("name", ["x.toml", "x.txt", "x"])
def test_an_export_is_not_written_under_a_name_that_apply_would_read_otherwise(run, tmp_path, name):
    said = run("export", "--output", tmp_path / name, status=1)
    assert "must end in .yaml, .yml or .json" in said
    assert not (tmp_path / name).exists()


def test_prune_deletes(run, ask):
    run("apply", "-", input=DOCUMENT)
    assert run("apply", "-", "--prune", input="keys: []").splitlines() == [
        "- keys ws-billing/invoices",
        "warning: who calls with a key that is deleted is refused from then on: ws-billing/invoices",
        "1 change made.",
    ]
    assert ask("apply", "-", "--dry-run", input="keys: []")["steps"] == []


def test_a_reference_that_leads_nowhere_is_a_warning(run, ask, monkeypatch):
    text = "integrations: [{slug: i, name: I, ai_provider_id: openai, key: 'env:NOPE_KEY'}]"
    warning = "warning: integrations i.key: the environment variable NOPE_KEY is not set;"
    monkeypatch.delenv("NOPE_KEY", raising=False)
    for more in (("--dry-run",), (), ("--dry-run",)):
        assert warning in run("apply", "-", *more, input=text)
    assert ask("apply", "-", input=text)["warnings"] == [
        "integrations i.key: the environment variable NOPE_KEY is not set; "
        "without it requests fail where the gateway runs"
    ]
    monkeypatch.setenv("NOPE_KEY", "sk-1")
    assert "warnings" not in ask("apply", "-", input=text)


def test_the_last_key_that_manages_is_not_pruned(run, ask):
    run("keys", "create", "root", "--admin")
    for more in ((), ("--dry-run",), ("--force",)):
        said = run("apply", "-", "--prune", *more, input="keys: []", status=1)
        assert "keys root: without it no key would manage the organisation any more" in said
    assert [key["name"] for key in ask("keys", "list")] == ["root"]


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("x.txt", "", "must end in"),
        ("x.yaml", None, "cannot read"),
        ("x.yaml", "keys: [", "not valid YAML"),
        ("x.toml", "[[keys]]\nname = 'k'", "x.toml:1: keys[0].scopes: is missing"),
        ("x.json", '{"keys": [{"name": "k", "scopes": [], "budget": 4}]}', "x.json:1: keys[0].budget: unknown key"),
    ],
)
def test_refusals_are_one_sentence(run, tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    assert words in run("apply", tmp_path / name, status=1)


FAULTY = """\
workspaces:
  - {slug: ws-billing, name: Billing, usage_limits: [{credit_limit: 5}]}
integrations:
  - {slug: main, name: Main, ai_provider_id: antropic, key: "env:UP_KEY"}
providers:
  - {workspace: ws-biling, slug: claude, integration: mian, name: Claude}
  - {workspace: ws-billing, slug: claude, integration: main, name: Claude}
keys:
  - {name: invoices, workspace: ws-billing, scopes: [completions.wrte]}
  - name: second
    workspace: ws-billing
    scopes: [completions.write]
    usage_limits: [{credit_limit: 0.001}]
  - {name: third, workspace: ws-billing, scopes: [completions.write]}
  - {name: third, workspace: ws-billing, scopes: [completions.write]}
"""


def test_all_faults_are_told_with_file_and_line_and_nothing_is_changed(run, ask, tmp_path):
    file = tmp_path / "state.yaml"
    file.write_text(FAULTY)
    for more in ((), ("--dry-run",)):
        said = run("apply", file, *more, status=1)
        lines = [line.removeprefix(str(tmp_path)) for line in said.splitlines() if "state.yaml" in line]
        assert "6 faults, and nothing is changed" in said
        assert [line.split(" ")[0] for line in lines] == [
            "/state.yaml:4:",
            "/state.yaml:6:",
            "/state.yaml:6:",
            "/state.yaml:9:",
            "/state.yaml:13:",
            "/state.yaml:15:",
        ]
        assert "workspace: there is no workspace 'ws-biling'; did you mean ws-billing?" in said
        assert "integration: there is no integration 'mian'; did you mean main?" in said
        assert "did you mean completions.write?" in said
        assert "must be at least" in said
        assert "ws-billing/third stands there twice" in said
    assert [one["slug"] for one in ask("workspaces", "list")] == ["ws-shared"]


def test_all_faults_of_its_form_are_told(run, tmp_path):
    file = tmp_path / "state.toml"
    file.write_text('[[keys]]\nname = "a"\nscops = []\n\n[[keys]]\nname = 5\nscopes = []\nstatus = "activ"\n')
    said = run("apply", file, status=1)
    assert "state.toml:3: keys[0].scops: unknown key; did you mean scopes?" in said
    assert "state.toml:1: keys[0].scopes: is missing" in said
    assert "state.toml:6: keys[1].name: expected text" in said
    assert "state.toml:8: keys[1].status: must be one of active, disabled; did you mean active?" in said
