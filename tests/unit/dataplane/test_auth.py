import pytest

from lockgate.dataplane.auth import authenticate, holds_key
from lockgate.errors import Unauthenticated
from lockgate.plan.keys import digest_of, write_key
from lockgate.plan.snapshot import GatewayKey, Snapshot

OURS = write_key(bytes(32))
ALSO_OURS = "operator-chosen"
KEYS = {digest_of(OURS): GatewayKey(id="key_a", name="a"), digest_of(ALSO_OURS): GatewayKey(id="key_b", name="b")}
SNAPSHOT = Snapshot(version=1, keys=KEYS, targets={}, raw_targets={})
OPEN = Snapshot(version=1, keys=KEYS, targets={}, raw_targets={}, is_open=True)


def headers(**named):
    return {name.replace("_", "-").encode(): value.encode() for name, value in named.items()}


@pytest.mark.parametrize(
    "sent, key, credential, consumed",
    [
        (headers(x_portkey_api_key=OURS), "a", None, {b"x-portkey-api-key"}),
        (headers(authorization=f"Bearer {OURS}"), "a", None, {b"authorization"}),
        (headers(authorization=f"bearer {OURS}"), "a", None, {b"authorization"}),
        (headers(authorization=OURS), "a", None, {b"authorization"}),
        (headers(x_api_key=OURS), "a", None, {b"x-api-key"}),
        (headers(x_api_key=ALSO_OURS), "b", None, {b"x-api-key"}),
        (headers(x_portkey_api_key=OURS, authorization="Bearer sk-own"), "a", "sk-own", {b"x-portkey-api-key"}),
        (headers(x_portkey_api_key=OURS, x_api_key="sk-own"), "a", "sk-own", {b"x-portkey-api-key"}),
        (headers(x_portkey_api_key=OURS, authorization="Bearer OPENAI_API_KEY"), "a", None, {b"x-portkey-api-key"}),
        (headers(x_portkey_api_key=OURS, authorization="Bearer dummy"), "a", None, {b"x-portkey-api-key"}),
        (headers(x_portkey_api_key=OURS, x_api_key="dummy"), "a", None, {b"x-portkey-api-key"}),
        (headers(x_portkey_api_key=OURS, authorization="DUMMY-KEY"), "a", None, {b"x-portkey-api-key"}),
        (
            headers(x_portkey_api_key=OURS, authorization=f"Bearer {OURS}"),
            "a",
            None,
            {b"x-portkey-api-key", b"authorization"},
        ),
        (headers(authorization="Bearer sk-own", x_api_key=OURS), "a", "sk-own", {b"x-api-key"}),
        (headers(authorization=f"Bearer {OURS}", x_api_key=ALSO_OURS), "a", None, {b"authorization", b"x-api-key"}),
        (headers(x_portkey_api_key=OURS, authorization="Basic dXNlcjpwYXNz"), "a", None, {b"x-portkey-api-key"}),
        (headers(x_portkey_api_key="  ", authorization=f"Bearer {OURS}"), "a", None, {b"authorization"}),
    ],
)
def test_where_the_key_may_be(sent, key, credential, consumed):
    caller = authenticate(SNAPSHOT, sent)
    assert caller.key.name == key
    assert (caller.credential.reveal() if caller.credential else None) == credential
    assert caller.consumed == consumed


@pytest.mark.parametrize(
    "sent",
    [
        {},
        headers(authorization="Bearer wrong"),
        headers(x_portkey_api_key="wrong", authorization=f"Bearer {OURS}"),
        headers(x_portkey_api_key=OURS[:-1] + "x"),
        headers(authorization="Bearer "),
        {b"authorization": b"Bearer \xff\xfe"},
    ],
)
def test_no_known_key_is_refused(sent):
    with pytest.raises(Unauthenticated, match="Invalid API Key"):
        authenticate(SNAPSHOT, sent)


def test_an_open_gateway_serves_callers_without_a_key_but_not_with_a_wrong_one():
    assert authenticate(OPEN, headers(authorization="Bearer sk-own")).key is None
    assert authenticate(OPEN, {}).credential is None
    with pytest.raises(Unauthenticated):
        authenticate(OPEN, headers(x_portkey_api_key="wrong"))


@pytest.mark.parametrize("value", [OURS, f"Bearer {OURS}", f"token {ALSO_OURS}", f" {ALSO_OURS} "])
def test_a_key_is_recognised_wherever_it_stands(value):
    assert holds_key(SNAPSHOT, value.encode())
    assert not holds_key(SNAPSHOT, b"Bearer sk-own")
    assert not holds_key(SNAPSHOT, b"")
