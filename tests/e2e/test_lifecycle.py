"""Starting, reloading and stopping, as an operator sees it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from lockgate.telemetry.journal import read_journal
from tests.e2e.gateway import Server, clean_environment, running
from tests.e2e.waiting import wait_until

BODY = {
    "model": "@anthropic/claude-haiku-4-5-20251001",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "Hi"}],
}


def lockgate(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lockgate", *arguments],
        cwd=folder,
        env=clean_environment(**{"LOCKGATE_HOME": str(folder / "home"), **environment}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ask(server: Server, key: str, **more: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(server.url + "/v1/messages", json={**BODY, **more}, headers=headers, trust_env=False, timeout=30)


def under_way(server: Server, key: str) -> list[object]:
    """Return the requests that run at this moment."""
    headers = {"x-portkey-api-key": key}
    answer = httpx.get(server.url + "/v1/logs/tail", headers=headers, trust_env=False, timeout=30)
    running: list[object] = answer.json()["running"]
    return running


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_first_start_that_fails_late_shows_the_keys_that_it_made(tmp_path: Path, workers: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        (tmp_path / "bad.toml").write_text(f'[counters]\nurl = "redis://127.0.0.1:{taken.getsockname()[1]}/0"\n')
        failed = lockgate("up", "--port", "0", "--workers", workers, "--config", "bad.toml", folder=tmp_path)
    assert failed.returncode != 0
    shown = re.findall(r"gk_[0-9A-Za-z]{49}", failed.stdout)
    assert len(shown) == 2
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment()) as server:
        assert not re.findall(r"gk_[0-9A-Za-z]{49}", server.log.read_text())
        assert ask(server, shown[0]).status_code == 200


def test_files_of_the_state_are_for_their_owner_alone_wherever_they_are(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    old = os.umask(0o022)
    try:
        lockgate("keys", "list", folder=tmp_path)
        (home / "lockgate.db").chmod(0o644)  # as earlier versions made it
        environment = clean_environment(LOCKGATE_API_KEY="owner-only-key-0123456789")
        with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
            assert ask(server, "owner-only-key-0123456789").status_code == 200
            wait_until(lambda: any(home.glob("records/*.db")))
            files = [file for file in home.rglob("*") if file.is_file()]
            assert home / "lockgate.db" in files
            modes = {str(file.relative_to(home)): oct(file.stat().st_mode & 0o777) for file in files}
    finally:
        os.umask(old)
    assert {name: mode for name, mode in modes.items() if int(mode, 8) & 0o077} == {}


def test_a_first_start_that_finds_its_port_taken_leaves_the_keys_to_the_next_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        failed = lockgate("up", "--port", str(taken.getsockname()[1]), folder=tmp_path)
    assert failed.returncode != 0
    assert "gk_" not in failed.stdout + failed.stderr
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment()) as server:
        assert len(re.findall(r"gk_[0-9A-Za-z]{49}", server.log.read_text())) == 2


def test_the_first_start_makes_a_key_and_shows_it_once(tmp_path: Path) -> None:
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment()) as server:
        shown = re.findall(r"gk_[0-9A-Za-z]{49}", server.log.read_text())
        assert len(shown) == 2, "one key to call models, one to manage the organisation"
        assert "SIMULATED" in server.log.read_text()
        answer = ask(server, shown[0])
        assert answer.status_code == 200
        assert answer.headers["x-lockgate-simulated"] == "true"
    for path in (tmp_path / "home").rglob("*"):
        assert not path.is_file() or not any(key.encode() in path.read_bytes() for key in shown)
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment()) as server:
        assert "gk_" not in server.log.read_text()
        assert ask(server, shown[0]).status_code == 200
        assert ask(server, "gk_wrong").status_code == 401


def test_a_key_from_the_environment_makes_no_other(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="from-the-environment")
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
        assert "gk_" not in server.log.read_text()
        assert "from-the-environment" not in server.log.read_text()
        assert ask(server, "from-the-environment").status_code == 200


@pytest.mark.parametrize(
    "config, message",
    [
        (
            "[server]\nprot = 1\n",
            r"lockgate: .*lockgate\.toml:2: server\.prot: unknown key; did you mean port\? known here: ",
        ),
        ("[server\n", r"lockgate: .*lockgate\.toml:1: not valid TOML"),
        (
            '[providers.a]\ntype = "nope"\n',
            r"lockgate: .*lockgate\.toml:2: providers\.a\.type: unknown provider 'nope'",
        ),
        (
            '[providers.a]\ntype = "openai"\napi_key = "env:UNSET_NAME"\n',
            r"lockgate: .*lockgate\.toml:3: providers\.a\.api_key: .*UNSET_NAME is not set",
        ),
        ('[server]\nhost = "0.0.0.0"\nopen = true\n', r"lockgate: .*lockgate\.toml:3: server\.open: it serves anybody"),
    ],
)
@pytest.mark.parametrize("command", ["up", "check"])
def test_a_broken_configuration_is_one_sentence(tmp_path: Path, config: str, message: str, command: str) -> None:
    (tmp_path / "lockgate.toml").write_text(config)
    done = lockgate(command, folder=tmp_path)
    assert done.returncode == 1
    assert re.match(message, done.stderr)
    assert len(done.stderr.splitlines()) == 1
    # a start that fails late has made its first keys, and says so
    assert done.stdout == "" or (command == "up" and "these keys were made and stay" in done.stdout)


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for command in (["up", "--port", port], ["simulate", "--port", port]):
            done = lockgate(*command, folder=tmp_path)
            assert done.returncode == 1
            assert done.stderr.startswith(f"lockgate: cannot listen on 127.0.0.1:{port}: ")
            assert len(done.stderr.splitlines()) == 1


def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = lockgate("up", "--port", "0", folder=tmp_path, LOCKGATE_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert done.stderr.startswith("lockgate: cannot write the state folder")
    assert len(done.stderr.splitlines()) == 1


def test_a_named_configuration_must_exist(tmp_path: Path) -> None:
    done = lockgate("up", "--config", "missing.toml", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "lockgate: there is no configuration file missing.toml\n")


def test_check_says_what_a_right_file_holds(tmp_path: Path) -> None:
    (tmp_path / "lockgate.toml").write_text('[providers.a]\ntype = "openai"\napi_key = "k"\n')
    done = lockgate("check", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "lockgate.toml is right; providers: 1, keys: 0, configs: 0.\n")


def test_a_changed_file_is_taken_over_and_a_broken_one_is_not(tmp_path: Path) -> None:
    config = tmp_path / "lockgate.toml"
    config.write_text('[simulator]\nenabled = true\n[keys.one]\nkey = "first-key"\n')
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment()) as server:
        assert ask(server, "first-key").status_code == 200
        config.write_text('[simulator]\nenabled = true\n[keys.two]\nkey = "second-key"\n')
        wait_until(lambda: ask(server, "second-key").status_code == 200)
        assert ask(server, "first-key").status_code == 401
        config.write_text("[keys.three]\n")
        wait_until(lambda: "was not taken over" in server.log.read_text())
        assert "keys.three: give either key or sha256" in server.log.read_text()
        assert ask(server, "second-key").status_code == 200
        config.write_text('[simulator]\nenabled = true\n[keys.two]\nkey = "third-key"\n')
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: ask(server, "third-key").status_code == 200)


def test_a_file_that_vanishes_takes_nothing_away(tmp_path: Path) -> None:
    config = tmp_path / "lockgate.toml"
    config.write_text('[simulator]\nenabled = true\n[keys.one]\nkey = "first-key"\n')
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment()) as server:
        config.unlink()
        wait_until(lambda: "was not taken over" in server.log.read_text())
        assert ask(server, "first-key").status_code == 200


def test_asking_twice_ends_at_once(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="drain-key")
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
        slow = {"messages": [{"role": "user", "content": "[[sim: delay=25]]"}]}
        asking = threading.Thread(target=lambda: ask(server, "drain-key", **slow))
        asking.start()
        wait_until(lambda: under_way(server, "drain-key"))
        server.process.terminate()
        wait_until(lambda: "1 requests still run" in server.log.read_text())
        server.process.terminate()
        assert server.process.wait(30) == 0
        asking.join(30)
        assert "Traceback" not in server.log.read_text()


def test_a_file_that_breaks_and_is_mended_is_taken_over(tmp_path: Path) -> None:
    config = tmp_path / "lockgate.toml"
    config.write_text('[simulator]\nenabled = true\n[keys.one]\nkey = "first-key"\n')
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment()) as server:
        config.write_text('[providers.a]\ntype = "openai"\napi_key = "k"\nbase_url = "http://[::1"\n')
        wait_until(lambda: "was not taken over" in server.log.read_text())
        config.write_text('[simulator]\nenabled = true\n[keys.one]\nkey = "second-key"\n')
        wait_until(lambda: ask(server, "second-key").status_code == 200)


def test_an_edit_does_not_open_a_running_gateway(tmp_path: Path) -> None:
    config = tmp_path / "lockgate.toml"
    config.write_text('[simulator]\nenabled = true\n[keys.one]\nkey = "first-key"\n')
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment()) as server:
        config.write_text('[simulator]\nenabled = true\n[server]\nopen = true\n[keys.one]\nkey = "second-key"\n')
        wait_until(lambda: ask(server, "second-key").status_code == 200)
        assert ask(server, "no-key-at-all").status_code == 401
        assert "take effect at the next start" in server.log.read_text()


@pytest.mark.parametrize(
    "environment, message",
    [
        ({"LOCKGATE_LOG_LEVEL": "bad"}, "lockgate: there is no log level 'bad'; choose one of debug"),
        ({"LOCKGATE_API_KEY": "gk_mine"}, "lockgate: LOCKGATE_API_KEY: a key that begins with gk_"),
    ],
)
def test_a_setting_of_the_environment_that_cannot_work_is_one_sentence(
    tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    done = lockgate("up", "--port", "0", folder=tmp_path, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_sigterm_lets_a_stream_finish(tmp_path: Path) -> None:
    environment = clean_environment(LOCKGATE_API_KEY="drain-key")
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
        received: list[bytes] = []
        began = threading.Event()

        def read() -> None:
            text = {"messages": [{"role": "user", "content": "[[sim: events=30, drip=0.05]]"}], "stream": True}
            headers = {"x-api-key": "drain-key"}
            with httpx.stream(
                "POST", server.url + "/v1/messages", json={**BODY, **text}, headers=headers, trust_env=False, timeout=30
            ) as answer:
                for part in answer.iter_raw():
                    received.append(part)
                    began.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert began.wait(60)
        server.process.terminate()
        wait_until(lambda: not _accepts(server))
        reader.join(60)
        assert b"".join(received).endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
        assert server.process.wait(60) == 0
    records = list(read_journal(tmp_path / "home" / "journal"))
    assert [record.status for record in records] == [200]


@pytest.mark.parametrize(
    "path, last", [("/v1/messages", b"event: error\ndata: "), ("/v1/chat/completions", b'data: {"error"')]
)
def test_a_stream_that_outlasts_the_drain_deadline_ends_in_an_error(tmp_path: Path, path: str, last: bytes) -> None:
    (tmp_path / "lockgate.toml").write_text("[server]\ndrain_s = 0.2\n")
    environment = clean_environment(LOCKGATE_API_KEY="drain-key")
    ask = {**BODY, "messages": [{"role": "user", "content": "[[sim: events=600, drip=0.05]]"}], "stream": True}
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
        headers = {"x-portkey-api-key": "drain-key"}
        with httpx.stream("POST", server.url + path, json=ask, headers=headers, trust_env=False, timeout=30) as answer:
            parts = answer.iter_raw()
            received = [next(parts)]
            server.process.terminate()
            received += parts
        server.process.wait(60)
    events = b"".join(received).rstrip(b"\n").split(b"\n\n")
    assert events[-1].startswith(last)
    assert b"overloaded_error" in events[-1]
    assert b"[DONE]" not in b"".join(received)
    assert [record.error for record in read_journal(tmp_path / "home" / "journal")] == ["draining"]


def _accepts(server: Server) -> bool:
    try:
        httpx.get(server.url + "/health", trust_env=False, timeout=2)
    except httpx.TransportError:
        return False
    return True


def test_help_and_version(tmp_path: Path) -> None:
    for arguments in (["--help"], ["up", "--help"], ["simulate", "--help"], ["check", "--help"]):
        done = lockgate(*arguments, folder=tmp_path)
        assert done.returncode == 0
        assert "Usage:" in done.stdout
    assert lockgate("version", folder=tmp_path).stdout.startswith("lockgate 0.")
    assert lockgate("nonsense", folder=tmp_path).returncode == 2
