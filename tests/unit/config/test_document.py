import ast
from pathlib import Path

import msgspec
import pytest

from lockgate import config
from lockgate.config import document

STRUCTS = [
    s
    for s in vars(document).values()
    if isinstance(s, type) and issubclass(s, msgspec.Struct) and s is not msgspec.Struct
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_every_setting_has_a_line_for_the_reference(struct):
    tree = ast.parse(Path(document.__file__).read_text())
    node = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == struct.__name__)
    body = list(node.body[1:])
    if struct is config.Document:
        return
    for field, doc in zip(body[::2], body[1::2], strict=True):
        assert isinstance(field, ast.AnnAssign)
        assert isinstance(doc, ast.Expr), field.target.id


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_unknown_keys_are_refused_everywhere(struct):
    assert struct.__struct_config__.forbid_unknown_fields
    assert struct.__struct_config__.frozen
