"""Who decides what is kept: who is further down, unless somebody above enforces."""

from __future__ import annotations

import pytest

from lockgate.core.recording import Recording, Rules
from lockgate.entities import RecordingChoice
from lockgate.plan.recording import narrowed, with_switch

BASE = Recording(rules=Rules(mode="full", sensitive_headers=("x-a",)))


def test_nothing_said_leaves_what_holds_above():
    assert narrowed(BASE, None, "key") is BASE
    said = narrowed(BASE, RecordingChoice(personal=("email",)), "key")
    assert (said.rules.mode, said.rules.personal, said.source) == ("full", ("email",), "configuration")


def test_who_is_further_down_decides():
    organisation = narrowed(BASE, RecordingChoice(mode="metrics_only"), "organisation")
    workspace = narrowed(organisation, RecordingChoice(mode="redacted", drop_paths=("a.b",)), "workspace")
    key = narrowed(workspace, RecordingChoice(mode="full", sensitive_headers=("x-b",)), "key")
    assert [(one.rules.mode, one.source) for one in (organisation, workspace, key)] == [
        ("metrics_only", "organisation"),
        ("redacted", "workspace"),
        ("full", "key"),
    ]
    assert key.rules.drop_paths == ("a.b",)
    assert key.rules.sensitive_headers == ("x-a", "x-b")


def test_what_is_enforced_above_stays():
    above = narrowed(BASE, RecordingChoice(mode="metrics_only", is_enforced=True), "organisation")
    assert narrowed(above, RecordingChoice(mode="full"), "key") is above


def test_rules_that_do_not_compile_any_more_keep_nothing():
    assert narrowed(BASE, RecordingChoice(drop_paths=("a[",)), "key").rules.mode == "metrics_only"


@pytest.mark.parametrize(
    ("choice", "settings", "mode"),
    [
        (None, {}, None),
        (None, {"debug_log": 1}, None),
        (None, {"debug_log": 0}, "metrics_only"),
        (RecordingChoice(personal=("email",)), {"debug_log": 0}, "metrics_only"),
        (RecordingChoice(mode="full"), {"debug_log": 0}, "full"),
    ],
    ids=["nothing", "on", "off", "off beside more", "our own word goes first"],
)
def test_portkeys_switch_of_a_workspace(choice, settings, mode):
    found = with_switch(choice, settings)
    assert (found.mode if found is not None else None) == mode
