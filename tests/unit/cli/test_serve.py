from pathlib import Path

import pytest

import lockgate.cli as cli
from lockgate.app import Started


@pytest.mark.parametrize(
    "environment, files, expected",
    [
        ({"LOCKGATE_HOME": "/somewhere"}, [], Path("/somewhere")),
        ({"LOCKGATE_HOME": "~/x"}, [], Path("~/x").expanduser()),
        ({}, ["pyproject.toml", "src/lockgate/x"], Path(".lockgate")),
        ({"XDG_DATA_HOME": "/data"}, [], Path("/data/lockgate")),
        ({}, [], Path.home() / ".local/share/lockgate"),
    ],
)
def test_where_the_state_lives(tmp_path, monkeypatch, environment, files, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("LOCKGATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert cli.state_folder() == expected


def started(**more):
    fields = {
        "url": "http://127.0.0.1:8787",
        "new_key": None,
        "targets": (("anthropic", "anthropic", True), ("prod", "openai", False)),
        "config_path": None,
        "home": Path(".lockgate"),
        "is_open": False,
    }
    return Started(**{**fields, **more})


def test_the_banner_says_what_is_simulated_and_where_to_point_an_sdk():
    text = cli.banner(started())
    assert "@anthropic" in text
    assert text.count("SIMULATED") == 1
    assert "http://127.0.0.1:8787/v1" in text
    assert "API key" not in text


def test_the_banner_shows_a_new_key_once_and_warns_when_open():
    text = cli.banner(started(new_key="gk_new", is_open=True, targets=()))
    assert text.count("gk_new") == 1
    assert "OPEN" in text
    assert "no providers yet" in text
