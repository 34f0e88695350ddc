"""The tables as text."""

from bench.report import write_report, write_table
from bench.rounds import Run, summary
from bench.trials import Outcome

CHAT = Outcome(values={"cpu_us": 100.0, "rate": 9000.0, "busy": 1.0, "events": 0.0})


def test_columns_are_even_and_numbers_stand_to_the_right():
    assert write_table(["what", "n"], [["a", "1"], ["longer", "22"]]).splitlines() == [
        "| what   |  n |",
        "| ------ | -: |",
        "| a      |  1 |",
        "| longer | 22 |",
    ]


def test_a_report_has_medians_multiples_targets_and_remarks():
    runs = [
        Run(
            system="nginx",
            round=0,
            calibration_s=0.02,
            outcomes={"chat": Outcome(values={**CHAT.values, "cpu_us": 20.0})},
        ),
        Run(system="lockgate", round=0, calibration_s=0.02, outcomes={"chat": CHAT}),
        Run(system="lockgate", round=1, calibration_s=0.02, outcomes={"chat": Outcome(void="status 502: bad")}),
    ]
    text = write_report(runs, ["nginx", "lockgate"], ["nginx: a note"])
    assert "lockgate (n 2)" in text
    assert "100 (n 1)" in text  # one of the two rounds was void
    assert "10.0 x nginx" in text
    assert "0.20" in text  # nginx as a multiple of lockgate
    assert "- nginx: a note" in text
    assert "- lockgate, chat, round 2: void: status 502: bad" in text


def test_a_report_without_lockgate_has_no_verdicts():
    text = write_report([Run(system="nginx", round=0, calibration_s=0.02, outcomes={"chat": CHAT})], ["nginx"], [])
    assert "verdict" not in text
    assert "as a multiple" not in text


def test_a_failure_is_told_with_its_reason():
    text = write_report([Run(system="lockgate", round=0, failure="no route")], ["lockgate"], [])
    assert text == "Nothing was measured.\n\n- lockgate, round 1: failed: no route\n"


def test_a_void_trial_says_so_while_it_runs():
    assert summary(Outcome(void="status 500: x")) == "void: status 500: x"
    assert "100.0 us CPU/request, 9000/s" in summary(CHAT)
