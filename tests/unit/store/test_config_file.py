import os

import pytest

from lockgate.errors import ConfigError
from lockgate.store.config_file import ConfigFile


def test_a_missing_file_matters_only_when_it_was_named(tmp_path):
    assert ConfigFile(tmp_path / "x.toml", is_required=False).read().providers == {}
    with pytest.raises(ConfigError, match="there is no configuration file"):
        ConfigFile(tmp_path / "x.toml", is_required=True).read()


def test_a_change_is_noticed(tmp_path):
    path = tmp_path / "x.toml"
    file = ConfigFile(path, is_required=False)
    file.read()
    assert not file.has_changed()
    path.write_text("[server]\nport = 1\n")
    assert file.has_changed()
    assert file.read().server.port == 1
    assert not file.has_changed()
    replacement = tmp_path / "y.toml"
    replacement.write_text("[server]\nport = 2\n")
    os.replace(replacement, path)
    assert file.has_changed()


def test_a_file_that_was_there_is_missed_when_it_is_gone(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("[server]\nport = 1\n")
    file = ConfigFile(path, is_required=False)
    file.read()
    path.unlink()
    with pytest.raises(ConfigError, match="there is no configuration file"):
        file.read()


def test_an_entry_is_found_by_its_line(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('[server]\n[providers.a]\ntype = "x"\n')
    file = ConfigFile(path, is_required=True)
    file.read()
    assert str(file.locate(ConfigError("providers.a.type: wrong"))) == f"{path}:3: providers.a.type: wrong"
    assert str(file.locate(ConfigError("something else is wrong"))) == "something else is wrong"


def test_faults_name_the_file(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        ConfigFile(path, is_required=True).read()
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        ConfigFile(path, is_required=True).read()


ROUTES = """{
  "retry": {"attempts": 9},
  "targets": [
    {"provider": "@a",
     "weight": -1}
  ]
}
"""


@pytest.fixture
def two_files(tmp_path):
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "main.json").write_text(ROUTES)
    path = tmp_path / "x.toml"
    path.write_text('[configs.main]\nfile = "routes/main.json"\n[configs.own]\nretry = {attempts = 1}\n')
    return ConfigFile(path, is_required=True)


def test_a_config_is_read_from_the_file_that_it_names(two_files):
    configs = two_files.read().configs
    assert configs["main"].text == ROUTES.encode()
    assert configs["own"].text == b'{"retry":{"attempts":1}}'


@pytest.mark.parametrize(
    "entry, line",
    [
        ("configs.main.retry.attempts", "routes/main.json:2"),
        ("configs.main.targets.0.weight", "routes/main.json:5"),
        ("configs.main", "routes/main.json:1"),
        ("configs.own.retry.attempts", "x.toml:4"),
        ("configs.main: not JSON (byte 20)", "routes/main.json:2"),
    ],
)
def test_a_fault_in_a_config_is_found_in_its_file(two_files, entry, line):
    two_files.read()
    message = entry if ": " in entry else f"{entry}: wrong"
    assert str(two_files.locate(ConfigError(message))) == f"{two_files.path.parent / line}: {message}"


def test_a_change_of_a_configs_file_is_noticed(two_files):
    two_files.read()
    assert not two_files.has_changed()
    (two_files.path.parent / "routes" / "main.json").write_text("{}")
    assert two_files.has_changed()
    assert two_files.read().configs["main"].text == b"{}"
    assert not two_files.has_changed()
    (two_files.path.parent / "routes" / "main.json").unlink()
    assert two_files.has_changed()


def test_a_config_that_cannot_be_read_is_named_with_its_line(two_files):
    file = two_files.path.parent / "routes" / "main.json"
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"x\.toml:2: configs\.main\.file: .*main\.json is not UTF-8 text"):
        two_files.read()
    file.unlink()
    with pytest.raises(ConfigError, match=r"x\.toml:2: configs\.main\.file: cannot read .*main\.json: No such file"):
        two_files.read()
