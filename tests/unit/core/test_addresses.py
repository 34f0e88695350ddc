import pytest

from lockgate.core.addresses import full_address, hashed_address, truncated_address


@pytest.mark.parametrize(
    "text, full, truncated",
    [
        ("203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("2001:DB8:1:2::5", "2001:db8:1:2::5", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::1", "fe80::/48"),
        ("[::1]", "::1", "::/48"),
        ("", None, None),
        ("unknown", None, None),
        ("203.0.113.77:443", None, None),
        ("/run/lockgate.sock", None, None),
    ],
)
def test_how_much_of_an_address_is_kept(text, full, truncated):
    assert (full_address(text), truncated_address(text)) == (full, truncated)


def test_a_hash_tells_addresses_apart_as_long_as_its_salt_lasts():
    first, second = hashed_address("203.0.113.7", b"a"), hashed_address("203.0.113.8", b"a")
    assert first == hashed_address("::ffff:203.0.113.7", b"a") != second
    assert hashed_address("203.0.113.7", b"b") not in (first, second)
    assert hashed_address("nobody", b"a") is None
    assert len(first) == 16
