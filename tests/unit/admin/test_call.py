import asyncio

import pytest

from lockgate.admin.app import all_endpoints
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Nothing
from lockgate.admin.principal import identify
from lockgate.admin.routes import Routes
from lockgate.core.limits import Claim
from lockgate.entities import RateLimit, RatePolicy, UsageLimit
from lockgate.errors import (
    CountersUnreachable,
    Forbidden,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
)
from lockgate.plan.keys import digest_of
from lockgate.plan.limits import budget_of

ROUTES = Routes(all_endpoints())


def call_of(plane, key="service", *, headers=None, loop=None, services=None):
    principal = None
    if key is not None:
        with plane.directory.read() as view:
            principal = identify(view, plane.snapshot.keys[digest_of(plane.texts[key])])
    return Call(
        services=services or plane.services, principal=principal, parameters={}, body=Nothing(), query=Nothing(),
        headers=headers or {}, method="PUT", uri="/v1/x", request_id="r-1", client_ip="127.0.0.1", loop=loop,
        routes=ROUTES,
    )  # fmt: skip


def policy(plane, **more):
    fields = {"workspace_id": plane.home.id, "name": "p", "limit": RateLimit(cap=1)} | more
    return RatePolicy(**fields)


def names(plane):
    with plane.directory.read() as view:
        return [found.name for found in view.all(RatePolicy)]


def test_a_change_is_checked_and_committed(plane):
    call = call_of(plane)
    with call.change() as tx:
        tx.insert(policy(plane))
    assert names(plane) == ["p"]
    assert call.has_changed


def test_a_change_that_would_not_run_is_undone(plane):
    call = call_of(plane)
    plane.refuse = InvalidRequest("it does not compile")
    with pytest.raises(InvalidRequest), call.change() as tx:
        tx.insert(policy(plane))
    assert names(plane) == []
    assert not call.has_changed


def test_a_change_of_nothing_is_none(plane):
    call = call_of(plane)
    with call.change():
        pass
    assert not call.has_changed


def test_the_audit_log_knows_who_it_was(plane):
    with call_of(plane).change() as tx:
        tx.insert(policy(plane))
    with plane.directory.read() as view:
        (entry, *_), _ = view.audit_entries()
    assert (entry.actor_kind, entry.method, entry.uri, entry.request_id, entry.client_ip) == (
        "api_key", "PUT", "/v1/x", "r-1", "127.0.0.1",
    )  # fmt: skip
    plane.promote("manager")
    with call_of(plane, "user").change() as tx:
        tx.insert(policy(plane))
    with plane.directory.read() as view:
        (entry, *_), _ = view.audit_entries()
    assert (entry.actor_kind, entry.actor_id) == ("user", plane.person.id)


@pytest.mark.parametrize("given", [None, b"*", b'"1"', b'W/"1"', b'"4", "1"', b"1"])
def test_a_version_that_fits(plane, given):
    call = call_of(plane, headers={b"if-match": given} if given else {})
    assert call.expect(plane.home) == 1


@pytest.mark.parametrize("given", [b'"4"', b'"11"', b'"one"'])
def test_a_version_that_does_not_fit(plane, given):
    with pytest.raises(PreconditionFailed, match="version 1"):
        call_of(plane, headers={b"if-match": given}).expect(plane.home)


def test_nobody_is_no_caller(plane):
    with pytest.raises(Unauthenticated):
        _ = call_of(plane, None).principal


def test_what_the_caller_needs(plane):
    call_of(plane).require("policies.read", "nothing.read")
    with pytest.raises(Forbidden, match="audit_logs"):
        call_of(plane).require("audit_logs.list")


class TestWorkspace:
    """Which workspace a call is about."""

    def resolved(self, plane, key, given):
        call = call_of(plane, key)
        with call.view() as view:
            return call.workspace(view, given).slug

    @pytest.mark.parametrize("key", ["service", "user", "admin"])
    def test_it_is_the_callers_own_or_the_default_one(self, plane, key):
        assert self.resolved(plane, key, None) == plane.home.slug

    @pytest.mark.parametrize("key", ["service", "user", "admin"])
    def test_its_own_may_be_named_by_id_or_slug(self, plane, key):
        assert self.resolved(plane, key, plane.home.id) == plane.home.slug
        assert self.resolved(plane, key, plane.home.slug) == plane.home.slug

    def test_an_organisations_key_may_name_any(self, plane):
        assert self.resolved(plane, "admin", plane.other.id) == plane.other.slug
        assert self.resolved(plane, "admin", plane.other.slug) == plane.other.slug

    @pytest.mark.parametrize("key", ["service", "user"])
    def test_a_workspaces_key_may_not_and_is_not_told_whether_it_is_there(self, plane, key):
        messages = set()
        for given in (plane.other.id, plane.other.slug, "nowhere"):
            with pytest.raises(Forbidden) as caught:
                self.resolved(plane, key, given)
            assert caught.value.wire_code == "AB03"
            messages.add(caught.value.message)
        assert len(messages) == 1

    def test_a_missing_one_is_403(self, plane):
        with pytest.raises(Forbidden):
            self.resolved(plane, "admin", "nowhere")


def test_a_thread_can_wait_for_the_loop_and_ask_the_counters(plane):
    budget = budget_of(UsageLimit(id="b", unit="tokens", cap=100), scope="key", name="", created_at=plane.clock.now)

    async def main(**more):
        loop = asyncio.get_running_loop()
        call = call_of(plane, loop=loop, **more)
        return await loop.run_in_executor(None, lambda: call.usage([Claim(budget)]))

    assert asyncio.run(main())["b"].remaining == 100

    async def fail(claims):
        raise CountersUnreachable("away")

    plane.counters.usage = fail
    assert asyncio.run(main()) == {}


def test_operations_inside_of_one_change_are_done_or_undone_together(plane):
    body = {"name": "p", "value": 1, "unit": "rpm", "type": "requests", "group_by": [{"key": "api_key"}],
            "conditions": [{"key": "api_key", "value": "*"}]}  # fmt: skip
    call = call_of(plane, headers={b"if-match": b'"99"'})
    with call.change() as tx:
        made = call.perform(tx, "POST", "/v1/policies/rate-limits", body)
        call.perform(tx, "PUT", f"/v1/policies/rate-limits/{made.id}", {"name": "q"})
    assert names(plane) == ["q"]
    with pytest.raises(InvalidRequest), call.change() as tx:
        call.perform(tx, "DELETE", f"/v1/policies/rate-limits/{made.id}", {})
        call.perform(tx, "POST", "/v1/policies/rate-limits", {})
    assert names(plane) == ["q"]
    with call.change() as tx, pytest.raises(Forbidden):
        call.perform(tx, "POST", "/v1/admin/workspaces", {"name": "x"})
    with call.change() as tx, pytest.raises(NotFound):
        call.perform(tx, "POST", "/v1/nowhere", {})
