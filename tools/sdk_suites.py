"""Runs an SDK's own tests against Lockgate: python -m tools.sdk_suites anthropic PATH_OF_CHECKOUT

Three runs of the same, unmodified tests tell whose fault a failure is: against a schema mock that refuses everything
(what passes there needs no answer), against the mock itself, and against Lockgate with the mock as its provider. What
reaches the mock in the last two runs is compared as well.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from tools.files import ROOT
from tools.sdk_mock import HeaderFront, MockUpstream

START_S = 30
RUN_S = 1200

Verdict: TypeAlias = Literal["passed", "needs no answer", "skipped", "not offered", "suite or mock", "Lockgate"]
VERDICTS: dict[Verdict, str] = {
    "passed": "passed, with an answer that came through Lockgate",
    "needs no answer": "passed, but also when every request is refused: shows nothing",
    "skipped": "skipped by the suite",
    "not offered": "failed: Lockgate says that it does not have this, at all or for this provider",
    "suite or mock": "failed: fails against the mock alone as well",
    "Lockgate": "failed: passes against the mock, not through Lockgate",
}
_NOT_OFFERED = re.compile(r"There is no route|/\S+ takes [A-Z, ]+, not [A-Z]+|not supported (?:by|for) ")
_IDS = re.compile(r"\b(?:req|rec|msg)_[\w-]+|\b[0-9a-f]{16,}\b|0x[0-9a-f]+")
# of the suites' development groups: checkers and clouds that these tests do not use
_NOT_NEEDED = re.compile(
    r"(mypy|pyright|ruff|ty|griffe|boto3-stubs|botocore|azure-identity|pandas-stubs|pillow|types-\S+)\b", re.I
)


SUITES = {
    "anthropic": (
        "test_messages.py", "test_models.py", "test_files.py", "messages", "beta/test_messages.py",
        "beta/test_models.py", "beta/test_files.py", "beta/messages", "beta/test_output_format_conversion.py",
    ),
    "openai": ("chat",),
}  # fmt: skip
"""What is run of each SDK's tests, below ``tests/api_resources``; what a version does not have is left out."""
BASE_PATHS = {"anthropic": "", "openai": "/v1"}


class Outcome(msgspec.Struct, frozen=True):
    """How a test ended: ``passed``, ``failed`` or ``skipped``, and why."""

    state: str
    reason: str = ""


def read_junit(text: str) -> dict[str, Outcome]:
    """Return the outcome of each test by its id."""
    found = {}
    for case in ET.fromstring(text).iter("testcase"):
        outcome = Outcome("passed")
        for child in case:
            if child.tag in ("failure", "error", "skipped"):
                state = "skipped" if child.tag == "skipped" else "failed"
                outcome = Outcome(state, child.get("message") or (child.text or "")[:2000])
        found[f"{case.get('classname')}.{case.get('name')}"] = outcome
    return found


def verdict(gateway: Outcome, mock: Outcome | None, refused: Outcome | None) -> Verdict:
    """Say what the three runs of one test show."""
    if gateway.state == "skipped":
        return "skipped"
    if gateway.state == "passed":
        return "needs no answer" if refused is not None and refused.state == "passed" else "passed"
    if _NOT_OFFERED.search(gateway.reason):
        return "not offered"
    return "suite or mock" if mock is not None and mock.state == "failed" else "Lockgate"


def short(reason: str) -> str:
    """Return the first line of a reason without what differs from request to request."""
    line = next((line.strip() for line in reason.splitlines() if line.strip()), "no reason given")
    return _IDS.sub("...", line)[:200]


def report(gateway: Mapping[str, Outcome], mock: Mapping[str, Outcome], refused: Mapping[str, Outcome]) -> list[str]:
    """Return the lines of the two tables: counts by verdict, then reasons with their counts and one test each."""
    verdicts = {name: verdict(outcome, mock.get(name), refused.get(name)) for name, outcome in gateway.items()}
    counts: Counter[str] = Counter(verdicts.values())
    lines = [f"{counts[key]:5}  {meaning}" for key, meaning in VERDICTS.items()] + [f"{len(gateway):5}  tests", ""]
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, found in sorted(verdicts.items()):
        if found not in ("passed", "needs no answer"):
            reasons.setdefault((found, short(gateway[name].reason)), []).append(name)
    for (kind, reason), names in sorted(reasons.items()):
        lines += [f"{len(names):5}  {kind}: {reason}", f"       such as {names[0]}"]
    return lines


def differences(mock: Counter[str], gateway: Counter[str]) -> list[str]:
    """Return what reached the mock otherwise, or more or less often, through Lockgate than without it."""
    lost = [f"only without Lockgate, {count} times: {line[:400]}" for line, count in sorted((mock - gateway).items())]
    new = [f"only through Lockgate, {count} times: {line[:400]}" for line, count in sorted((gateway - mock).items())]
    return lost + new


def requirements_of(pyproject: str) -> list[str]:
    """Return what the checkout's own tests need, of its development group."""
    group = tomllib.loads(pyproject).get("dependency-groups", {}).get("dev", [])
    return [line for line in group if isinstance(line, str) and not _NOT_NEEDED.match(line)]


def environment_of(checkout: Path, folder: Path) -> Path:
    """Return the Python of a virtual environment with the checkout and what its tests need; make it at first."""
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    needed = requirements_of((checkout / "pyproject.toml").read_text())
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, f"{checkout}[aiohttp]", *needed], check=True)
    (folder / "complete").touch()
    return python


def run_suite(suite: str, checkout: Path, python: Path, url: str, results: Path) -> dict[str, Outcome]:
    """Run the tests with ``url`` as the API's address and return their outcomes."""
    paths = [f"tests/api_resources/{name}" for name in SUITES[suite]]
    found = [path for path in paths if (checkout / path).exists()]
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    environment |= {"TEST_API_BASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(python), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "--tb=short", *found]
    done = subprocess.run(
        [*command, f"--junitxml={results}"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    if done.returncode not in (0, 1) or not results.exists():
        raise SystemExit(f"pytest ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return read_junit(results.read_text())


@contextmanager
def running_gateway(provider: str, upstream: str, folder: Path) -> Iterator[HeaderFront]:
    """Run ``lockgate up`` with the mock as ``@upstream``, behind a front that names key and provider."""
    key = f"suite-{secrets.token_hex(16)}"
    config = folder / "lockgate.toml"
    config.write_text(
        f'[providers.upstream]\ntype = "{provider}"\nbase_url = "{upstream}{BASE_PATHS[provider]}"\napi_key = "mock"\n'
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    kept |= {"PYTHONPATH": str(ROOT / "src"), "LOCKGATE_API_KEY": key, "LOCKGATE_HOME": str(folder / "home")}
    arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lockgate", *arguments], cwd=folder, env=kept, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(port, process, folder / "gateway.log")
        front = HeaderFront(port, {"x-portkey-api-key": key, "x-portkey-provider": "@upstream"})
        threading.Thread(target=front.serve_forever, daemon=True).start()
        yield front
        front.shutdown()
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"Lockgate did not start:\n{log.read_text(errors='replace')[-3000:]}")


def main() -> int:
    """Run one suite three times and print what that shows; 1 when a failure is Lockgate's."""
    parser = argparse.ArgumentParser(prog="python -m tools.sdk_suites", description="Run an SDK's tests on Lockgate.")
    parser.add_argument("suite", choices=sorted(SUITES))
    parser.add_argument("checkout", type=Path, help="unpacked sources of the SDK, with their tests")
    parser.add_argument(
        "--provider", choices=sorted(BASE_PATHS), help="type of the provider behind; default: the SDK's"
    )
    parser.add_argument("--venv", type=Path, help="folder of the environment; made when it is not there")
    arguments = parser.parse_args()
    suite, checkout, provider = arguments.suite, arguments.checkout.resolve(), arguments.provider or arguments.suite
    python = environment_of(checkout, arguments.venv or ROOT / ".build" / "sdk-suites" / checkout.name)
    mock = MockUpstream()
    threading.Thread(target=mock.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="lockgate-suites-") as name:
        folder = Path(name)
        mock.refuses = True
        refused = run_suite(suite, checkout, python, mock.url, folder / "refused.xml")
        mock.refuses = False
        mock.seen.clear()
        direct = run_suite(suite, checkout, python, mock.url, folder / "direct.xml")
        seen = Counter(mock.seen)
        mock.seen.clear()
        with running_gateway(provider, mock.url, folder) as front:
            through = run_suite(suite, checkout, python, front.url, folder / "gateway.xml")
    print(f"{checkout.name}, {suite} suite, {provider} provider", *report(through, direct, refused), sep="\n")
    if provider == suite:
        changed = differences(seen, mock.seen)
        print(
            f"\n{seen.total()} requests; {len(changed)} kinds arrived otherwise than they were sent", *changed, sep="\n"
        )
    return int(any(verdict(o, direct.get(n), refused.get(n)) == "Lockgate" for n, o in through.items()))


if __name__ == "__main__":
    sys.exit(main())
