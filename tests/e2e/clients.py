"""The official SDKs under test, one Client per language and generation."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.gateway import ROOT, Evidence, clean_environment
from tests.e2e.installs import Say, find_node, install_python, npm_or_skip

DRIVERS = Path(__file__).parent / "drivers"
EXAMPLES = ROOT / "examples"
RUN_S = 120


@dataclass(kw_only=True)
class Client:
    """A language, the generation of its SDKs, and how to run a program that uses them."""

    name: str
    """python-newest, python-previous, python-older, javascript-newest or javascript-previous."""
    command: tuple[str, ...]
    driver: Path
    examples: Path
    sdks: tuple[str, ...]
    evidence: Evidence
    home: Path
    running: dict[Path, subprocess.Popen[str]] = field(default_factory=dict)
    """Drivers; each is started by the first call and serves all of them, because SDKs are slow to import."""

    def drive(self, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Make the calls, one after the other; return their outcomes in order."""
        answer = self.tell(self.driver, calls)
        self.evidence.add(f"what {self.name} says of {calls[0]['id']} and others", answer)
        outcomes: list[dict[str, Any]] = json.loads(answer)
        assert [outcome["id"] for outcome in outcomes] == [call["id"] for call in calls]
        return outcomes

    def tell(self, driver: Path, order: Any) -> str:
        """Give one line to a driver; return the line that it answers."""
        if driver not in self.running:
            self.running[driver] = self.start(driver)
        process = self.running[driver]
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(RUN_S, process.kill)
        watchdog.start()
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        watchdog.cancel()
        assert answer, f"the driver ended: {self.stderr_of(driver).read_text()}"
        return answer

    def stderr_of(self, driver: Path) -> Path:
        return self.home / f"{driver.name}.stderr"

    def start(self, driver: Path) -> subprocess.Popen[str]:
        with self.stderr_of(driver).open("w") as stderr:
            return subprocess.Popen(
                [*self.command, str(driver)],
                env=clean_environment(HOME=str(self.home)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def close(self) -> None:
        """End the drivers, and keep what they complained about for the leak check."""
        for driver, process in self.running.items():
            process.communicate(timeout=60)
            self.evidence.add(f"the standard error of {self.name}", self.stderr_of(driver).read_text())

    def one(self, **call: Any) -> dict[str, Any]:
        """Make one call; return its outcome."""
        return self.drive([{"id": "one"} | call])[0]

    def run_among_others(self, arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """The same as ``run``; but Python programs have one process, as it takes seconds to import an SDK."""
        if arguments[0].endswith(".mjs"):
            return self.run(arguments, **variables)
        answer = self.tell(DRIVERS / "run_programs.py", {"arguments": arguments, "environment": variables})
        self.evidence.add(f"the output of {self.name} {arguments[0]}", answer)
        done = json.loads(answer)
        return subprocess.CompletedProcess(arguments, done["status"], done["stdout"], done["stderr"])

    def run(self, arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program; what it prints is kept for the leak check."""
        done = subprocess.run(
            [*self.command, *arguments],
            env=clean_environment(HOME=str(self.home), **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        self.evidence.add(f"the output of {self.name} {arguments[0]}", done.stdout + done.stderr)
        return done


def python_client(name: str, interpreter: Path, sdks: tuple[str, ...], evidence: Evidence, home: Path) -> Client:
    return Client(
        name=name,
        command=(str(interpreter),),
        driver=DRIVERS / "drive.py",
        examples=EXAMPLES / "python",
        sdks=sdks,
        evidence=evidence,
        home=home,
    )


def javascript_client(
    name: str, node: Path, folder: Path, sdks: tuple[str, ...], evidence: Evidence, home: Path
) -> Client:
    """Modules are looked up from a program's own folder, so the programs are copied beside a link to the modules."""
    programs = home / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "node_modules").symlink_to(folder / "node_modules")
    for program in (*sorted(DRIVERS.glob("*.mjs")), *sorted((EXAMPLES / "javascript").glob("*.mjs"))):
        shutil.copy(program, programs)
    return Client(
        name=name,
        command=(str(node),),
        driver=programs / "drive.mjs",
        examples=programs,
        sdks=sdks,
        evidence=evidence,
        home=home,
    )


def make_client(name: str, evidence: Evidence, home: Path, say: Say) -> Client:
    """Install what a client needs, if it is not yet there, and return it."""
    match name:
        case "python-newest":
            return python_client(name, Path(sys.executable), ("anthropic", "openai", "portkey"), evidence, home)
        case "python-previous" | "python-older":
            requirements = ROOT / "requirements" / f"sdk-{name.removeprefix('python-')}.txt"
            interpreter = install_python(requirements, say)
            return python_client(name, interpreter, ("anthropic", "openai"), evidence, home)
        case "javascript-newest":
            node = find_node(22)
            folder = npm_or_skip(EXAMPLES / "javascript", node, say)
            return javascript_client(name, node, folder, ("anthropic", "openai", "portkey"), evidence, home)
        case "javascript-previous":
            node = find_node(18)
            folder = npm_or_skip(Path(__file__).parent / "js" / "previous", node, say)
            return javascript_client(name, node, folder, ("anthropic", "openai"), evidence, home)
        case _:
            raise ValueError(name)
