from types import SimpleNamespace

import pytest

from lockgate.admin.issuing import check_grant, issue, read_scopes
from lockgate.errors import Forbidden, InvalidRequest
from lockgate.plan.keys import digest_of, is_well_formed
from tests.unit.admin.plane import START


def caller(*scopes, is_organisations=False):
    return SimpleNamespace(scopes=frozenset(scopes), is_organisations=is_organisations)


def test_a_text_is_told_and_only_its_digest_kept():
    text, stored = issue(START)
    assert is_well_formed(text)
    assert stored.digest == digest_of(text).hex()
    assert stored.mask == f"gk_*****{text[-3:]}"
    assert text not in repr(stored)
    assert issue(START)[0] != text


def test_scopes_each_once_in_normal_form():
    assert read_scopes(["policies:create", "policies.create", "agents.invoke"], "workspace-service") == (
        "policies.create", "agents.invoke",
    )  # fmt: skip


@pytest.mark.parametrize(
    "scopes, kind",
    [
        (["completions.write"], "organisation-service"),
        (["audit_logs.list"], "workspace-service"),
        (["organisation_users.list"], "workspace-user"),
        (["x" * 101], "workspace-service"),
        ([" "], "workspace-service"),
        (["a"] * 301, "workspace-service"),
    ],
)
def test_scopes_that_a_kind_cannot_have(scopes, kind):
    with pytest.raises(InvalidRequest, match="scopes"):
        read_scopes(scopes, kind)


def test_nobody_gives_what_they_lack():
    check_grant(caller("logs.view"), ["logs.view", "unknown.scope"])
    with pytest.raises(Forbidden, match=r"configs\.read"):
        check_grant(caller("logs.view"), ["logs.view", "configs.read"])


def test_an_organisations_key_gives_what_it_never_does_itself():
    check_grant(caller("logs.view", is_organisations=True), ["completions.write"])
    with pytest.raises(Forbidden):
        check_grant(caller("logs.view"), ["completions.write"])
