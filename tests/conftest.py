"""What holds for every test: no network but loopback, no keys from outside, one Hypothesis profile."""

from __future__ import annotations

import collections
import ipaddress
import os
import sys
from pathlib import Path

import certifi
import pytest
from hypothesis import HealthCheck, settings

# fast: the same examples on every run, so that a red build means a change of ours.
# deep: HYPOTHESIS_PROFILE=deep make test, when a codec or parser changed.
settings.register_profile(
    "fast", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


class OutsideConnection(RuntimeError):
    """A test tried to leave this machine."""


def guard_sockets(event: str, args: tuple[object, ...]) -> None:
    """Refuse connections and look-ups beyond loopback, for as long as this process lives.

    uvloop opens its sockets in C and does not ask: code that needs uvloop is tested as a process of its own.
    """
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
    elif event == "socket.getaddrinfo":
        address = args[:1]
    else:
        return
    if not isinstance(address, tuple) or not address:
        return  # a Unix socket, or a datagram on a connected socket
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    if not is_loopback(host):
        raise OutsideConnection(f"tests talk to loopback only, not to {host}")


def is_loopback(host: object) -> bool:
    """Tell whether a host, as given to connect or getaddrinfo, stays on this machine."""
    if host is None or host in ("", "localhost", "0.0.0.0", "::"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return str(host).endswith(".localhost")


sys.addaudithook(guard_sockets)

OUTSIDE_KEYS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "PORTKEY_API_KEY",
    "PORTKEY_BASE_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
)


@pytest.fixture(autouse=True, scope="session")
def no_outside_settings():
    """Take away keys, proxies and settings of the developer's shell; child processes inherit that."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    mine = [name for name in os.environ if name.startswith("LOCKGATE_")]
    with pytest.MonkeyPatch.context() as patch:
        for name in (*OUTSIDE_KEYS, *proxies, *(name.lower() for name in proxies), *mine):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def one_root_certificate(no_outside_settings, tmp_path_factory):
    """Trust one root instead of 140, here and in child processes: every client and every gateway reads them all.

    That takes them 30 ms and more, and no test talks TLS to anybody but a server that names its own authority.
    """
    mark = "-----END CERTIFICATE-----\n"
    file = tmp_path_factory.mktemp("roots") / "one.pem"
    file.write_text(Path(certifi.where()).read_text(encoding="ascii").partition(mark)[0] + mark)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        patch.setattr(certifi, "where", lambda: str(file))
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give files to workers in an order of our own."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.scheduling import LongFirstScheduling

    return LongFirstScheduling(config, log)


def pytest_terminal_summary(terminalreporter):
    """Say what was left out and why, one line for each kind of reason."""
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped")]
    kinds = collections.Counter(reason.partition(": ")[0] for reason in reasons)
    for kind, count in kinds.most_common():
        example = next(reason for reason in reasons if reason.startswith(kind))
        more = "" if count == 1 else f" (and {count - 1} more)"
        terminalreporter.write_line(f"left out: {example}{more}")
