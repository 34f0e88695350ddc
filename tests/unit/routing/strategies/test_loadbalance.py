"""Load balancing: shares, parking, stickiness. Section 4.5."""

from __future__ import annotations

import collections
import random

import msgspec
import pytest

from lockgate.routing.machine import Stop, begin
from lockgate.routing.sticky import Assignments
from tests.unit.routing.configs import paths, play, routes_of, scene_of, status

PICKS = 10_000
BREAKER = {"failure_threshold": 1, "cooldown_interval": 30000}


def balanced(weights: list[float | None], **strategy: object) -> dict[str, object]:
    targets = [{"provider": f"@p{at}"} | ({} if w is None else {"weight": w}) for at, w in enumerate(weights)]
    return {"strategy": {"mode": "loadbalance", **strategy}, "targets": targets}


def shares(config: object, **given: object) -> collections.Counter[int]:
    routes, dice = routes_of(config), random.Random(20)
    scene = msgspec.structs.replace(scene_of(**given), roll=dice.random)
    return collections.Counter(int(begin(routes, scene).leaf.path[-2]) for _ in range(PICKS))


@pytest.mark.parametrize(
    "weights, expected",
    [
        ([1, 1], [0.5, 0.5]),
        ([None, None], [0.5, 0.5]),
        ([3, 1], [0.75, 0.25]),
        ([0.7, 0.3], [0.7, 0.3]),
        ([None, 3], [0.25, 0.75]),
        ([5, 0, 5], [0.5, 0, 0.5]),
        ([0.001, 0.002, 0.007], [0.1, 0.2, 0.7]),
        ([1e15, 1e15], [0.5, 0.5]),
    ],
)
def test_shares_follow_the_weights_within_three_sigma(weights, expected):
    found = shares(balanced(weights))
    for at, share in enumerate(expected):
        sigma = (PICKS * share * (1 - share)) ** 0.5
        assert abs(found[at] - PICKS * share) <= 3 * sigma


@pytest.mark.parametrize("roll, index", [(0.0, 0), (0.2499, 0), (0.25, 2), (0.999999999, 2)])
def test_the_dice_decide(roll, index):
    assert paths(balanced([1, 0, 3]), [status(500)], scene_of(rolls=[roll])) == [f"config.targets[{index}]"]


def test_a_target_that_fails_is_not_replaced():
    calls, stop = play(balanced([1, 1]), [status(500)])
    assert (len(calls), stop.path) == (1, "config.targets[0]")


def test_all_weights_zero_is_a_refusal():
    step = begin(routes_of(balanced([0, 0])), scene_of())
    assert isinstance(step, Stop)
    assert step.refusal.message == "config: the weights of all targets are 0"
    assert step.path == "config"


def test_all_weights_zero_in_one_target_leads_to_the_next():
    config = {"strategy": {"mode": "fallback"}, "targets": [balanced([0, 0]), {"provider": "@b"}]}
    calls, stop = play(config, [status(200)])
    assert [call.leaf.path for call in calls] == ["config.targets[1]"]
    assert [(visit.path, visit.status) for visit in stop.trail] == [
        ("config.targets[0]", 400),
        ("config.targets[1]", 200),
    ]


def test_open_circuits_lose_their_share():
    found = shares(balanced([1, 2, 1], cb_config=BREAKER), is_open=lambda path, policy: path.endswith("[1]"))
    assert found[1] == 0
    assert abs(found[0] - PICKS / 2) <= 3 * (PICKS / 4) ** 0.5


def test_a_parked_target_stays_parked_when_all_others_are_left_out():
    config = balanced([1, 0], cb_config=BREAKER)
    assert shares(config, is_open=lambda path, policy: path.endswith("[0]")) == {0: PICKS}


def test_each_router_rolls_its_own_dice():
    config = balanced([1, 1])
    config["targets"][1] = balanced([1, 1])
    assert paths(config, [status(500)], scene_of(rolls=[0.9, 0.0, 0.9])) == ["config.targets[1].targets[0]"]


# ---- sticky


def sticky(weights=(1, 1, 1), fields=("metadata.user_id",), **settings):
    return balanced(list(weights), sticky={"enabled": True, "hash_fields": list(fields), **settings})


class Session:
    """Requests to one config, with the assignments kept as an exchange would."""

    def __init__(self, config: object, id: str = "pc-1") -> None:
        self.routes = routes_of(config, id=id)
        self.kept = Assignments()
        self.now = 0.0
        self.dice = random.Random(7)

    def ask(self, tenant="w", is_open=lambda path, policy: False, **given):
        scene = scene_of(tenant=tenant, is_open=is_open, assigned=lambda key: self.kept.get(key, self.now), **given)
        step = begin(self.routes, msgspec.structs.replace(scene, roll=self.dice.random))
        for new in step.assignments:
            self.kept.keep(new.key, new.index, new.ttl_s, self.now, is_replacing=new.is_replacing)
        return int(step.leaf.path[-2])


def test_a_caller_stays_at_its_target_for_its_time_counted_from_the_first_request():
    session = Session(sticky(ttl=100))
    users = [{"user_id": str(number)} for number in range(60)]
    first = [session.ask(metadata=user) for user in users]
    assert set(first) == {0, 1, 2}
    for session.now in (1.0, 60.0, 99.9):
        assert [session.ask(metadata=user) for user in users] == first
    session.now, session.routes = 100.0, routes_of(sticky((0, 0, 1), ttl=100), id="pc-1")
    assert {session.ask(metadata=user) for user in users} == {2}, "after its time new weights count"


def test_processes_that_share_nothing_agree():
    one, other = Session(sticky((1, 2, 1))), Session(sticky((1, 2, 1)))
    other.dice = random.Random(8)
    users = [{"user_id": str(number)} for number in range(400)]
    first = [one.ask(metadata=user) for user in users]
    assert [other.ask(metadata=user) for user in users] == first
    found = collections.Counter(first)
    for at, share in enumerate((0.25, 0.5, 0.25)):
        assert abs(found[at] - 400 * share) <= 3 * (400 * share * (1 - share)) ** 0.5


def test_only_those_move_whose_target_is_out():
    config = sticky()
    config["strategy"]["cb_config"] = BREAKER
    users = [{"user_id": str(number)} for number in range(60)]
    first = [Session(config).ask(metadata=user) for user in users]
    without = [Session(config).ask(metadata=user, is_open=lambda path, policy: "[1]" in path) for user in users]
    assert 1 not in without
    assert all(one == other for one, other in zip(first, without, strict=True) if one != 1)


def test_the_time_is_an_hour_when_left_out():
    scene = scene_of(metadata={"user_id": "u"})
    assert begin(routes_of(sticky()), scene).assignments[0].ttl_s == 3600.0


def test_without_any_of_the_fields_nobody_sticks():
    session = Session(sticky())
    assert {session.ask() for _ in range(60)} == {0, 1, 2}
    assert session.kept._kept == {}


@pytest.mark.parametrize("settings", [{"enabled": False}, {"hash_fields": []}])
def test_sticky_that_is_off_is_off(settings):
    session = Session(sticky(**settings))
    assert {session.ask(metadata={"user_id": "u"}) for _ in range(60)} == {0, 1, 2}


def test_a_target_that_is_out_or_parked_is_replaced_for_good():
    config = sticky()
    config["strategy"]["cb_config"] = BREAKER
    session = Session(config)
    first = session.ask(metadata={"user_id": "u"})
    moved = session.ask(metadata={"user_id": "u"}, is_open=lambda path, policy: path.endswith(f"[{first}]"))
    assert moved != first
    assert {session.ask(metadata={"user_id": "u"}) for _ in range(30)} == {moved}


def test_nobody_sticks_to_a_parked_target():
    config = sticky((1, 0))
    config["strategy"]["cb_config"] = BREAKER
    user = {"metadata": {"user_id": "u"}, "assigned": lambda key: 1}
    for is_open in (lambda path, policy: False, lambda path, policy: path.endswith("[0]")):
        (new,) = begin(routes_of(config), scene_of(is_open=is_open, **user)).assignments
        assert (new.index, new.is_replacing) == (0, True)


def test_who_loses_the_race_takes_the_winners_choice():
    routes, scene = routes_of(sticky()), scene_of(metadata={"user_id": "u"})
    step = begin(routes, scene)
    (new,) = step.assignments
    assert not new.is_replacing
    winner = (new.index + 1) % 3
    again = begin(routes, msgspec.structs.replace(scene, assigned={new.key: winner}.get))
    assert (again.leaf.path, again.assignments) == (f"config.targets[{winner}]", ())


def test_an_assignment_to_a_target_that_is_gone_is_replaced():
    routes, scene = routes_of(sticky((1, 1))), scene_of(metadata={"user_id": "u"}, assigned=lambda key: 7)
    (new,) = begin(routes, scene).assignments
    assert (new.index in (0, 1), new.is_replacing) == (True, True)
