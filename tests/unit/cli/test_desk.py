import pytest

from lockgate.cli.desk import show_fields, show_table


def test_tables_are_wide_outside_of_a_terminal_and_mark_nothing_up(capsys):
    show_table(("a", "b"), [("[bold]x[/bold]", None), ("y" * 150, "")], nothing="none")
    said = capsys.readouterr().out
    assert "[bold]x[/bold]" in said
    assert "y" * 150 in said
    assert said.count(" -") >= 2
    show_table(("a",), [], nothing="there are none")
    assert capsys.readouterr().out == "there are none\n"


def test_fields_stand_one_below_the_other(capsys):
    show_fields([("a", 1), ("long", None)])
    assert capsys.readouterr().out == "a     1\nlong  -\n"


def test_a_database_that_cannot_be_opened_is_one_sentence(run, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", f"sqlite:///{tmp_path}/no/such/folder/x.db")
    said = run("keys", "list", status=1)
    assert said.startswith("lockgate: ")
    assert "Traceback" not in said


def test_a_new_database_is_told(run, tmp_path):
    from typer.testing import CliRunner

    from lockgate.cli import cli

    first = CliRunner().invoke(cli, ["keys", "list"])
    assert f"a new database was made in {tmp_path / 'home'}" in first.stderr
    assert CliRunner().invoke(cli, ["keys", "list"]).stderr == ""


@pytest.mark.parametrize("group", ["keys", "providers", "budgets", "workspaces", "apply", "export"])
def test_every_command_explains_itself(run, group):
    assert "Usage:" in run(group, "--help")


def test_nothing_that_people_named_steers_the_terminal(capsys):
    show_table(("a",), [("\x1b[31mred\nline",)], nothing="none")
    show_fields([("a", "\x1b]0;title\x07")])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[31mred" in shown
