"""The template language inside policy strings: "[concat('a', parameters('b'))]" to a small syntax tree.

Source: Microsoft Learn, "Template functions" and "Understand the structure and syntax of ARM templates",
Expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from apps.rules.errors import InvalidPolicy

MAX_LENGTH = 20_000
MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name` or `base[index]`."""

    base: Expression
    index: Expression


Expression = Literal | Call | Member

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w]*)|(?P<mark>[()\[\],.]))"
)
_WORDS = {"true": True, "false": False, "null": None}


def is_expression(value: str) -> bool:
    """Whether a string is a template expression: "[...]", and not "[[..." (which stands for a literal
    "[...")."""
    return value.startswith("[") and value.endswith("]") and not value.startswith("[[")


def unescape(value: str) -> str:
    """The literal that a string stands for that is no expression."""
    return value[1:] if value.startswith("[[") else value


def parse(value: str, at: str) -> Expression:
    """The syntax tree of an expression string. Raises `InvalidPolicy` naming `at`."""
    if len(value) > MAX_LENGTH:
        raise InvalidPolicy(at, f"the expression is longer than {MAX_LENGTH} characters")
    return _Parser(value[1:-1], at).whole()


class _Parser:
    def __init__(self, text: str, at: str) -> None:
        self._at = at
        self._tokens = self._tokenise(text)
        self._next = 0
        self._depth = 0

    def _tokenise(self, text: str) -> list[tuple[str, str]]:
        tokens, position = [], 0
        text = text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise self._wrong(f"`{text[position : position + 20]}` is not understood")
            tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
            position = found.end()
        return tokens

    def _wrong(self, why: str) -> InvalidPolicy:
        return InvalidPolicy(self._at, f"the expression cannot be read: {why}")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "the end")

    def _take(self, mark: str = "") -> tuple[str, str]:
        token = self._peek()
        if mark and token != ("mark", mark):
            raise self._wrong(f"`{mark}` is expected before {token[1][:20]}")
        self._next += 1
        return token

    def whole(self) -> Expression:
        result = self._expression()
        if self._peek()[0] != "end":
            raise self._wrong(f"{self._peek()[1][:20]} is not expected")
        return result

    def _expression(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"it is nested deeper than {MAX_DEPTH}")
        result = self._primary()
        while self._peek() in (("mark", "."), ("mark", "[")):
            result = self._member(result)
        self._depth -= 1
        return result

    def _primary(self) -> Expression:
        kind, token = self._take()
        if kind == "text":
            return Literal(token[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal(float(token) if "." in token else int(token))
        if kind == "name":
            if self._peek() == ("mark", "("):
                return Call(token, self._arguments())
            if token.lower() in _WORDS:
                return Literal(_WORDS[token.lower()])
        raise self._wrong(f"a value is expected before {token[:20]}")

    def _arguments(self) -> tuple[Expression, ...]:
        self._take("(")
        args: list[Expression] = []
        while self._peek() != ("mark", ")"):
            if args:
                self._take(",")
            args.append(self._expression())
        self._take(")")
        return tuple(args)

    def _member(self, base: Expression) -> Expression:
        if self._take()[1] == ".":
            kind, name = self._take()
            if kind != "name":
                raise self._wrong("a name is expected after the dot")
            return Member(base, Literal(name))
        index = self._expression()
        self._take("]")
        return Member(base, index)
