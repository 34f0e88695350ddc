"""What passes the one choke point holds no secret, stays JSON where it was JSON, and is otherwise byte for byte the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.detectors import PERSONAL
from lockgate.records.redaction import (
    NEVER_KEPT,
    Rules,
    is_clean,
    redact,
    redact_headers,
    redact_metadata,
    redact_text,
    redact_url,
)

KEY = "sk-" + "ant-api03-" + "a1B2c3D4" * 6
CARD = "4111111111111111"
ALL_PERSONAL = Rules(mode="redacted", personal=tuple(sorted(PERSONAL)))

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | texts
    | st.sampled_from([KEY, int(CARD), CARD, "joe@example.com", f"a {KEY} b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.booleans())
def test_json_stays_json_and_no_seeded_secret_is_left(value, is_ascii):
    data = json.dumps([value], ensure_ascii=is_ascii).encode()
    found = redact(data, ALL_PERSONAL)
    json.loads(found.data)
    assert KEY.encode() not in found.data
    assert CARD.encode() not in found.data
    assert b"joe@example.com" not in found.data


@given(st.binary(max_size=300))
def test_bytes_without_findings_stay_as_they_are(data):
    found = redact(data)
    assert found.counts or found.data == data


parts = st.lists(
    st.builds(
        lambda before, found, after: (before + found + after).encode(),
        texts, st.sampled_from(["", KEY, CARD, "joe@example.com", "Bearer ", r"\u0073k-", r"\/"]), texts,
    ),
    max_size=4,
)  # fmt: skip


@given(parts, st.sampled_from([Rules(), ALL_PERSONAL]), st.sampled_from([(), (b"a" * 8,), (b"joe@exam",)]))
def test_what_is_clean_together_is_clean_one_by_one(found, rules, known):
    if is_clean(found, rules, known):
        assert [redact(part, rules, known).data for part in found] == found


@pytest.mark.parametrize("part", [KEY, rf"\u0073{KEY[1:]}", "joe@example.com", "abcdefgh", "x" * 300_000])
def test_what_has_a_finding_or_is_long_is_not_called_clean(part):
    assert is_clean([b"{}", b"nothing here"], ALL_PERSONAL, [b"abcdefgh"])
    assert not is_clean([b"{}", part.encode(), b""], ALL_PERSONAL, [b"abcdefgh"])
    assert not is_clean([b"{}"], Rules(mode="redacted", drop_paths=("a",)))


def test_paths_to_cut_out_do_not_touch_headers():
    rules = Rules(mode="redacted", drop_paths=("a",))
    headers = [(b"x-plain", b"1"), (b"x-query", b"a=b"), (b"x-secret", KEY.encode())]
    found = dict(redact_headers(headers, rules))
    assert (found["x-plain"], found["x-query"]) == ("1", "a=b")
    assert KEY not in str(found)


@given(json_values)
def test_redacting_again_changes_nothing(value):
    once = redact(json.dumps(value).encode(), ALL_PERSONAL).data
    assert redact(once, ALL_PERSONAL).data == once


def test_a_key_that_an_encoder_wrote_with_escapes_is_found():
    escaped = '{"a":"' + KEY.replace("-", "\\u002d") + '"}'
    assert KEY[12:].encode() not in redact(escaped.encode()).data
    slashed = "https:\\/\\/user:hunter2secret@host\\/x"
    assert b"hunter2secret" not in redact(slashed.encode()).data


def test_escapes_that_hide_nothing_stay():
    data = b'{"a":"caf\\u00e9 \\u0041 \\/ \\u0022"}'
    assert redact(data).data == data


def test_a_bare_number_of_a_card_becomes_a_word():
    found = redact(b'{"card": %s, "n": [%s]}' % (CARD.encode(), CARD.encode()), ALL_PERSONAL)
    assert json.loads(found.data) == {"card": "[PII:card]", "n": ["[PII:card]"]}
    inside = redact(b'{"text": "pay: %s, please"}' % CARD.encode(), ALL_PERSONAL)
    assert json.loads(inside.data) == {"text": "pay: [PII:card], please"}


def test_personal_data_stays_unless_it_is_asked_for():
    data = b'{"mail":"joe@example.com"}'
    assert redact(data).data == data
    assert redact(data, Rules(mode="full", personal=("email",))).data == data
    assert redact(data, Rules(mode="redacted", personal=("iban",))).data == data


def test_hashes_tell_equal_values_and_depend_on_the_salt():
    def marks(salt):
        rules = Rules(mode="redacted", personal=("email",), action="hash", salt=salt)
        return redact(b"joe@example.com ann@example.com joe@example.com", rules).data.split()

    first = marks(b"1")
    assert first[0] == first[2] != first[1]
    assert marks(b"2")[0] != first[0]


def test_paths_are_cut_out():
    rules = Rules(mode="redacted", drop_paths=("user.ssn", "messages[*].name"))
    found = redact(b'{"user": {"ssn": 1, "x": 2}, "messages": [{"name": "joe", "content": "hi"}]}', rules)
    assert json.loads(found.data) == {"user": {"x": 2}, "messages": [{"content": "hi"}]}


def test_what_a_path_cannot_be_cut_out_of_is_dropped():
    rules = Rules(mode="redacted", drop_paths=("user.ssn",))
    assert b"078" not in redact(b'{"user": {"ssn": "078', rules).data
    assert redact(b"", rules).data == b""


@pytest.mark.parametrize("changes", [{"personal": ("nothing",)}, {"drop_paths": ("a..b",)}])
def test_rules_that_name_what_does_not_exist_are_refused(changes):
    with pytest.raises(ValueError):
        Rules(**changes)


def test_credentials_in_headers_never_stay():
    headers = [(name.title(), b"Bearer " + KEY.encode()) for name in NEVER_KEPT]
    assert redact_headers([*headers, (b"User-Agent", b"x")]) == [("user-agent", "x")]


def test_sensitive_headers_leave_a_hash():
    rules = Rules(sensitive_headers=("X-Customer",), salt=b"s")
    found = dict(redact_headers([(b"x-customer", b"acme"), (b"x-custom-token", b"t1"), (b"x-plain", b"v")], rules))
    assert found["x-plain"] == "v"
    assert found["x-customer"].startswith("sha256:")
    assert len(found["x-customer"]) == len(found["x-custom-token"]) == 15
    assert found["x-custom-token"] != dict(redact_headers([(b"x-custom-token", b"t2")], rules))["x-custom-token"]


def test_secrets_in_other_headers_and_their_urls_go():
    found = dict(redact_headers([(b"referer", b"https://x/?X-Amz-Signature=abcdef&y=1"), (b"x-note", KEY.encode())]))
    assert found["referer"] == "https://x/?X-Amz-Signature=[SECRET]&y=1"
    assert KEY not in found["x-note"]


@pytest.mark.parametrize(
    "name", ["sig", "signature", "token", "key", "api_key", "access_token", "X-Goog-Signature", "AWSAccessKeyId"]
)
def test_signed_urls_lose_what_signs_them(name):
    assert redact_url(f"https://h/p?a=1&{name}=s3cr3t&b=2".encode()) == f"https://h/p?a=1&{name}=[SECRET]&b=2".encode()


def test_metadata_is_looked_through_and_otherwise_the_same_object():
    clean = {"team": "search", "_user": "x"}
    assert redact_metadata(clean) is clean
    assert redact_metadata({"note": f"use {KEY}", KEY: "v"}).keys() == {"note", "[SECRET:anthropic:c3D4]"}
    assert KEY not in str(redact_metadata({"note": f"use {KEY}", KEY: "v"}))


def test_texts():
    assert redact_text("plain \ud800") == "plain \ud800"
    assert redact_text(f"bad {KEY}") == "bad [SECRET:anthropic:c3D4]"
