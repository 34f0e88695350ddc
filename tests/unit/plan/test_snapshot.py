from lockgate.plan.snapshot import header_pairs


def test_header_pairs_are_what_the_wire_wants():
    assert header_pairs({"X-Team": "blü"}) == ((b"x-team", "blü".encode()),)
