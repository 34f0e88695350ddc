"""What the config header holds."""

from __future__ import annotations

import base64

import pytest

from lockgate.config.routes import ConfigReference, read_reference


@pytest.mark.parametrize(
    "value, text, id",
    [
        ('{"a":1}', b'{"a":1}', None),
        ('  {"a":"é"} ', '{"a":"é"}'.encode(), None),
        ("{not json", b"{not json", None),
        ("pc-abc", None, "pc-abc"),
        (" cf-abc ", None, "cf-abc"),
        ("[1]", None, "[1]"),
    ],
)
def test_text_that_begins_with_a_brace_is_a_config_and_other_text_an_id(value, text, id):
    assert read_reference(value) == ConfigReference(text=text, id=id)


def test_nothing_is_no_reference():
    assert read_reference("  ") is None


@pytest.mark.parametrize(
    "id, expected",
    [
        (base64.b64encode(b'{"provider":"@a"}').decode(), b'{"provider":"@a"}'),
        (base64.b64encode(b' {"a":1}').decode(), b'{"a":1}'),
        (base64.b64encode(b"text").decode(), None),
        ("pc-abc", None),
        ("été", None),
    ],
)
def test_an_id_that_nobody_knows_may_be_a_config_in_base64(id, expected):
    assert ConfigReference(id=id).decoded() == expected
    assert ConfigReference(text=b"{}").decoded() is None
