"""Why a policy hit a resource, as a sentence made by the database, for hits only.

A reason names the leaves that decided, each as `name is value`, and says of a breach what must be:
`minimumTlsVersion is "TLS1_0", must be "TLS1_2"`. Conditions that only say which resources are meant (the
type) are left out where there is anything else to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, cast

from apps.rules.dialect import operator
from apps.rules.sql.fragment import Sql, join, sql, text
from apps.rules.tree import (
    Always,
    And,
    Compare,
    Not,
    Or,
    Quantify,
    Related,
    Rule,
    children,
)
from apps.rules.wording import SHOWN, demand, is_breach, is_scope, is_timed, name_of, related_name

if TYPE_CHECKING:
    from apps.rules.sql.translate import Translator

_WHOLE = "The policy applies to every resource of this kind."

LIMIT = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class _Told:
    """Part of a sentence that the database makes: text, never NULL, of at most so many characters."""

    expression: Sql
    most: int


_Words = tuple[str | _Told, ...]
"""A sentence: what is known beforehand, and what the database puts in between."""


@dataclass(frozen=True, slots=True)
class _Said:
    """Part of a sentence. `plain` states the fact, `demanding` adds what must be, where that adds
    anything."""

    plain: _Words
    demanding: _Words
    breach: bool = False
    scope: bool = False


def reason(tree: Rule, walker: Translator) -> Sql:
    """A text expression, never NULL, that says why the rule is true of the row, in `LIMIT` characters."""
    return _written(_sentence(parts) if (parts := _say(tree, walker, outcome=True)) else (_WHOLE,))


def no_answer(tree: Rule, walker: Translator) -> Sql:
    """A text expression, never NULL, that says which comparison had no answer, where the rule has none."""
    whens = [_undecided(leaf, walker) for leaf in _row_leaves(tree)]
    told = [when for when in whens if when is not None]
    if not told:
        return text(f"{_NO_ANSWER}.")
    whole = sql("{} || coalesce(case {} end, '') || '.'", text(_NO_ANSWER), join(" ", told))
    return _cut(whole, LIMIT)


def _written(words: _Words) -> Sql:
    """The sentence as one expression; it is cut only where it may be too long."""
    whole = _glued(words)
    if all(isinstance(word, str) for word in words):
        return text(str(whole.params[0])[:LIMIT])
    return whole if _length(words) <= LIMIT else _cut(whole, LIMIT)


def _cut(expression: Sql, most: int) -> Sql:
    """So many characters of a text. As a cast: left() counts the characters even of what has fewer bytes."""
    return sql(f"({{}})::varchar({most:d})::text", expression)


def _glued(words: _Words) -> Sql:
    """The sentence as one expression. What is known beforehand is one text wherever it can be."""
    pieces: list[Sql] = []
    for known, run in groupby(words, key=lambda word: isinstance(word, str)):
        if known:
            pieces.append(text("".join(map(str, run))))
        else:
            pieces += [word.expression for word in run if isinstance(word, _Told)]
    return join(" || ", pieces)


def _length(words: _Words) -> int:
    return sum(len(word) if isinstance(word, str) else word.most for word in words)


_NO_ANSWER = "The rule has no answer for this resource"


def _row_leaves(node: Rule) -> Iterator[Compare]:
    """The leaves that read the row, not elements of its arrays."""
    if isinstance(node, Compare):
        yield node
    elif isinstance(node, And | Or | Not):
        for part in children(node):
            yield from _row_leaves(cast(Rule, part))


def _undecided(leaf: Compare, walker: Translator) -> Sql | None:
    truth = walker.truth(leaf)
    if truth.fails is None:
        return None
    right = name_of(leaf.right)
    return sql(
        "when not ({}) and not ({}) then {} || {} || {}",
        truth.holds,
        truth.fails,
        text(f": {name_of(leaf.left)} is "),
        _seen(leaf, walker),
        text(f" where it is compared with {right}"),
    )


def _sentence(parts: list[_Said]) -> _Words:
    telling = [part for part in parts if not part.scope] or parts
    breached = any(part.breach for part in telling)
    said: list[str | _Told] = []
    for part in telling[:-1]:
        said += [*(part.demanding if part.breach else part.plain), "; "]
    last = telling[-1]
    return (*said, *(last.demanding if last.breach or not breached else last.plain))


def _say(node: Rule, walker: Translator, *, outcome: bool) -> list[_Said]:
    match node:
        case Not(item):
            return _say(item, walker, outcome=not outcome)
        case And(items) | Or(items):
            conjunctive = isinstance(node, And) is outcome
            return (_every if conjunctive else _first)(items, walker, outcome=outcome)
        case Compare():
            return [_leaf(node, walker, outcome=outcome)]
        case Quantify():
            return [_quantified(node, walker, outcome=outcome)]
        case Related():
            there = "there is a " if outcome else "there is no "
            return [_fixed(there + related_name(node) + " that meets the condition", breach=True)]
        case Always():
            return []


def _fixed(words: str, *, breach: bool = False) -> _Said:
    return _Said((words,), (words,), breach=breach)


def _every(items: tuple[Rule, ...], walker: Translator, *, outcome: bool) -> list[_Said]:
    return [part for item in items for part in _say(item, walker, outcome=outcome)]


def _first(items: tuple[Rule, ...], walker: Translator, *, outcome: bool) -> list[_Said]:
    """What is said of the first item that has the outcome."""
    otherwise = "another condition is met"
    branches: list[Sql] = []
    scope, most = True, len(otherwise)
    for item in items:
        parts = _say(item, walker, outcome=outcome)
        if not parts:
            continue
        truth, sentence = walker.truth(item), _sentence(parts)
        branches.append(sql("when {} then {}", truth.holds if outcome else truth.false, _glued(sentence)))
        scope, most = scope and all(part.scope for part in parts), max(most, _length(sentence))
    if not branches:
        return []
    chosen = _Told(sql("case {} else {} end", join(" ", branches), text(otherwise)), most)
    return [_Said((chosen,), (chosen,), breach=not scope, scope=scope)]


def _leaf(node: Compare, walker: Translator, *, outcome: bool) -> _Said:
    name = name_of(node.left)
    if operator(node.dialect, node.op).missing_when is outcome:
        plain: _Words = (f"{name} is missing",)
    elif is_timed(node.left):
        plain = (name,)
    else:
        plain = (f"{name} is ", _Told(_seen(node, walker), SHOWN))
    demanding = (*plain, f", {demand(node, outcome=outcome)}")
    return _Said(plain, demanding, breach=is_breach(node, outcome=outcome), scope=is_scope(node))


def _seen(node: Compare, walker: Translator) -> Sql:
    """The left operand as it is shown."""
    seen = walker.value(node.left)
    # As JSON writes a text, without making jsonb of it.
    json = sql("to_json({})", seen.text()) if seen.form == "text" else walker.share(seen.json())
    written = sql("coalesce({}, 'missing')", _cut(sql("({})::text", json), SHOWN))
    return (
        written if seen.valid is None else sql("case when {} then {} else 'unknown' end", seen.valid, written)
    )


def _quantified(node: Quantify, walker: Translator, *, outcome: bool) -> _Said:
    name = name_of(node.over)
    existential = (node.kind == "any") is outcome
    if not existential:
        words = (
            f"no element of {name} meets the condition" if node.kind == "any" else f"every element of {name}"
        )
        return _fixed(
            words if node.kind == "any" else words + " meets the condition", breach=node.kind == "any"
        )
    source, body, parts = walker.witness(node, lambda rule: _say(rule, walker, outcome=outcome))
    condition = body.holds if outcome else body.false
    if not parts:
        return _fixed(f"{name} has an element")
    sentence = _sentence(parts)
    said = sql(
        "coalesce((select {} from {} where {} limit 1), '')",
        _glued(sentence),
        source,
        condition,
    )
    found: _Words = (f"in {name}: ", _Told(said, _length(sentence)))
    return _Said(found, found, breach=True)
