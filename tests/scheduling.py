"""Which file of tests a free worker gets next: those that take long first, so that small ones fill the end evenly."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

LONG_FIRST = ("tests/e2e/", "tests/contract/")
"""Suites in which a file takes longest, however few tests it has."""


class LongFirstScheduling(LoadFileScheduling):
    """``--dist loadfile`` with an order of its own. The original begins with the files that have most tests."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope = min(self.workqueue, key=lambda scope: place_of(scope, len(self.workqueue[scope])))
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


def place_of(file: str, tests: int) -> tuple[int, int, str]:
    """Return where a file stands among the others; the smallest comes first."""
    suite = next((at for at, suite in enumerate(LONG_FIRST) if file.startswith(suite)), len(LONG_FIRST))
    return (suite, -tests, file)
