"""What secrets and personal data look like. Patterns of the linear-time engine over bytes, and the checks behind them.

Secrets are looked for by default; personal data only where a workspace asks. A pattern finds candidates; where numbers
carry a check digit, the check decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec import Struct


class Detector(Struct, frozen=True):
    """A kind of thing to find: a pattern of RE2, of which group 1, if there is one, is what is replaced."""

    name: str
    pattern: str
    check: Callable[[bytes], bool] | None = None


def has_luhn(number: bytes) -> bool:
    """Whether the digits of a payment card end in the right check digit."""
    digits = [int(chr(byte)) for byte in number if 48 <= byte <= 57]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def has_iban_check(text: bytes) -> bool:
    """Whether an IBAN has the right check digits (ISO 13616, remainder 1 of 97)."""
    compact = re.sub(rb"[ -]", b"", text).decode("ascii", "replace").upper()
    length = _IBAN_LENGTHS.get(compact[:2])
    if length is None or len(compact) != length:
        return False
    number = "".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])
    return int(number) % 97 == 1


def is_us_social_security(text: bytes) -> bool:
    """Whether the number is one that can have been given out."""
    area, group, serial = text.split(b"-")
    return area not in (b"000", b"666") and area < b"900" and group != b"00" and serial != b"0000"


def has_verhoeff(text: bytes) -> bool:
    """Whether an Aadhaar number ends in the right check digit."""
    digits = [int(chr(byte)) for byte in text if 48 <= byte <= 57]
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _VERHOEFF_D[check][_VERHOEFF_P[place % 8][digit]]
    return check == 0


def is_german_tax_id(text: bytes) -> bool:
    """Whether eleven digits carry the check digit of a German tax number (ISO 7064, MOD 11,10)."""
    digits = [int(chr(byte)) for byte in text if 48 <= byte <= 57]
    product = 10
    for digit in digits[:10]:
        total = (digit + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == digits[10]


def is_phone(text: bytes) -> bool:
    """Whether there are as many digits as telephone numbers have."""
    return 8 <= sum(48 <= byte <= 57 for byte in text) <= 15


_SIGN = r"[A-Za-z0-9_-]"
SECRETS: tuple[Detector, ...] = (
    Detector("private-key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)-----END [A-Z ]*PRIVATE KEY-----"),
    Detector("private-key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\\\s]{16,}"),
    Detector("anthropic", rf"\bsk-ant-{_SIGN}{{16,}}"),
    Detector("openai", rf"\bsk-(?:proj|svcacct|admin|None)-{_SIGN}{{16,}}"),
    Detector("key", rf"\bsk-{_SIGN}{{20,}}"),
    Detector("lockgate", r"\bgk_[A-Za-z0-9]{43,}"),
    Detector("aws", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    Detector("aws-secret", r"(?i:aws_?secret_?access_?key)[\"'\\\s:=]{1,8}([A-Za-z0-9/+]{40})"),
    Detector("google", rf"\bAIza{_SIGN}{{35}}"),
    Detector("google-oauth", rf"\bya29\.{_SIGN}{{20,}}"),
    Detector("github", r"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    Detector("github", r"\bgithub_pat_[A-Za-z0-9_]{50,}"),
    Detector("gitlab", rf"\bglpat-{_SIGN}{{20,}}"),
    Detector("slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    Detector("stripe", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    Detector("huggingface", r"\bhf_[A-Za-z0-9]{30,}"),
    Detector("groq", r"\bgsk_[A-Za-z0-9]{40,}"),
    Detector("xai", r"\bxai-[A-Za-z0-9]{40,}"),
    Detector("replicate", r"\br8_[A-Za-z0-9]{30,}"),
    Detector("npm", r"\bnpm_[A-Za-z0-9]{36}\b"),
    Detector("azure", r"(?i:AccountKey)=([A-Za-z0-9+/]{80,}={0,2})"),
    Detector("jwt", rf"\beyJ{_SIGN}{{10,}}\.eyJ{_SIGN}{{10,}}\.{_SIGN}{{10,}}"),
    Detector("bearer", r"(?i:\bbearer\s{1,4})([A-Za-z0-9._~+/=-]{20,})"),
    Detector("url-password", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"\\]{1,100}:([^\s:/@\"\\]{3,200})@"),
)
"""Always looked for."""

PERSONAL: Mapping[str, Detector] = {
    d.name: d
    for d in (
        Detector(
            "email", r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}\b"
        ),
        Detector("card", r"\b\d(?:[ -]?\d){12,18}\b", has_luhn),
        Detector("iban", r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}\b", has_iban_check),
        Detector("phone", r"(?:\+\d{1,3}[ .-]?)(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}\b", is_phone),
        Detector("us-ssn", r"\b\d{3}-\d{2}-\d{4}\b", is_us_social_security),
        Detector("aadhaar", r"\b[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}\b", has_verhoeff),
        Detector("de-tax", r"\b[1-9]\d{10}\b", is_german_tax_id),
        Detector("uk-nino", r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"),
        Detector("ip", r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b"),
    )
}
"""Looked for where a workspace asks, by name."""

_IBAN_LENGTHS: Mapping[str, int] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18,
    "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23,
    "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26,
    "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_VERHOEFF_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_VERHOEFF_P = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip
