import json

import pytest
from typer.testing import CliRunner

from lockgate.cli import cli


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command on a database of its own; return what it printed. ``status`` is the exit status that it must have.

    ``all``: notes beside the answer, too.
    """
    monkeypatch.chdir(tmp_path)
    for name in (
        "LOCKGATE_DATABASE_URL",
        "LOCKGATE_REDIS_URL",
        "LOCKGATE_CONFIG",
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "home"))

    def run(*arguments, status=0, input=None, all=False):
        result = CliRunner().invoke(cli, [str(each) for each in arguments], input=input)
        assert result.exit_code == status, f"{result.output}\n{result.exception!r}"
        return result.stdout if status == 0 and not all else result.output

    return run


@pytest.fixture
def ask(run):
    """Run a command with ``--json``; return what it printed, read."""
    return lambda *arguments, **more: json.loads(run(*arguments, "--json", **more))
