"""Names of the fields that hold secrets, and what is shown in their place.

Source: control-plane specification, sections 2.3 and 2.5.
"""

from __future__ import annotations

import re

KEY = "key"
"""The credential of an integration."""
CUSTOM_HEADERS = "custom_headers"
"""All custom headers together, as a JSON object of text."""
CONFIGURATIONS = "configurations."
"""Begins the name of a secret setting: ``configurations.aws_secret_access_key``."""
AUTH_CONFIG = "auth_config."
"""Begins the name of a secret setting of a secret reference."""

_SECRET_NAME = re.compile(
    r"secret|password|passwd|token|credential|private|service_account_json|api_?key|access_?key|connection_string|_key$",
    re.IGNORECASE,
)
_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie|credential|password", re.IGNORECASE)
_NOT_SECRET = frozenset({"secret_path", "secret_key"})
_STARS = "*****"
_SHORT = 12


def is_secret_setting(name: str) -> bool:
    """Tell whether a setting of a provider or vault holds a secret, by its name; a wrong yes costs only its display."""
    return name not in _NOT_SECRET and _SECRET_NAME.search(name) is not None


def is_secret_header(name: str) -> bool:
    """Tell whether a custom header's value is masked."""
    return _SECRET_HEADER.search(name) is not None


def mask(text: str) -> str:
    """Return what may be shown of a secret: at most its first three and last three characters.

    Of a short one nothing is shown, so that a mask never holds half of the secret.
    """
    if len(text) < _SHORT:
        return _STARS
    return f"{text[:3]}{_STARS}{text[-3:]}"


def is_mask(text: str) -> bool:
    """Tell whether a text is a mask: whoever sends one back would overwrite a secret with it."""
    return text == _STARS or (len(text) == 6 + len(_STARS) and text[3:-3] == _STARS)
