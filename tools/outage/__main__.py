"""One drill, what was seen, and an exit status: 0 when no record was lost or doubled."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.outage import corrupt, full, kill, stopped
from tools.outage.report import Report

_DRILLS: Mapping[str, Callable[[dict[str, Any], Path], Report]] = {
    "kill": lambda given, folder: kill.run(kill.KillOptions(**given), folder),
    "corrupt": lambda given, folder: corrupt.run(corrupt.CorruptOptions(**given), folder),
    "full": lambda given, folder: full.run(full.FullOptions(**given), folder),
    "stopped": lambda given, folder: stopped.run(stopped.StoppedOptions(**given), folder),
}
_VERDICTS = dict.fromkeys(_DRILLS, "No record was lost, and none is there twice.") | {
    "corrupt": "Only what was damaged is missing, and it was told."
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tools.outage", description="Try to lose a record.")
    drills = parser.add_subparsers(dest="drill", required=True)
    one = drills.add_parser("kill", help="kill -9 of the gateway at random moments under load")
    one.add_argument("--kills", type=int, default=200, help="how many, default 200")
    one.add_argument("--workers", type=int, default=1, help="gateway processes, default 1")
    one = drills.add_parser("stopped", help="the record store is away under load")
    one.add_argument("--minutes", type=float, default=10.0, help="how long, default 10")
    one.add_argument("--rate-per-s", type=float, default=100.0, help="requests a second, default 100")
    one.add_argument(
        "--slices", type=int, default=8, help="short phases before, in turn with and without it, default 8"
    )
    one.add_argument("--slice-s", type=float, default=20.0, help="how long each is, default 20")
    one.add_argument("--workers", type=int, default=1, help="gateway processes, default 1")
    one = drills.add_parser("corrupt", help="the journal is damaged before it is shipped")
    one.add_argument("--seconds", type=float, default=20.0, help="how long there is load before, default 20")
    one.add_argument("--damages", type=int, default=40, help="how many, default 40")
    one = drills.add_parser("full", help="the disk fills, step by step (needs root, for a small disk of its own)")
    one.add_argument("--step-s", type=float, default=5.0, help="how long each step takes, default 5")
    one.add_argument("--disk-mb", type=int, default=96, help="how large the disk is, default 96")
    for drill in drills.choices.values():
        drill.add_argument("--seed", type=int, default=7, help="another seed gives other calls, default 7")
        drill.add_argument(
            "--keep", type=Path, default=None, help="an empty folder that stays; a temporary one by default"
        )
    given = vars(parser.parse_args(arguments))
    drill, keep = given.pop("drill"), given.pop("keep")
    _raise_file_limit()
    with tempfile.TemporaryDirectory(prefix="outage-") as name:
        report = _DRILLS[drill](given, keep or Path(name))
    print(*report.lines, sep="\n")
    print("", *(report.problems or [_VERDICTS[drill]]), sep="\n")
    return 1 if report.problems else 0


def _raise_file_limit() -> None:
    """Let this process and those that it starts open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
