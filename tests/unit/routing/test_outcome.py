"""How errors look to routing."""

from __future__ import annotations

import pytest

from lockgate.errors import Broken, Malformed, ModelNotAllowed, NoTarget, Rejected, StreamCut, TimedOut, Unreachable
from lockgate.routing.outcome import Origin, Outcome, outcome_of


def rejected(status: int, code: str | None = None) -> Rejected:
    return Rejected("no", status=status, kind="api_error", wire_code=code)


@pytest.mark.parametrize(
    "error, status, origin",
    [
        (Unreachable("x"), 503, Origin.CONNECTION),
        (Broken("x"), 502, Origin.CONNECTION),
        (StreamCut("x"), 502, Origin.CONNECTION),
        (TimedOut("x", phase="connect"), 408, Origin.CONNECTION),
        (TimedOut("x", phase="tls"), 408, Origin.CONNECTION),
        (TimedOut("x", phase="first_byte"), 408, Origin.TIMEOUT),
        (TimedOut("x", phase="total"), 408, Origin.TIMEOUT),
        (Malformed("x"), 502, Origin.PROVIDER),
        (rejected(429), 429, Origin.PROVIDER),
        (rejected(529), 529, Origin.PROVIDER),
    ],
)
def test_errors_of_the_providers_side(error, status, origin):
    found = outcome_of(error)
    assert (found.status, found.origin, found.is_exhausted) == (status, origin, False)


@pytest.mark.parametrize("error, status", [(NoTarget("x"), 400), (ModelNotAllowed("x"), 412)])
def test_errors_of_our_own_making(error, status):
    assert outcome_of(error, is_sent=False) == Outcome(status=status, origin=Origin.REFUSAL)


@pytest.mark.parametrize(
    "status, code, expected",
    [
        (429, "enforced_spend_limit_reached", True),
        (429, "contract_spend_limit_reached", True),
        (429, "ramp_limit_exceeded", True),
        (429, "rate_limit_exceeded", False),
        (429, None, False),
        (402, None, True),
        (402, "linked_organization", True),
    ],
)
def test_a_spent_credential_is_told_by_its_code(status, code, expected):
    assert outcome_of(rejected(status, code)).is_exhausted is expected


@pytest.mark.parametrize("status, expected", [(199, False), (200, True), (246, True), (299, True), (300, False)])
def test_success(status, expected):
    assert Outcome(status=status).is_success is expected


@pytest.mark.parametrize(
    "outcome, codes, expected",
    [
        (Outcome(status=429), {429}, True),
        (Outcome(status=503), {500}, False),
        (Outcome(status=503, origin=Origin.CONNECTION), {500}, True),
        (Outcome(status=502, origin=Origin.CONNECTION), {500}, True),
        (Outcome(status=502, origin=Origin.CONNECTION), {502}, True),
        (Outcome(status=502, origin=Origin.CONNECTION), {504}, False),
    ],
)
def test_a_list_with_500_means_lost_connections_too(outcome, codes, expected):
    assert outcome.matches(frozenset(codes)) is expected
