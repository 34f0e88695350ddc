"""Cores, the environment of children and the choice between two clocks."""

import os

import pytest

from bench.machine import Cores, choose_cores, on_core
from bench.processes import choose_cpu_s, clean_env, tree


@pytest.mark.parametrize(
    "usable,expected",
    [
        ([3], Cores()),
        ([0, 1], Cores(gateway=0, upstream=1, load=1)),
        ([2, 5, 7, 9], Cores(gateway=2, upstream=5, load=7)),
    ],
)
def test_the_gateway_has_a_core_of_its_own_where_there_are_two(usable, expected):
    assert choose_cores(usable) == expected


def test_leaving_the_block_gives_the_cores_back():
    before = os.sched_getaffinity(0)
    with on_core(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_children_inherit_no_key_no_proxy_and_no_setting_of_the_gateway():
    env = {
        "PATH": "/bin",
        "HTTPS_PROXY": "x",
        "http_proxy": "x",
        "ANTHROPIC_API_KEY": "x",
        "SOME_API_KEY": "x",
        "LOCKGATE_HOME": "x",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    assert clean_env(env) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "ticks_s,threads_s,expected",
    [
        (1.00, 1.004, 1.004),  # agree: the finer one
        (1.50, 0.90, 1.50),  # a thread ended: only the coarse one still counts it
        (0.05, 0.0, 0.05),  # no fine clock here
    ],
)
def test_the_finer_clock_is_used_where_the_coarse_one_agrees(ticks_s, threads_s, expected):
    assert choose_cpu_s(ticks_s, threads_s) == expected


def test_the_tree_of_a_process_begins_with_itself():
    assert tree(os.getpid())[0] == os.getpid()
