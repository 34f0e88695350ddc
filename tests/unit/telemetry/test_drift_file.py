from lockgate.core.limits import Budget, Charged, Drift
from lockgate.telemetry.drift_file import DriftFile, write_drifts

LIMIT = Budget(id="b", scope="key", name="bot", unit="nanos", cap=10)


def drift(counted, group=""):
    return Drift(limit=LIMIT, group=group, start=7, resets_at=None, counted=counted, booked=5)


def test_what_was_written_is_read_when_it_has_changed(tmp_path):
    path = tmp_path / "drifts.json"
    read = DriftFile(path)
    assert read() == {}
    write_drifts(path, [drift(8), drift(6, "ann")])
    assert read() == {Charged("b", "", 7): 3, Charged("b", "ann", 7): 1}
    assert read() is read()
    write_drifts(path, [])
    assert read() == {}


def test_what_is_damaged_says_nothing(tmp_path):
    path = tmp_path / "drifts.json"
    read = DriftFile(path)
    path.write_text("{")
    assert read() == {}
