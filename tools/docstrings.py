"""Docstrings as Markdown: of classes, and of their fields, which Python itself does not keep."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap


def field_docs(kind: type) -> dict[str, str]:
    """Return the text under each field of a class, by the field's name; fields without one are left out."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    docs = {}
    for field, text in itertools.pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
            docs[field.target.id] = markdown(text.value.value)
    return docs


def class_doc(kind: type) -> str:
    """Return a class's own docstring; an inherited one does not count."""
    return markdown(inspect.cleandoc(kind.__dict__.get("__doc__") or ""))


def markdown(text: str) -> str:
    """Turn the docstring's marks for code into Markdown's, and join the lines of a paragraph."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).replace("``", "`")


def cell(text: str) -> str:
    """Make a text fit into one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
