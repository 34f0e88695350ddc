"""The tool that times the store runs and asks every question. What times it finds depends on the machine."""

from __future__ import annotations

import re

from tools import records_bench


def test_each_question_is_asked(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "store"
    monkeypatch.setattr(
        "sys.argv", ["records_bench", "--rows", "1500", "--days", "3", "--rounds", "1", "--folder", str(folder)]
    )
    assert records_bench.main() in (0, 1)
    shown = capsys.readouterr().out
    assert "rows/s" in shown
    assert sorted(set(re.findall(r"^Q\d+", shown, re.MULTILINE)), key=lambda q: int(q[1:])) == [
        "Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q8", "Q9", "Q10", "Q11", "Q12", "Q18",
    ]  # fmt: skip
    monkeypatch.setattr(
        "sys.argv", ["records_bench", "--rows", "1500", "--days", "3", "--rounds", "1", "--folder", str(folder)]
    )
    assert records_bench.main() in (0, 1)
