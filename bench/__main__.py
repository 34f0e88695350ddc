"""``python -m bench``: measure, check, report."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from bench import peers
from bench.checks import run_checks
from bench.errors import BenchError
from bench.machine import choose_cores, describe, is_busy, usable_cores
from bench.processes import Children
from bench.programs import BUILD, build
from bench.report import write_report
from bench.rounds import Options, Run, estimate_s, run_rounds
from bench.running import Bench
from bench.systems import (
    System,
    direct,
    lockgate,
    lockgate_with_cache,
    lockgate_with_limits,
    lockgate_without_records,
    nginx,
    other,
)
from bench.trials import DEFAULT_TRIALS, TRIALS
from bench.upstream import start_fake_provider


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 when nothing of Lockgate's failed, was void or missed a check."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return _run(options)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; everything that was started has been ended.", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    cores = choose_cores(usable_cores())
    systems, notes = _choose_systems(options)
    if cores.gateway is None:
        notes.append("one core only: gateway, provider and load share it, so times and requests/s mean little")
    if is_busy():
        notes.append("the machine was busy with other work when this began: believe ratios, and those only roughly")
    programs = build()
    with Children() as children:
        provider = start_fake_provider(programs, children, cores.upstream)
        bench = Bench(programs=programs, children=children, cores=cores, provider=provider)
        if options.checks:
            return 0 if _check(bench, systems, options.only) else 1
        return 0 if _measure(bench, systems, notes, options) else 1


def _measure(bench: Bench, systems: list[System], notes: list[str], options: argparse.Namespace) -> bool:
    wanted = Options(trials=tuple(options.trials), rounds=options.rounds, seconds=options.seconds)
    _say(f"{', '.join(s.name for s in systems)}: {wanted.rounds} rounds, about {estimate_s(systems, wanted):.0f} s")
    runs = run_rounds(bench, systems, wanted, _say)
    _keep(runs, notes, options.keep_json)
    print("\n" + write_report(runs, [system.name for system in systems], notes))
    return not any(run.system == "lockgate" and _has_fault(run) for run in runs)


def _has_fault(run: Run) -> bool:
    return run.failure is not None or any(outcome.void is not None for outcome in run.outcomes.values())


def _check(bench: Bench, systems: list[System], only: list[str]) -> bool:
    """Behaviour that no speed may cost. Only Lockgate decides the result, others are shown beside it."""
    is_good = True
    for system in systems:
        if system.name == "direct" or (not only and system.name != "lockgate"):
            continue
        for finding in run_checks(bench, system, _say):
            is_good = is_good and (finding.is_met or system.name != "lockgate")
    return is_good


def _choose_systems(options: argparse.Namespace) -> tuple[list[System], list[str]]:
    """The systems to run, and a note for each that is not there."""
    systems, notes = [direct(), lockgate(options.python), lockgate_with_limits(options.python)], []
    systems.append(lockgate_without_records(options.python))
    systems += [lockgate_with_cache(options.python, is_hit=is_hit) for is_hit in (False, True)]
    try:
        systems.insert(1, nginx())
    except BenchError as error:
        notes.append(str(error))
    systems += [other(*pair) for pair in options.also]
    if options.peers:
        found, missing = peers.installed()
        systems += found
        notes += missing
    if options.only:
        unknown = set(options.only) - {system.name for system in systems}
        if unknown:
            raise BenchError(f"Not available: {', '.join(sorted(unknown))}. {' '.join(notes)}".strip())
        systems = [system for system in systems if system.name in options.only]
    notes += [f"{system.name}: {system.note}" for system in systems if system.note]
    return systems, notes


def _keep(runs: list[Run], notes: list[str], copy: Path | None) -> None:
    result = {
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": describe(),
        "notes": notes,
        "runs": [dataclasses.asdict(run) for run in runs],
    }
    latest = BUILD / "result.json"
    latest.write_text(json.dumps(result, indent=1))
    if copy is not None:
        shutil.copy(latest, copy)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    names = ",".join(TRIALS)
    parser.add_argument("--only", type=_names, default=[], metavar="A,B", help="systems to run, for example nginx")
    parser.add_argument(
        "--tests", dest="trials", type=_trials, default=DEFAULT_TRIALS, metavar="A,B", help=f"any of {names}"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="length of one trial, default 1")
    parser.add_argument("--peers", action="store_true", help="also run the peers that make bench-peers installed")
    parser.add_argument("--checks", action="store_true", help="check behaviour instead of measuring")
    parser.add_argument(
        "--also", action="append", type=_pair, default=[], metavar="NAME=COMMAND",
        help="also run this gateway; {port} and {upstream} in its command are filled in",
    )  # fmt: skip
    parser.add_argument("--python", default=sys.executable, help="the interpreter that runs Lockgate")
    parser.add_argument("--keep-json", type=Path, metavar="FILE", help="copy the raw results to this file too")
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _pair(text: str) -> tuple[str, str]:
    name, equals, command = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("NAME=COMMAND is needed")
    return name, command


def _trials(text: str) -> list[str]:
    names = _names(text)
    if unknown := set(names) - set(TRIALS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return names


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
