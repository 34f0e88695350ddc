import pytest
from msgspec import structs

from lockgate.admin.principal import find_key, identify
from lockgate.admin.roles import scopes_of_role
from lockgate.admin.scopes import WORKSPACE
from lockgate.entities import Scope
from lockgate.errors import Forbidden, Unauthenticated
from lockgate.plan.keys import digest_of, write_key
from lockgate.plan.snapshot import GatewayKey, Snapshot, Workspace

TEXT = write_key(b"k" * 32)
KEY = GatewayKey(id="1", name="one", expires_at=100.0)
SNAPSHOT = Snapshot(
    version=1,
    keys={digest_of(TEXT): KEY},
    workspaces={"default": Workspace(id="default", slug="default")},
    raw_targets={},
)


@pytest.mark.parametrize("name", [b"x-portkey-api-key", b"authorization", b"x-api-key"])
def test_a_key_is_found_in_each_header(name):
    assert find_key(SNAPSHOT, {name: TEXT.encode()}, 99.9) is KEY


def test_the_sdks_placeholder_is_nobodys_key():
    headers = {b"authorization": b"Bearer OPENAI_API_KEY", b"x-portkey-api-key": TEXT.encode()}
    assert find_key(SNAPSHOT, headers, 0) is KEY


def test_a_key_dies_at_its_second():
    with pytest.raises(Unauthenticated, match="expired"):
        find_key(SNAPSHOT, {b"x-portkey-api-key": TEXT.encode()}, 100.0)


@pytest.mark.parametrize("text", ["", TEXT[:-1] + "_", "other", "gk_", "\xff"])
def test_what_is_no_key_is_refused_without_repeating_it(text):
    with pytest.raises(Unauthenticated) as caught:
        find_key(SNAPSHOT, {b"x-portkey-api-key": text.encode("latin-1")}, 0)
    assert not text or text not in caught.value.message


class TestIdentify:
    """What a key may do now."""

    def identified(self, plane, name):
        with plane.directory.read() as view:
            return identify(view, plane.snapshot.keys[digest_of(plane.texts[name])])

    def test_a_service_key_has_its_scopes_in_its_workspace(self, plane):
        principal = self.identified(plane, "other")
        assert principal.scopes == WORKSPACE
        assert principal.workspace.id == plane.other.id
        assert principal.scope == Scope(organisation_id=plane.organisation.id, workspace_id=plane.other.id)

    def test_an_organisations_key_sees_all_workspaces(self, plane):
        principal = self.identified(plane, "admin")
        assert principal.workspace.id == plane.home.id
        assert principal.scope == Scope(organisation_id=plane.organisation.id)

    @pytest.mark.parametrize("role", ["member", "manager", "admin"])
    def test_a_persons_key_has_what_the_role_has(self, plane, role):
        plane.promote(role)
        assert self.identified(plane, "user").scopes == scopes_of_role(role, {})

    def test_a_switch_of_the_workspace_counts_at_once(self, plane):
        assert "logs.view" in self.identified(plane, "user").scopes
        with plane.directory.change() as tx:
            tx.update(structs.replace(plane.home, security_settings={"membersViewLogs": False}))
        assert "logs.view" not in self.identified(plane, "user").scopes

    @pytest.mark.parametrize("role", ["owner", "admin"])
    def test_an_admin_of_the_organisation_is_one_everywhere(self, plane, role):
        with plane.directory.change() as tx:
            tx.update(structs.replace(plane.person, role=role))
        assert self.identified(plane, "user").scopes == WORKSPACE

    def test_who_is_no_member_any_more_may_nothing(self, plane):
        with plane.directory.change() as tx:
            tx.archive(plane.member)
        assert self.identified(plane, "user").scopes == frozenset()

    @pytest.mark.parametrize("status", ["disabled", "archived"])
    def test_a_person_who_is_gone_is_nobody(self, plane, status):
        with plane.directory.change() as tx:
            if status == "archived":
                tx.archive(plane.person)
            else:
                tx.update(structs.replace(plane.person, status=status))
        with pytest.raises(Unauthenticated):
            self.identified(plane, "user")

    def test_a_workspace_that_is_gone_admits_nobody(self, plane):
        with plane.directory.change() as tx:
            tx.archive(plane.other, force=True)
        with pytest.raises(Forbidden):
            self.identified(plane, "other")


class TestFlood:
    """Wrong keys cost a look into memory: whoever guesses does not reach the database."""

    @pytest.mark.parametrize("path", ["/v1/api-keys", "/v1/integrations", "/v1/audit-logs", "/v1/policies/evaluate"])
    def test_wrong_keys_leave_the_database_idle(self, plane, monkeypatch, path):
        touched = []
        monkeypatch.setattr(plane.directory, "read", lambda *_: touched.append("read"))
        monkeypatch.setattr(plane.directory, "change", lambda *_: touched.append("change"))
        well_formed = [write_key(bytes([number]) * 32) for number in range(100)]
        wrong = [*well_formed, well_formed[0][:-1] + "_", "", "gk_", "x" * 5000, "' OR 1=1 --"]
        for method in ("GET", "POST"):
            for text in wrong:
                for name in ("x-portkey-api-key", "authorization"):
                    headers = {name: text, "idempotency-key": "i"}
                    answer = plane.ask(
                        method, path, None, headers=headers, **({"json": {}} if method == "POST" else {})
                    )
                    assert answer.status_code in (401, 405), answer.text
        assert touched == []
