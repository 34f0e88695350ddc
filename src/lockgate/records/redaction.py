"""The one place that decides what of a request may touch a disk. Pure: bytes and rules in, bytes and counts out.

Gateway, inserted logs, batches and replays all come through here before anything is queued, previewed, hashed or
written. Keys of headers never stay; secrets in bodies are replaced by default, personal data by a workspace's rules.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec
import re2
from msgspec import Struct

from lockgate.core.json_path import read_path, remove_path
from lockgate.core.recording import DEFAULT as DEFAULT
from lockgate.core.recording import BodyMode as BodyMode
from lockgate.core.recording import Rules as Rules
from lockgate.records.detectors import PERSONAL, SECRETS, Detector

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

NEVER_KEPT = frozenset({
    b"authorization", b"x-api-key", b"api-key", b"cookie", b"set-cookie", b"proxy-authorization", b"x-portkey-api-key",
    b"x-amz-security-token", b"x-goog-api-key", b"x-portkey-config", b"x-portkey-aws-access-key-id",
    b"x-portkey-aws-secret-access-key", b"x-portkey-aws-session-token", b"x-portkey-vertex-service-account-json",
    b"x-portkey-virtual-key", b"x-portkey-azure-api-key", b"x-lockgate-api-key", b"ocp-apim-subscription-key",
})  # fmt: skip
"""Headers whose value is a credential, or holds some."""
_NO_CREDENTIALS = frozenset({b"cookie", b"set-cookie", b"x-portkey-config", b"x-portkey-virtual-key"})
"""Of them, those whose value is not one credential and nothing else."""
_KNOWN = b"[SECRET:credential]"
_MIN_CREDENTIAL = 8
_SUSPECT = re.compile(rb"(?:api[-_]?key|secret|token|password|authorization|credential)", re.IGNORECASE)
_SIGNED = re.compile(
    rb"([?&](?:x-amz-[a-z-]*|x-goog-[a-z-]*|sig|signature|token|key|api[-_]?key|access_token|awsaccesskeyid|"
    rb"googleaccessid|policy)=)[^&#\s\"'\\]+",
    re.IGNORECASE,
)
_ESCAPED = re.compile(rb"\\u00([2-7][0-9a-fA-F])|\\/")
_KEPT_ESCAPES = (0x22, 0x5C, 0x7F)
_BARE_BEFORE, _BARE_AFTER = b":,[ \t\r\n", b",]} \t\r\n"
_LAST = 4
_MAX_VALUE = 4096
_JOINED_BYTES = 256 * 1024
_decode_any = msgspec.json.Decoder().decode


class Redacted(Struct, frozen=True):
    """What may be kept, and how much of each kind was taken out."""

    data: bytes
    counts: Mapping[str, int] = {}


def redact(data: bytes, rules: Rules = DEFAULT, known: Sequence[bytes] = ()) -> Redacted:
    """Return a body, or any text, as it may be kept; JSON stays JSON, and bytes without findings stay as they are.

    ``known`` are credentials of this request, whatever they look like.
    """
    if rules.mode == "redacted" and rules.drop_paths:
        data = _drop(data, rules.drop_paths)
    data, count = _without_known(data, known)
    found = redact_words(data, rules)
    return Redacted(found.data, {**found.counts, "credential": count}) if count else found


def redact_words(data: bytes, rules: Rules = DEFAULT) -> Redacted:
    """The same for what is no body: paths of bodies do not matter."""
    plan = _plan(rules.personal if rules.mode != "full" else ())
    found = _replace(data, plan, rules)
    if b"\\u00" in data or b"\\/" in data:
        # an encoder may write any sign of a key as an escape
        plain = _ESCAPED.sub(_unescape, data)
        again = _replace(plain, plan, rules)
        if sum(again.counts.values()) > sum(found.counts.values()):
            return again
    return found


def is_clean(parts: Sequence[bytes], rules: Rules = DEFAULT, known: Sequence[bytes] = ()) -> bool:
    """Tell that ``redact`` would return each of these as it is; False may also mean that nobody knows.

    Small ones, which most are, are looked through in one go.
    """
    return not (rules.mode == "redacted" and rules.drop_paths) and _has_nothing(parts, rules, known)


def _has_nothing(parts: Sequence[bytes], rules: Rules, known: Sequence[bytes] = ()) -> bool:
    if sum(map(len, parts)) > _JOINED_BYTES:
        return False
    # what is found in a part is found here too: to the patterns a NUL is what the end of a text is
    joined = b"\x00".join(parts)
    if b"\\u00" in joined or b"\\/" in joined or any(secret in joined for secret in known):
        return False
    return _plan(rules.personal if rules.mode == "redacted" else ()).any.search(joined) is None


def credentials_in(headers: Headers, more: Headers = ()) -> list[bytes]:
    """Return what headers bring of credentials, without the words before them; those too short to be one are not."""
    parts = [value.rpartition(b" ")[2] for name, value in (*headers, *more) if _is_credential(name)]
    return sorted({part for part in parts if len(part) >= _MIN_CREDENTIAL}, key=len, reverse=True)


def without(headers: Headers, known: Sequence[bytes]) -> Headers:
    """Return headers without credentials in their values."""
    if not known:
        return headers
    joined = b"\x00".join([value for _, value in headers])
    if not any(secret in joined for secret in known):
        return headers
    return [(name, _without_known(value, known)[0]) for name, value in headers]


def _without_known(data: bytes, known: Sequence[bytes]) -> tuple[bytes, int]:
    count = 0
    for secret in known:
        forms = (secret, secret.replace(b"/", b"\\/")) if b"/" in secret else (secret,)
        for form in forms:
            found = data.count(form)
            if found:
                data, count = data.replace(form, _KNOWN), count + found
    return data, count


def redact_text(text: str, rules: Rules = DEFAULT) -> str:
    """Return a text as it may be kept: a metadata value, an error message, a user agent."""
    found = redact_words(text.encode("utf-8", "surrogatepass"), rules)
    return text if not found.counts else found.data.decode("utf-8", "replace")


def redact_headers(headers: Headers, rules: Rules = DEFAULT, *, are_clean: bool = False) -> list[tuple[str, str]]:
    """Return headers as they may be kept: credentials go, sensitive ones leave the first eight digits of a hash.

    ``are_clean``: the values that stay were looked through already.
    """
    sensitive = {name.lower().encode() for name in rules.sensitive_headers} if rules.sensitive_headers else ()
    kept: list[tuple[str, bytes]] = []
    for name, value in headers:
        key, shown, fate = _fate(name)
        if fate == "keep" and key not in sensitive:
            kept.append((shown, value[:_MAX_VALUE]))
        elif fate != "drop":
            kept.append((shown, b"sha256:" + hashlib.sha256(rules.salt + value).hexdigest()[:8].encode()))
    values = [value for _, value in kept]
    if not any(b"=" in value for value in values) and (are_clean or _has_nothing(values, rules)):
        return [(name, value.decode("utf-8", "replace")) for name, value in kept]
    return [(name, redact_words(redact_url(value), rules).data.decode("utf-8", "replace")) for name, value in kept]


@lru_cache(maxsize=2048)
def _is_credential(name: bytes) -> bool:
    return _fate(name)[2] != "keep" and name.lower() not in _NO_CREDENTIALS


@lru_cache(maxsize=2048)
def _fate(name: bytes) -> tuple[bytes, str, Literal["drop", "hash", "keep"]]:
    key = name.lower()
    fate: Literal["drop", "hash", "keep"] = "keep"
    if key in NEVER_KEPT:
        fate = "drop"
    elif _SUSPECT.search(key):
        fate = "hash"
    return key, key.decode("latin-1"), fate


def redact_url(url: bytes) -> bytes:
    """Return a URL without what signs it."""
    return _SIGNED.sub(rb"\1[SECRET]", url)


def redact_metadata(metadata: Mapping[str, str], rules: Rules = DEFAULT) -> Mapping[str, str]:
    """Return metadata as it may be kept; the same object when there is nothing to redact."""
    if not metadata:
        return metadata
    joined = "\x00".join((*metadata, *metadata.values())).encode("utf-8", "surrogatepass")
    if not redact_words(joined, rules).counts:
        return metadata
    return {redact_text(key, rules): redact_text(value, rules) for key, value in metadata.items()}


class _Plan(Struct, frozen=True):
    """Detectors as they are run: one pattern that finds whether there is anything, then each by itself."""

    any: re2._Regexp[bytes]
    each: tuple[tuple[str, Detector, re2._Regexp[bytes]], ...]


@lru_cache(maxsize=64)
def _plan(personal: tuple[str, ...]) -> _Plan:
    detectors = [("SECRET", d) for d in SECRETS] + [("PII", PERSONAL[name]) for name in personal]
    options = re2.Options()
    options.max_mem = 64 << 20
    options.never_capture = True
    whole = re2.compile("|".join(f"(?:{d.pattern})" for _, d in detectors).encode(), options)
    return _Plan(whole, tuple((kind, d, re2.compile(d.pattern.encode())) for kind, d in detectors))


def _replace(data: bytes, plan: _Plan, rules: Rules) -> Redacted:
    if plan.any.search(data) is None:
        return Redacted(data)
    counts: dict[str, int] = {}
    after = _run(data, plan, rules, counts, is_bare_quoted=False)
    if counts and data.lstrip()[:1] in (b"{", b"[") and not _is_json(after) and _is_json(data):
        # a bare number of a card became a word: it wants quotes
        counts = {}
        after = _run(data, plan, rules, counts, is_bare_quoted=True)
    return Redacted(after, counts)


def _run(data: bytes, plan: _Plan, rules: Rules, counts: dict[str, int], *, is_bare_quoted: bool) -> bytes:
    for kind, detector, regex in plan.each:
        pieces: list[bytes] = []
        at = 0
        for found in regex.finditer(data):
            group = 1 if regex.groups else 0
            start, end = found.span(group)
            if start < at or (detector.check is not None and not detector.check(found[group])):
                continue
            mark = _mark(kind, detector.name, found[group], rules)
            if is_bare_quoted and _is_bare(data, start, end):
                mark = b'"' + mark + b'"'
            pieces += (data[at:start], mark)
            at = end
            counts[detector.name] = counts.get(detector.name, 0) + 1
        if pieces:
            data = b"".join((*pieces, data[at:]))
    return data


def _mark(kind: str, name: str, value: bytes, rules: Rules) -> bytes:
    if kind == "SECRET":
        last = re.sub(rb"[^A-Za-z0-9]", b"", value[-2 * _LAST :])[-_LAST:] if name != "private-key" else b""
        return b"[SECRET:%b:%b]" % (name.encode(), last) if last else b"[SECRET:%b]" % name.encode()
    if rules.action == "hash":
        return b"[PII:%b:%b]" % (name.encode(), hmac.new(rules.salt, value, hashlib.sha256).hexdigest()[:12].encode())
    return b"[PII:%b]" % name.encode()


def _is_bare(data: bytes, start: int, end: int) -> bool:
    before, after = data[:start][-1:], data[end : end + 1]
    return data[start:end].isdigit() and (not before or before in _BARE_BEFORE) and (not after or after in _BARE_AFTER)


def _is_json(data: bytes) -> bool:
    try:
        _decode_any(data)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _drop(data: bytes, paths: Iterable[str]) -> bytes:
    if not _is_json(data):
        # rules that cannot be kept must not be passed by: nothing of the body stays
        return b'"[DROPPED: not JSON]"' if data else data
    for path in paths:
        data = remove_path(data, read_path(path))
    return data


def _unescape(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        return b"/"
    code = int(found[1], 16)
    return found[0] if code in _KEPT_ESCAPES else bytes((code,))
