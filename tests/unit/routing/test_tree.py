"""The tree: leaves in order, and routers whose targets are all left out."""

from __future__ import annotations

import pytest

from lockgate.routing.tree import is_shut, leaves, usable
from tests.unit.routing.configs import routes_of, scene_of

CONFIG = {
    "strategy": {"mode": "fallback", "cb_config": {"failure_threshold": 1, "cooldown_interval": 30000}},
    "targets": [
        {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@a"}, {"provider": "@b"}]},
        {"provider": "@c"},
    ],
}
A, B, C = "config.targets[0].targets[0]", "config.targets[0].targets[1]", "config.targets[1]"


def test_leaves_come_in_the_order_of_the_config():
    assert [leaf.path for leaf in leaves(routes_of(CONFIG).root)] == [A, B, C]


@pytest.mark.parametrize(
    "is_open, expected",
    [
        ([], (0, 1)),
        ([A], (0, 1)),
        ([A, B], (1,)),
        ([C], (0,)),
        ([A, C], (0,)),
        ([A, B, C], (0, 1)),
    ],
)
def test_a_router_is_left_out_when_all_its_targets_are(is_open, expected):
    root = routes_of(CONFIG).root
    scene = scene_of(is_open=lambda path, policy: path in is_open)
    assert usable(root, scene) == expected
    assert is_shut(root, scene) is (len(is_open) == 3)
