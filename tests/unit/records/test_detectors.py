"""Each detector finds what it is for and leaves what only looks like it."""

from __future__ import annotations

import pytest

from lockgate.records.detectors import (
    PERSONAL,
    SECRETS,
    has_iban_check,
    has_luhn,
    has_verhoeff,
    is_german_tax_id,
    is_phone,
    is_us_social_security,
)
from lockgate.records.redaction import Rules, redact

ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
KEYS = {
    "anthropic": "sk-" + "ant-api03-" + ALNUM[:40] + "-AA",
    "openai": "sk-" + "proj-" + ALNUM[:48],
    "key": "sk-" + ALNUM[:32],
    "lockgate": "gk_" + ALNUM[:49],
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "aws-secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "google": "AIza" + ALNUM[:35],
    "google-oauth": "ya29." + ALNUM[:40],
    "github": "ghp_" + ALNUM[:36],
    "gitlab": "glpat-" + ALNUM[:20],
    "slack": "xoxb-" + "1234567890-abcdefghij",
    "stripe": "sk_live_" + ALNUM[:24],
    "huggingface": "hf_" + ALNUM[:34],
    "groq": "gsk_" + ALNUM[:48],
    "xai": "xai-" + ALNUM[:60],
    "replicate": "r8_" + ALNUM[:37],
    "npm": "npm_" + ALNUM[:36],
    "azure": (ALNUM * 2)[:86] + "==",
    "jwt": "eyJ" + ALNUM[:20] + ".eyJ" + ALNUM[:30] + "." + ALNUM[:43],
    "bearer": ALNUM[:30],
    "url-password": "hunter2secret",
    "private-key": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
}
AROUND = {
    "aws-secret": "aws_secret_access_key = {}",
    "azure": "AccountKey={};EndpointSuffix=x",
    "bearer": "Authorization: Bearer {}",
    "url-password": "postgres://user:{}@db.internal/x",
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----\\n{}\\n-----END RSA " + "PRIVATE KEY-----",
}


@pytest.mark.parametrize("name", sorted({d.name for d in SECRETS}))
def test_each_kind_of_secret_is_found(name):
    text = AROUND.get(name, 'my key is {}, "keep" it').format(KEYS[name])
    found = redact(text.encode())
    assert found.counts == {name: 1}
    assert KEYS[name].encode() not in found.data
    assert f"[SECRET:{name}".encode() in found.data


def test_a_private_key_without_its_end_is_found():
    text = b"-----BEGIN " + b"PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBK\ncut"
    assert b"MIIEvQ" not in redact(text).data


@pytest.mark.parametrize(
    "text",
    ["sk-short", "the task-force of ant-hills", "AKIAshort", "ghp_123", "eyJhbGciOi.x.y", "bearer of bad news",
     "https://example.com/path:80@x", "-----BEGIN CERTIFICATE-----", "risk-management-department-of-everything"],
)  # fmt: skip
def test_ordinary_text_is_left_alone(text):
    assert redact(text.encode()).data == text.encode()


PERSON = {
    "email": (["joe.doe+x@mail.example.co.uk", "a@b.de"], ["joe@localhost", "@home", "a@b"]),
    "card": (["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"], ["4111 1111 1111 1112", "0000000000000000"]),
    "iban": (["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"], ["DE88 3704 0044 0532 0130 00", "XX12ABCDEFGHIJKLMNO"]),
    "phone": (["+49 30 901820", "+1 (415) 555-2671"], ["12 345", "+1 2"]),
    "us-ssn": (["123-45-6789"], ["000-45-6789", "666-45-6789", "123-00-6789", "912-45-6789"]),
    "aadhaar": (["2341 2341 2346"], ["2341 2341 2340"]),
    "de-tax": (["36574261809"], ["36574261808"]),
    "uk-nino": (["AB 12 34 56 C"], ["QQ 12 34 56 C"]),
    "ip": (["192.168.10.254"], ["999.1.1.1", "1.2.3"]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PERSONAL))
def test_personal_data_is_told_from_what_looks_like_it(name):
    rules = Rules(mode="redacted", personal=(name,))
    for text in PERSON[name][0]:
        found = redact(f"say {text}, please".encode(), rules)
        assert found.data == f"say [PII:{name}], please".encode()
        assert found.counts == {name: 1}
    for text in PERSON[name][1]:
        assert redact(f"say {text}, please".encode(), rules).data == f"say {text}, please".encode()


def test_check_digits():
    assert has_luhn(b"4111111111111111")
    assert not has_luhn(b"411111111111")
    assert has_iban_check(b"DE89370400440532013000")
    assert not has_iban_check(b"DE8937040044053201300")
    assert has_verhoeff(b"234123412346")
    assert is_german_tax_id(b"36574261809")
    assert is_us_social_security(b"123-45-6789")
    assert is_phone(b"+49 30 901820")
    assert not is_phone(b"+1 2345")
