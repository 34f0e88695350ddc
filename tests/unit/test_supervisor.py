import asyncio

import pytest

from lockgate.app import Options
from lockgate.errors import ConfigError
from lockgate.supervisor import Supervisor


def test_what_is_wrong_stops_the_start_before_any_worker(tmp_path):
    (tmp_path / "lockgate.toml").write_text('[providers.a]\ntype = "nope"\n')
    options = Options(config_path=tmp_path / "lockgate.toml", home=tmp_path / "home", port=0, environment={})
    with pytest.raises(ConfigError, match=r"providers\.a\.type"):
        asyncio.run(Supervisor(options, 2, ["up"]).run(lambda started: None))


def test_a_worker_that_never_listens_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {"LOCKGATE_API_KEY": "k"}
    options = Options(config_path=None, home=tmp_path / "home", port=0, environment=environment, simulate=False)
    with pytest.raises(ConfigError, match="before it listened"):
        asyncio.run(Supervisor(options, 1, ["no-such-command"]).run(lambda started: None))


def test_a_worker_that_cannot_be_started_is_an_error_and_not_a_long_wait(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def refuse(*arguments, **options):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    options = Options(
        config_path=None, home=tmp_path / "home", port=0, environment={"LOCKGATE_API_KEY": "k"}, simulate=False
    )
    with pytest.raises(OSError, match="allocate"):
        asyncio.run(asyncio.wait_for(Supervisor(options, 1, ["up"]).run(lambda started: None), 30))
