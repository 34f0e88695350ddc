import pytest

from lockgate.core.recording import NO_RECORDING, PERSONAL_KINDS, Recording, Rules
from lockgate.records.detectors import PERSONAL


def test_every_kind_of_personal_data_has_a_detector():
    assert sorted(PERSONAL_KINDS) == sorted(PERSONAL)


@pytest.mark.parametrize("rules", [{"personal": ("shoe-size",)}, {"drop_paths": ("a[",)}], ids=["kind", "path"])
def test_rules_that_cannot_be_kept_are_refused(rules):
    with pytest.raises(ValueError):
        Rules(**rules)


@pytest.mark.parametrize(
    ("mode", "keeps"), [("full", True), ("redacted", True), ("metrics_only", False), ("off", False)]
)
def test_which_modes_keep_content(mode, keeps):
    assert Rules(mode=mode).keeps_content is keeps


def test_a_request_may_have_less_kept_and_nothing_else():
    full = Recording(rules=Rules(mode="redacted", personal=("email",)), source="key")
    assert full.for_request(is_refused=False) is full
    less = full.for_request(is_refused=True)
    assert (less.rules.mode, less.rules.personal, less.source) == ("metrics_only", ("email",), "header")
    enforced = Recording(source="workspace", is_enforced=True)
    assert enforced.for_request(is_refused=True) is enforced
    assert NO_RECORDING.for_request(is_refused=True) is NO_RECORDING
