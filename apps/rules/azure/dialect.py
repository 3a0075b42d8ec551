"""Azure Policy's conditions. Source: Microsoft Learn, "Azure Policy definition structure: policy rule",
Conditions.

Every condition has its negation under its own name; the tree keeps the names, so that an explanation reads as
the author wrote it.
"""

from __future__ import annotations

import re

from apps.rules.azure.functions import FUNCTIONS
from apps.rules.azure.ordering import ORDERINGS
from apps.rules.azure.texts import fold, fold_sql, text_of, text_sql
from apps.rules.dialect import Dialect, Operator, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, TRUE, sql, text, texts
from apps.rules.sql.values import NotConstant, SqlValue, Truth
from apps.rules.tree import MISSING, JsonOrMissing

# --- equals, in ---------------------------------------------------------------------------------------------


def _equals(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return fold(text_of(left)) == fold(text_of(right))


def _equals_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    literal = _literal(right)
    if literal is None:
        return Truth(sql("{} = {}", fold_sql(left, scope), fold_sql(right, scope)))
    return Truth(sql("{} = {}", fold_sql(left, scope, literal), text(fold(literal))))


def _in(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    if not isinstance(right, list):
        raise EvaluationError("`in` needs an array")
    return fold(text_of(left)) in {fold(text_of(item)) for item in right}


def _in_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    choices = right.constant
    if isinstance(choices, list):
        folded = sorted({fold(text_of(item)) for item in choices})
        beside = "".join(folded)
        return Truth(sql("{} = any({})", fold_sql(left, scope, beside), texts(folded)))
    alias = scope.alias()
    array, item = right.json(), SqlValue("text", scope.local(f"{alias}.item"))
    holds = sql(
        "exists (select 1 from jsonb_array_elements_text(case when jsonb_typeof({}) = 'array' then {}"
        f" else jsonb_build_array() end) {alias}(item) where {{}} = {{}})",
        array,
        array,
        fold_sql(item, scope),
        fold_sql(left, scope),
    )
    return Truth(holds).guarded(sql("coalesce({} = 'array', false)", right.kind()))


# --- like, match --------------------------------------------------------------------------------------------


def _like(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    value, pattern = fold(text_of(left)), fold(text_of(right))
    if pattern.count("*") > 1:
        raise EvaluationError("a `like` pattern has at most one `*`")
    head, star, tail = pattern.partition("*")
    if not star:
        return value == head
    return len(value) >= len(head) + len(tail) and value.startswith(head) and value.endswith(tail)


def _like_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    pattern = _literal(right)
    if pattern is None:
        return _dynamic_like(left, right, scope)
    if pattern.count("*") > 1:
        return Truth(FALSE, FALSE)
    if "*" not in pattern:
        return _equals_sql(left, right, scope)
    if pattern == "*":
        return Truth(TRUE)
    escaped = re.sub(r"([\\%_])", r"\\\1", fold(pattern)).replace("*", "%")
    return Truth(sql("{} like {}", fold_sql(left, scope, pattern), text(escaped)))


def _dynamic_like(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    pattern = fold_sql(right, scope)
    escaped = pattern
    for special, instead in (("\\", "\\\\"), ("%", "\\%"), ("_", "\\_"), ("*", "%")):
        escaped = sql("replace({}, {}, {})", escaped, text(special), text(instead))
    one_star = sql("length({}) - length(replace({}, '*', '')) <= 1", pattern, pattern)
    return Truth(sql("{} like {}", fold_sql(left, scope), escaped)).guarded(one_star)


_WILDCARDS = {"#": "[0-9]", "?": "[A-Za-z]", ".": "."}


def match_pattern(pattern: str) -> str:
    """A `match` pattern as a regular expression that Python and PostgreSQL read alike, not anchored."""
    return "".join(_WILDCARDS.get(c) or (c if c.isalnum() or ord(c) > 127 else f"\\{c}") for c in pattern)


def _match(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return re.fullmatch(match_pattern(text_of(right)), text_of(left), re.DOTALL) is not None


def _match_insensitively(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    pattern = match_pattern(fold(text_of(right)))
    return re.fullmatch(pattern, fold(text_of(left)), re.DOTALL) is not None


def _match_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    pattern = match_pattern(_literal(right) or "")
    return Truth(sql("{} ~ {}", text_sql(left), text(f"^(?:{pattern})$")))


def _match_insensitively_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    pattern = match_pattern(fold(_literal(right) or ""))
    return Truth(sql("{} ~ {}", fold_sql(left, scope), text(f"^(?:{pattern})$")))


# --- contains, containsKey, exists --------------------------------------------------------------------------


def _contains(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return fold(text_of(right)) in fold(text_of(left))


def _contains_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    literal = _literal(right)
    if literal is None:
        return Truth(sql("strpos({}, {}) > 0", fold_sql(left, scope), fold_sql(right, scope)))
    if not literal:
        return Truth(TRUE)
    return Truth(sql("strpos({}, {}) > 0", fold_sql(left, scope, literal), text(fold(literal))))


def _contains_key(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return isinstance(left, dict) and fold(text_of(right)) in {fold(key) for key in left}


def _contains_key_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    alias, holder = scope.alias(), left.json()
    name = SqlValue("text", scope.local(f"{alias}.name"))
    return Truth(
        sql(
            "exists (select 1 from jsonb_object_keys(case when jsonb_typeof({}) = 'object' then {}"
            f" else jsonb_build_object() end) {alias}(name) where {{}} = {{}})",
            holder,
            holder,
            fold_sql(name, scope),
            fold_sql(right, scope),
        )
    )


def _exists(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return left is not MISSING and left is not None


def _exists_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    return Truth(sql("({} is not null)", left.text()))


def _is_true(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    if not isinstance(left, bool):
        raise EvaluationError("a condition is expected, true or false")
    return left


def _is_true_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    if left.form == "boolean":
        return Truth(left.expression)
    json = left.json()
    return Truth(sql("coalesce({} = 'true'::jsonb, false)", json)).guarded(
        sql("coalesce(jsonb_typeof({}) = 'boolean', false)", json)
    )


def _is_nested_type(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return text_of(left).count("/") > 1


def _is_nested_type_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    return Truth(sql("strpos(substr({}, strpos({}, '/') + 1), '/') > 0", text_sql(left), text_sql(left)))


# --- the vocabulary -----------------------------------------------------------------------------------------


def _literal(right: SqlValue) -> str | None:
    """The text of a right operand that is known, None of one that is not."""
    known = right.constant
    return None if isinstance(known, NotConstant) else text_of(known)


def _negated(operator: Operator) -> Operator:
    """The condition of the opposite outcome; an error stays one."""

    def evaluate(left: JsonOrMissing, right: JsonOrMissing) -> bool:
        return not operator.evaluate(left, right)

    def to_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
        return operator.to_sql(left, right, scope).inverted()

    missing_when = None if operator.missing_when is None else not operator.missing_when
    demands = (operator.demands[1], operator.demands[0])
    return Operator(evaluate, to_sql, demands, positive=False, missing_when=missing_when)


def _only_text(right: JsonOrMissing) -> frozenset[str] | None:
    literal = text_of(right)
    return frozenset({literal.lower()}) if literal.isascii() else None


def _only_texts(right: JsonOrMissing) -> frozenset[str] | None:
    literals = [text_of(item) for item in right] if isinstance(right, list) else []
    return frozenset(each.lower() for each in literals) if literals and "".join(literals).isascii() else None


def _only_like(right: JsonOrMissing) -> frozenset[str] | None:
    return None if "*" in text_of(right) else _only_text(right)


_PAIRS: dict[str, tuple[str, Operator]] = {
    "equals": (
        "notEquals",
        Operator(_equals, _equals_sql, ("must not be {}", "must be {}"), only=_only_text),
    ),
    "in": (
        "notIn",
        Operator(_in, _in_sql, ("must not be one of {}", "must be one of {}"), only=_only_texts),
    ),
    "like": (
        "notLike",
        Operator(_like, _like_sql, ("must not be like {}", "must be like {}"), only=_only_like),
    ),
    "match": ("notMatch", Operator(_match, _match_sql, ("must not match {}", "must match {}"))),
    "matchInsensitively": (
        "notMatchInsensitively",
        Operator(_match_insensitively, _match_insensitively_sql, ("must not match {}", "must match {}")),
    ),
    "contains": (
        "notContains",
        Operator(_contains, _contains_sql, ("must not contain {}", "must contain {}")),
    ),
    "containsKey": (
        "notContainsKey",
        Operator(_contains_key, _contains_key_sql, ("must not have the key {}", "must have the key {}")),
    ),
}


def _vocabulary() -> dict[str, Operator]:
    operators = dict(ORDERINGS)
    for name, (negation, operator) in _PAIRS.items():
        operators[name] = operator
        operators[negation] = _negated(operator)
    operators["exists"] = Operator(_exists, _exists_sql, ("must not exist", "must exist"), missing_when=False)
    operators["notExists"] = _negated(operators["exists"])
    operators["isTrue"] = Operator(_is_true, _is_true_sql, ("must be false", "must be true"))
    nested = ("must not be a nested type", "must be a nested type")
    operators["isNestedType"] = Operator(_is_nested_type, _is_nested_type_sql, nested)
    return operators


DIALECT = Dialect("azure", _vocabulary(), FUNCTIONS)

CONDITIONS: dict[str, str] = {
    name.lower(): name for name in DIALECT.operators if name != "notExists" and name[:2] != "is"
}
"""Names of conditions as authors write them, in any letter case → the operator's name."""
