"""The tables of the guard are in normal form, or a comparison with them would miss."""

from __future__ import annotations

from lockgate.transport import blocked_hosts


def test_names_are_lower_case_without_dots_at_their_ends():
    for name in blocked_hosts.NEVER_NAMES | blocked_hosts.NEVER_SUFFIXES | blocked_hosts.UNTRUSTED_TOP_LABELS:
        assert name == name.lower().strip(".")
    assert not any("." in name for name in blocked_hosts.NEVER_NAMES | blocked_hosts.UNTRUSTED_TOP_LABELS)


def test_every_port_that_the_specification_names_is_in_the_table():
    assert {22, 25, 445, 3306, 5432, 6379, 6443, 9200, 27017} <= blocked_hosts.NEVER_PORTS


def test_the_usual_ports_of_model_servers_are_not():
    usual = {80, 443, 1234, 3000, 4000, 5000, 5001, 7860, 8000, 8001, 8080, 8443, 8787, 9000, 9997, 11434, 30000}
    assert not usual & blocked_hosts.NEVER_PORTS
