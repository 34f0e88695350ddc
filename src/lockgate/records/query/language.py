"""The language of the search box: ``status>=500 model:claude* cost>0.05 meta.team=search -cache:hit "refund policy"``.

    query   = branch ( "OR" branch )*          terms side by side must all hold
    branch  = term+
    term    = "-"? ( "(" query ")" | clause | text )
    clause  = field operator values            no space around the operator
    values  = value ( "," value )*  |  low ".." high  |  "*"        * : the field is there
    value   = word | '"' with \\" and \\\\ '"'
    text    = word | '"' ... '"'               searched in previews, bodies' text and error messages

Operators: ``:`` and ``=`` equal (``*`` in a word stands for anything), ``!=``, ``<``, ``<=``, ``>``, ``>=``,
``~`` regular expression, ``!~``, ``*=`` contains, ``!*=``, ``^=`` begins, ``$=`` ends. A field that does not exist is
an error at its token, as is a value of the wrong kind; text with such signs in it wants quotes.
"""

from __future__ import annotations

import re

from lockgate.errors import BadFilter
from lockgate.records.query.fields import Field, between, compare, find_field, read_value
from lockgate.records.query.tree import EVERYTHING, Compare, Node, Not, Text, all_of, any_of

MAX_CHARS = 20_000
_MAX_DEPTH = 50
_OPERATOR = re.compile(r"(!~|!\*=|!=|<=|>=|\*=|\^=|\$=|[:=<>~])")
_NAME = re.compile(r'[A-Za-z_][\w-]*(?:\.(?:"(?:[^"\\]|\\.)*"|[^\s:=<>~!*^$(),"]+))*')
_WORD = re.compile(r'[^\s(),"]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_GLOB = re.compile(r"[*]")
_SPACE = re.compile(r"\s*")
_OR = re.compile(r"OR(?=[\s(]|$)")
_KEY = "key"
_KEY_NAME = Field("api_key_name", "text")
_RE2_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def parse(text: str, *, now_us: int = 0) -> Node:
    """Return the tree of a query; nothing selects everything. Raises BadFilter, which names the token.

    ``now_us`` is what relative times such as ``time>-24h`` count from.
    """
    if len(text) > MAX_CHARS:
        raise BadFilter(f"The query is longer than {MAX_CHARS} characters", start=MAX_CHARS, end=len(text))
    parser = _Parser(text, now_us)
    node = parser.query(0)
    if parser.at < len(text):
        raise BadFilter("There is a ) without a (", start=parser.at, end=parser.at + 1)
    return node


class _Value:
    """A value as it was typed: whether it stood in quotes decides what a star in it means."""

    def __init__(self, text: str, is_quoted: bool) -> None:
        self.text = text
        self.is_quoted = is_quoted


class _Parser:
    def __init__(self, text: str, now_us: int) -> None:
        self.text = text
        self.at = 0
        self._now_us = now_us
        self._skip_space()

    def query(self, depth: int) -> Node:
        """Read branches up to a closing bracket or the end."""
        if depth > _MAX_DEPTH:
            raise BadFilter(f"Brackets nest deeper than {_MAX_DEPTH}", start=self.at, end=self.at + 1)
        branches = [self._branch(depth)]
        while found := _OR.match(self.text, self.at):
            start = self.at
            self.at = found.end()
            self._skip_space()
            branch = self._branch(depth)
            if branches[-1] is EVERYTHING or branch is EVERYTHING:
                raise BadFilter("OR wants a condition on both sides", start=start, end=start + 2)
            branches.append(branch)
        return any_of(*branches)

    def _branch(self, depth: int) -> Node:
        nodes: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] != ")" and not _OR.match(self.text, self.at):
            nodes.append(self._term(depth))
            self._skip_space()
        return all_of(*nodes) if nodes else EVERYTHING

    def _term(self, depth: int) -> Node:
        if self.text[self.at] == "-" and self.at + 1 < len(self.text) and not self.text[self.at + 1].isspace():
            self.at += 1
            return Not(self._positive(depth))
        return self._positive(depth)

    def _positive(self, depth: int) -> Node:
        start = self.at
        if self.text[start] == "(":
            self.at += 1
            self._skip_space()
            node = self.query(depth + 1)
            if self.at >= len(self.text):
                raise BadFilter("A ( is not closed", start=start, end=start + 1)
            self.at += 1
            return node
        name = _NAME.match(self.text, start)
        operator = _OPERATOR.match(self.text, name.end()) if name else None
        if name and operator:
            return self._clause(name[0], operator[1], start, operator.end())
        return Text(self._value().text)

    def _clause(self, name: str, operator: str, start: int, at: int) -> Node:
        field = find_field(_unquote(name))
        if field is None:
            raise BadFilter(
                f"There is no field {name!r}; put quotes around text that holds {operator}",
                start=start,
                end=start + len(name),
            )
        self.at = at
        if at >= len(self.text) or self.text[at].isspace():
            raise BadFilter(f"{name}{operator} wants a value, without a space before it", start=start, end=at)
        values = [self._value()]
        while self.text.startswith(",", self.at):
            self.at += 1
            values.append(self._value())
        try:
            operator = "=" if operator == ":" else operator
            found = self._compare(field, operator, values)
            if name != _KEY:
                return found
            # people know a key by its name, programs by its id
            both = all_of if operator.startswith("!") else any_of
            return both(found, self._compare(_KEY_NAME, operator, values))
        except ValueError as error:
            raise BadFilter(f"{name}: {error}", start=start, end=self.at) from None

    def _compare(self, field: Field, operator: str, values: list[_Value]) -> Node:
        if operator not in ("=", "!="):
            return compare(field, operator, tuple(value.text for value in values), now_us=self._now_us)
        plain = tuple(v.text for v in values if v.is_quoted or not self._is_special(field, v.text))
        special = [v.text for v in values if not v.is_quoted and self._is_special(field, v.text)]
        nodes: list[Node] = [compare(field, "=", plain, now_us=self._now_us)] if plain else []
        nodes += [self._special(field, text) for text in special]
        found = any_of(*nodes)
        return Not(found) if operator == "!=" else found

    def _is_special(self, field: Field, text: str) -> bool:
        if text == "*":
            return True
        return ".." in text if field.kind in ("int", "float") else bool(field.kind != "bool" and _GLOB.search(text))

    def _special(self, field: Field, text: str) -> Node:
        if text == "*":
            return compare(field, "exists", ())
        if field.kind in ("int", "float"):
            low, _, high = text.partition("..")
            ends = [read_value(field, end, self._now_us) for end in (low, high)]
            return all_of(*between(field, *ends))
        if field.kind == "list":
            raise ValueError("a star cannot stand for a part of a list's item")
        return _glob(field, text)

    def _value(self) -> _Value:
        start = self.at
        if self.text.startswith('"', start):
            found = _QUOTED.match(self.text, start)
            if not found:
                raise BadFilter("A quote is not closed", start=start, end=len(self.text))
            self.at = found.end()
            return _Value(_ESCAPE.sub(r"\1", found[1]), is_quoted=True)
        word = _WORD.match(self.text, start)
        if not word:
            raise BadFilter("A word is expected here", start=start, end=min(start + 1, len(self.text)))
        self.at = word.end()
        return _Value(word[0], is_quoted=False)

    def _skip_space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        assert found
        self.at = found.end()


def _unquote(name: str) -> str:
    return re.sub(r'"((?:[^"\\]|\\.)*)"', lambda m: _ESCAPE.sub(r"\1", m[1]), name)


def _glob(field: Field, text: str) -> Compare:
    inner = text.strip("*")
    if "*" not in inner:
        starts, ends = text.startswith("*"), text.endswith("*")
        return Compare(
            field.column, "contains" if starts and ends else "ends" if starts else "starts", (inner,), field.key
        )
    pattern = "".join("(?s:.*)" if part == "*" else _RE2_SPECIAL.sub(r"\\\1", part) for part in re.split(r"(\*)", text))
    return Compare(field.column, "matches", (f"^{pattern}$",), field.key)
