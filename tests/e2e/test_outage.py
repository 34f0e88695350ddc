"""No record is lost or doubled: gateways killed, the store away, the journal damaged, the disk full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.outage import corrupt, full, kill, stopped
from tools.outage.report import Report


def is_clean(report: Report) -> None:
    print(*report.lines, sep="\n")
    assert report.problems == []


@pytest.mark.parametrize("workers, kills", [(1, 8), (2, 4)])
def test_invariant_4_what_a_client_has_got_is_recorded_once_however_often_the_gateway_is_killed(
    tmp_path: Path, workers: int, kills: int
) -> None:
    is_clean(kill.run(kill.KillOptions(kills=kills, workers=workers, window_s=0.6), tmp_path))


def test_invariant_6_a_store_that_is_away_fails_no_request_and_loses_no_record(tmp_path: Path) -> None:
    options = stopped.StoppedOptions(minutes=0.05, rate_per_s=40, slices=2, slice_s=2, is_timed=False)
    is_clean(stopped.run(options, tmp_path))


def test_a_damaged_journal_is_put_aside_told_and_passed_by(tmp_path: Path) -> None:
    is_clean(corrupt.run(corrupt.CorruptOptions(seconds=4, rate_per_s=50, damages=15), tmp_path))


@pytest.mark.skipif(not full.can_mount(), reason="only root can mount the small disk that is filled")
def test_a_full_disk_sheds_bodies_then_lets_rows_wait_and_loses_none(tmp_path: Path) -> None:
    is_clean(full.run(full.FullOptions(step_s=2.5, rate_per_s=30, disk_mb=64), tmp_path))
