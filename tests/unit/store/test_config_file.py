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
