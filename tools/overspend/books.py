"""What the books say at rest: counters against journals, both against the caps, the simulator's count against ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lockgate.core.record import Record
from lockgate.telemetry.journal import read_journal
from tools.overspend.stage import NANOS, Limit
from tools.overspend.storm import Call

Amounts = dict[tuple[str, str], int]


@dataclass(kw_only=True)
class Ledger:
    """The sum of all journals."""

    charged: Amounts = field(default_factory=dict)
    """By limit and group."""
    ids: dict[str, Record] = field(default_factory=dict)
    sent: int = 0
    """Attempts that went out."""
    answered: int = 0
    """Records of answers that came whole."""
    nanos: int = 0


def read_ledger(folder: Path) -> Ledger:
    """Add up what the records of a journal folder say."""
    ledger = Ledger()
    for record in read_journal(folder):
        ledger.ids[record.id] = record
        ledger.sent += sum(attempt.status is not None for attempt in record.attempts)
        ledger.nanos += record.cost.nanos if record.cost is not None else 0
        if record.error is None and record.status == 200 and record.attempts:
            ledger.answered += 1
        for charge in record.charges:
            if not charge.is_rate:
                place = (charge.limit, charge.group)
                ledger.charged[place] = ledger.charged.get(place, 0) + charge.amount
    return ledger


@dataclass(frozen=True, kw_only=True)
class Row:
    """A budget at rest."""

    limit: Limit
    group: str
    used: int
    reserved: int
    charged: int

    @property
    def problems(self) -> list[str]:
        """What must not be."""
        where = f"{self.limit.level} {self.group}".strip()
        found = []
        if self.used > self.limit.cap:
            found.append(f"{where}: {self.used} is used of {self.limit.cap}")
        if self.charged > self.limit.cap:
            found.append(f"{where}: {self.charged} was charged of {self.limit.cap}")
        if self.used != self.charged:
            found.append(f"{where}: the counter says {self.used}, the journals say {self.charged}")
        if self.reserved:
            found.append(f"{where}: {self.reserved} is still reserved")
        return found

    def line(self) -> str:
        """Return the row of the table."""
        share = 100 * self.used / self.limit.cap
        amounts = [
            _shown(amount, self.limit.unit) for amount in (self.limit.cap, self.used, self.charged, self.reserved)
        ]
        name = f"{self.limit.level} {self.group}".strip()
        return f"{name:48} {amounts[0]:>13} {amounts[1]:>13} {amounts[2]:>13} {amounts[3]:>13} {share:6.1f} %"


HEAD = f"{'budget':48} {'cap':>13} {'counter':>13} {'journals':>13} {'reserved':>13} {'used':>8}"


def rows(limits: Mapping[str, Limit], counters: Mapping[tuple[str, str], tuple[int, int]], ledger: Ledger) -> list[Row]:
    """Return a row for each counter and each group that was ever charged."""
    places = {*counters, *ledger.charged}
    return [
        Row(
            limit=limits[limit],
            group=group,
            used=counters.get((limit, group), (0, 0))[0],
            reserved=counters.get((limit, group), (0, 0))[1],
            charged=ledger.charged.get((limit, group), 0),
        )
        for limit, group in sorted(places, key=lambda place: (limits[place[0]].level, place[1]))
    ]


def check_calls(calls: Sequence[Call], ledger: Ledger) -> list[str]:
    """Return what clients saw and the ledger does not know, and refusals of another shape than documented."""
    found = []
    problems = Counter(problem for call in calls for problem in call.problems)
    found += [f"{count} x {problem}" for problem, count in problems.most_common(8)]
    missing = uncharged = 0
    for call in calls:
        if call.outcome != "answered":
            continue
        record = ledger.ids.get("rec_" + call.request_id.replace("-", ""))
        missing += record is None
        uncharged += record is not None and not any(charge.amount for charge in record.charges)
    if missing:
        found.append(f"{missing} answered calls have no record")
    if uncharged:
        found.append(f"{uncharged} answered calls were not charged")
    if not any(call.outcome == "answered" for call in calls):
        found.append("no call was answered")
    if not any(call.outcome == "refused" for call in calls):
        found.append("no budget was ever used up")
    return found


def check_simulator(simulated: Mapping[str, int], ledger: Ledger) -> list[str]:
    """Return where the provider answered less than we say: money that nobody could have spent."""
    if simulated["completed"] < ledger.answered:
        return [f"the provider answered {simulated['completed']} calls, the journals have {ledger.answered}"]
    return []


def outcomes(calls: Iterable[Call]) -> str:
    """Return how many calls ended how."""
    counts = Counter(call.outcome for call in calls)
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _shown(amount: int, unit: str) -> str:
    if unit != "cost":
        return str(amount)
    return f"${amount // NANOS}.{amount % NANOS:09d}"
