"""What may be kept of a request beside its record: the modes, and the rules of what is taken out.

Pure data, for who configures it, who collects bodies and who redacts them.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from msgspec import Struct, structs

from lockgate.core.json_path import read_path

BodyMode: TypeAlias = Literal["full", "redacted", "metrics_only", "off"]
"""full: bodies without secrets; redacted: also without personal data and what rules name; metrics_only: no content;
off: of what a client wrote freely nothing at all, neither metadata nor names."""
PersonalKind: TypeAlias = Literal["aadhaar", "card", "de-tax", "email", "iban", "ip", "phone", "uk-nino", "us-ssn"]
"""What ``redacted`` can look for."""
PERSONAL_KINDS: tuple[str, ...] = get_args(PersonalKind)


class Rules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may be kept, and what is taken out of it."""

    mode: BodyMode = "full"
    personal: tuple[str, ...] = ()
    """Of ``PERSONAL_KINDS``; what they find is redacted in every mode but ``full``."""
    action: Literal["mask", "hash"] = "mask"
    salt: bytes = b""
    """Of the hashes, so that equal values can be told apart from guessed ones."""
    drop_paths: tuple[str, ...] = ()
    """Paths into JSON bodies that are cut out, such as ``metadata.ssn`` or ``messages[*].name``."""
    sensitive_headers: tuple[str, ...] = ()
    """Further headers, of which only a hash stays."""

    def __post_init__(self) -> None:
        """Raises ValueError for a detector or a path that does not exist."""
        for name in self.personal:
            if name not in PERSONAL_KINDS:
                raise ValueError(f"there is no detector {name!r}; there are {', '.join(PERSONAL_KINDS)}")
        for path in self.drop_paths:
            read_path(path)

    @property
    def keeps_content(self) -> bool:
        """Whether bodies are kept at all."""
        return self.mode in ("full", "redacted")


DEFAULT = Rules()


class Recording(Struct, frozen=True, kw_only=True):
    """What holds for a request, and who said so."""

    rules: Rules = DEFAULT
    source: str = "configuration"
    """configuration, organisation, workspace, key, or header (of the request)."""
    is_enforced: bool = False
    """Whether a header of the request changes nothing."""

    def for_request(self, *, is_refused: bool) -> Recording:
        """Return what holds for a request that may refuse to be kept."""
        if not is_refused or self.is_enforced or not self.rules.keeps_content:
            return self
        return Recording(rules=structs.replace(self.rules, mode="metrics_only"), source="header")


NO_RECORDING = Recording(rules=Rules(mode="metrics_only"))
"""Where nothing is kept but records."""
