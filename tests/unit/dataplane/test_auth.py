import pytest

from lockgate.dataplane.auth import authenticate, check_scope, holds_key
from lockgate.errors import Forbidden, Unauthenticated
from lockgate.plan.keys import digest_of, write_key
from lockgate.plan.snapshot import GatewayKey, Snapshot, Workspace

OURS = write_key(bytes(32))
ALSO_OURS = "operator-chosen"
WITH_COMMA = "operator, chosen"
KEYS = {digest_of(WITH_COMMA): GatewayKey(id="key_c", name="c")} | {
    digest_of(OURS): GatewayKey(id="key_a", name="a"),
    digest_of(ALSO_OURS): GatewayKey(id="key_b", name="b"),
}
NOWHERE = {"default": Workspace(id="default", slug="default")}
SNAPSHOT = Snapshot(version=1, keys=KEYS, workspaces=NOWHERE, raw_targets={})
OPEN = Snapshot(version=1, keys=KEYS, workspaces=NOWHERE, raw_targets={}, is_open=True)
NOW = 1_790_000_000.0


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
        (headers(authorization=f"Bearer {WITH_COMMA}"), "c", None, {b"authorization"}),
        (headers(x_api_key=WITH_COMMA), "c", None, {b"x-api-key"}),
        # a header that came twice, as older SDKs send it
        (headers(x_portkey_api_key=OURS, x_api_key="dummy, sk-own"), "a", "sk-own", {b"x-portkey-api-key"}),
        (headers(x_api_key=f"{ALSO_OURS}, sk-own"), "b", "sk-own", {b"x-api-key"}),
        (headers(x_api_key=f"sk-own,{ALSO_OURS}"), "b", "sk-own", {b"x-api-key"}),
        (headers(authorization=f"Bearer sk-own, Bearer {ALSO_OURS}"), "b", "sk-own", {b"authorization"}),
        (headers(x_portkey_api_key="  ", authorization=f"Bearer {OURS}"), "a", None, {b"authorization"}),
    ],
)
def test_where_the_key_may_be(sent, key, credential, consumed):
    caller = authenticate(SNAPSHOT, sent, NOW)
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
    with pytest.raises(Unauthenticated, match=r"Portkey Error: Invalid API Key\. Error Code: 03"):
        authenticate(SNAPSHOT, sent, NOW)


@pytest.mark.parametrize(
    "sent, what",
    [
        ({}, "No key of this gateway was sent: send one in x-portkey-api-key"),
        (headers(authorization="Bearer OPENAI_API_KEY"), "No key of this gateway was sent"),
        (headers(authorization="Bearer wrong"), "does not know the key: it is mistyped, was deleted"),
        (headers(x_portkey_api_key="wrong"), "does not know the key"),
        (headers(x_portkey_api_key=write_key(bytes(31) + b"x")), "does not know the key"),
        (headers(x_portkey_api_key=OURS[:-1]), "is damaged or cut off: copy it again"),
        (headers(x_api_key=OURS[:20]), "is damaged or cut off"),
    ],
)
def test_a_refusal_says_what_to_do_and_nothing_of_what_was_sent(sent, what):
    with pytest.raises(Unauthenticated) as caught:
        authenticate(SNAPSHOT, sent, NOW)
    assert what in caught.value.message
    assert caught.value.wire_code == "03"
    assert OURS[3:20] not in caught.value.message
    assert "wrong" not in caught.value.message


def test_an_open_gateway_serves_callers_without_a_key_but_not_with_a_wrong_one():
    assert authenticate(OPEN, headers(authorization="Bearer sk-own"), NOW).key is None
    assert authenticate(OPEN, {}, NOW).credential is None
    with pytest.raises(Unauthenticated):
        authenticate(OPEN, headers(x_portkey_api_key="wrong"), NOW)


@pytest.mark.parametrize(
    "value",
    [
        OURS,
        f"Bearer {OURS}",
        f"token {ALSO_OURS}",
        f" {ALSO_OURS} ",
        f"{ALSO_OURS}, else",
        f"else,{ALSO_OURS}",
        f"Bearer {ALSO_OURS}, Bearer else",
    ],
)
def test_a_key_is_recognised_wherever_it_stands(value):
    assert holds_key(SNAPSHOT, value.encode())
    assert not holds_key(SNAPSHOT, b"Bearer sk-own")
    assert not holds_key(SNAPSHOT, b"")


def test_a_revoked_key_of_ours_is_never_a_credential():
    revoked = write_key(bytes([7] * 32))
    assert (
        authenticate(SNAPSHOT, headers(x_portkey_api_key=OURS, authorization=f"Bearer {revoked}"), NOW).credential
        is None
    )
    assert holds_key(SNAPSHOT, f"Bearer {revoked}".encode())


def test_a_key_dies_at_the_second_of_its_expiry():
    keys = {digest_of(OURS): GatewayKey(id="key_a", name="a", expires_at=NOW)}
    snapshot = Snapshot(version=1, keys=keys, workspaces=NOWHERE, raw_targets={})
    assert authenticate(snapshot, headers(x_api_key=OURS), NOW - 0.001).key is not None
    with pytest.raises(Unauthenticated, match="expired"):
        authenticate(snapshot, headers(x_api_key=OURS), NOW)


@pytest.mark.parametrize(
    "kind, scopes, asked, is_allowed",
    [
        ("workspace-service", {"completions.write"}, ("completions.write",), True),
        ("workspace-service", {"completions.write"}, ("models.list", "completions.write"), True),
        ("workspace-user", {"models.list"}, ("models.list", "completions.write"), True),
        ("workspace-user", {"logs.view"}, ("completions.write",), False),
        ("workspace-service", set(), ("models.list", "completions.write"), False),
        ("organisation-service", {"completions.write"}, ("completions.write",), False),
        ("organisation-service", {"models.list"}, ("models.list", "completions.write"), True),
    ],
)
def test_what_a_key_may_do(kind, scopes, asked, is_allowed):
    key = GatewayKey(id="key_a", name="a", kind=kind, scopes=frozenset(scopes))
    if is_allowed:
        check_scope(key, *asked)
    else:
        with pytest.raises(Forbidden) as caught:
            check_scope(key, *asked)
        assert caught.value.wire_code == "AB03"
    check_scope(None, *asked)


@pytest.mark.parametrize("name", ["x-portkey-api-key", "authorization", "x-api-key"])
@pytest.mark.parametrize("text", [write_key(bytes(range(32))), "imported-from-elsewhere"])
def test_a_key_that_somebody_closed_is_refused_with_the_reason_and_is_nobodys_credential(name, text):
    closed = {digest_of(text): "belongs to a person who is disabled"}
    snapshot = Snapshot(version=1, keys=KEYS, workspaces=NOWHERE, raw_targets={}, closed=closed)
    with pytest.raises(Unauthenticated) as caught:
        authenticate(snapshot, {name.encode(): text.encode()}, NOW)
    assert "The key belongs to a person who is disabled" in caught.value.message
    assert (caught.value.status, caught.value.wire_code) == (401, "03")
    assert text not in caught.value.message
    if name != "x-portkey-api-key":
        caller = authenticate(snapshot, {b"x-portkey-api-key": OURS.encode(), name.encode(): text.encode()}, NOW)
        assert caller.credential is None
    assert holds_key(snapshot, f"Bearer {text}".encode())
