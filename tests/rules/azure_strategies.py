"""Random Azure policy rules, and resources whose values often meet them and are often of the wrong kind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from apps.rules.evaluate import Resource

STORAGE = "Microsoft.Storage/storageAccounts"
SCALAR_FIELDS = [
    "name",
    "location",
    "kind",
    "id",
    "tags.env",
    "tags['Cost Center']",
    "tags",
    f"{STORAGE}/accessTier",
    f"{STORAGE}/networkAcls.defaultAction",
    f"{STORAGE}/networkAcls",
    f"{STORAGE}/networkAcls.ipRules",
]
ARRAY_FIELDS = [f"{STORAGE}/networkAcls.ipRules[*]", f"{STORAGE}/networkAcls.ipRules[*].value"]
LITERALS = [
    "",
    "a",
    "A",
    "prod",
    "PROD",
    "5",
    "5.0",
    "true",
    "null",
    "10.0.0.1",
    "Köln",
    "KÖLN",
    "ÄÖ",
    "İ",
    "\u212a",
    "a*b",
    "50%",
    "a_b",
    "a\\b",
    "$1",
    "%s",
    "'",
    '"',
    "{}",
    "[]",
    "2026-01-01",
    "2026-01-01T00:00:00Z",
    "2025-12-31T23:30:00-01:00",
    "2026-02-30",
    "2026-01-01 00:00:00.1234567",
    "a\nb",
    " a ",
    "east us 2",
    "12ab",
    "a/b/c",
    "x;y",
    "10.0.0.0/8",
    "10.0.0.0 - 10.0.0.255",
    "10.0.0.9-10.0.0.1",
    "10.0.0.1/33",
    "2001:DB8::/32",
    "2001:db8::1",
    "::-ffff::",
    "1:2:3:4:5:6:7::",
    "::1-10.0.0.1",
]
PATTERNS = ["*", "a*", "*b", "p*d", "5%*", "a_*", "a\\*", "A", "", "*Ö*"[:2], "10.*"]
MATCHES = ["##", "??", "#?", "..", "a.b", "####-##-##", "a\\b", "50%", "(a|b)", "[a]", "prod", "^a$", ""]

texts = st.sampled_from(LITERALS) | st.text(
    st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=4
)
numbers = st.sampled_from([0, 1, 5, -1, 7, Decimal("5.0"), Decimal("5.5"), Decimal("0.0000001"), 10**20])
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "Value", "a", "action", "x y"]), inner, max_size=3)
    ),
    max_leaves=6,
)
elements = values | st.fixed_dictionaries({}, optional={"value": values, "action": values})


@st.composite
def resources(draw: st.DrawFn, number: int = 0) -> Resource:
    """A storage account, as its API might give it on a bad day."""
    acls = draw(
        values
        | st.fixed_dictionaries(
            {}, optional={"defaultAction": values, "ipRules": st.lists(elements, max_size=3) | values}
        )
    )
    inner = draw(
        values | st.fixed_dictionaries({"networkAcls": st.just(acls)}, optional={"accessTier": values})
    )
    document = draw(st.fixed_dictionaries({"properties": st.just(inner)}, optional={"kind": values}))
    names = st.sampled_from(["env", "Env", "ENV", "cost center", "Cost Center"])
    return Resource(
        id=f"r{number}",
        native_id=draw(st.none() | texts),
        provider="azure",
        type=draw(st.sampled_from([STORAGE.lower()] * 4 + ["microsoft.compute/disks"])),
        name=draw(texts),
        group_name=draw(st.none() | st.sampled_from(["rg", "RG", "other"])),
        location=draw(st.none() | st.sampled_from(["eastus2", "westeurope", ""])),
        account=draw(st.none() | st.just("sub")),
        tags=draw(st.dictionaries(names, texts | scalars, max_size=3)),
        properties=document,
    )


def _operands(operator: str) -> st.SearchStrategy[Any]:
    if operator in ("in", "notIn"):
        return st.lists(texts | numbers | st.booleans(), max_size=3)
    if operator == "exists":
        return st.sampled_from([True, False, "true", "False"])
    if operator in ("like", "notLike"):
        return st.sampled_from(PATTERNS)
    if "atch" in operator:
        return st.sampled_from(MATCHES)
    if operator in ("less", "lessOrEquals", "greater", "greaterOrEquals"):
        return numbers | texts
    return (texts | numbers | st.booleans()).map(_escaped)


def _escaped(value: Any) -> Any:
    return f"[{value}" if isinstance(value, str) and value.startswith("[") else value


OPERATORS = [
    "equals",
    "notEquals",
    "in",
    "notIn",
    "like",
    "notLike",
    "match",
    "notMatch",
    "matchInsensitively",
    "notMatchInsensitively",
    "contains",
    "notContains",
    "containsKey",
    "notContainsKey",
    "exists",
    "less",
    "lessOrEquals",
    "greater",
    "greaterOrEquals",
]

_COUNTED = f"{STORAGE}/networkAcls.ipRules[*]"


def _expressions(*, counted: bool) -> st.SearchStrategy[str]:
    """Template expressions over the resource; `counted` ones may also use current()."""
    fields = st.sampled_from([*SCALAR_FIELDS, *ARRAY_FIELDS]).map(
        lambda f: "field('" + f.replace("'", "''") + "')"
    )
    atoms = fields | st.sampled_from(
        [
            "'a'",
            "''",
            "5",
            "'/'",
            "'prod'",
            "resourceGroup().name",
            "resourceGroup().location",
            "resourceGroup().tags['env']",
            "resourceGroup().managedBy",
        ]
    )
    if counted:
        atoms = atoms | st.sampled_from(
            [f"current('{_COUNTED}')", f"current('{_COUNTED}.value')", "current()"]
        )

    ranges = st.sampled_from(
        ["'10.0.0.0/8'", "'10.0.0.0-10.0.0.1'", "'2001:db8::/32'", "'::/0'", "'nonsense'"]
    )

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        one = st.sampled_from(
            ["length", "empty", "first", "last", "toLower", "toUpper", "string", "array", "int", "trim"]
        )
        two = st.sampled_from(
            ["concat", "contains", "equals", "less", "startsWith", "endsWith", "indexOf", "intersection"]
        )
        return (
            st.builds("{}({})".format, one, inner)
            | st.builds("{}({}, {})".format, two, inner, inner)
            | st.builds("replace({}, 'a', {})".format, inner, st.sampled_from(["''", "'b'"]))
            | st.builds("split({}, {})".format, inner, st.sampled_from(["'/'", "'.'", "';'"]))
            | st.builds("split({}, '/')[{}]".format, inner, st.sampled_from(["0", "1"]))
            | st.builds("if(equals({}, {}), {}, {})".format, inner, inner, inner, inner)
            | st.builds("if(empty({}), {}, {})".format, inner, inner, inner)
            | st.builds("not({})".format, st.builds("empty({})".format, inner))
            | st.builds("and(empty({}), greater(length({}), 1))".format, inner, inner)
            | st.builds("add(length({}), {})".format, inner, st.sampled_from(["1", "-2"]))
            | st.builds("substring({}, {})".format, inner, st.sampled_from(["0", "2", "-1", "length('abc')"]))
            | st.builds(
                "substring({}, {}, {})".format,
                inner,
                st.sampled_from(["0", "1", "sub(length(field('name')), 1)"]),
                st.sampled_from(["0", "1", "3", "length(field('kind'))"]),
            )
            | st.builds("tryGet({}, {})".format, inner, st.sampled_from(["'value'", "'ENV'", "0", "-1"]))
            | st.builds("tryGet({}, 0, 'Value')".format, inner)
            | st.builds("ipRangeContains({}, {})".format, ranges, inner)
            | st.builds("ipRangeContains({}, {})".format, inner, ranges)
        )

    return st.recursive(atoms, grown, max_leaves=4).map(lambda body: f"[{body}]")


@st.composite
def leaves(draw: st.DrawFn, *, counted: bool = False) -> dict[str, Any]:
    """One condition."""
    operator = draw(st.sampled_from(OPERATORS))
    right = draw(_operands(operator))
    if draw(st.integers(0, 3)) == 0:
        return {"value": draw(_expressions(counted=counted)), operator: right}
    fields = [*SCALAR_FIELDS, *ARRAY_FIELDS, *(ARRAY_FIELDS * 3 if counted else [])]
    return {"field": draw(st.sampled_from(fields)), operator: right}


@st.composite
def counts(draw: st.DrawFn) -> dict[str, Any]:
    """A count condition over an array of the resource."""
    count: dict[str, Any] = {"field": _COUNTED}
    if draw(st.booleans()):
        count = {
            "value": draw(st.sampled_from(["[field('tags')]", f"[field('{ARRAY_FIELDS[1]}')]"])),
            "name": "each",
        }
    if draw(st.integers(0, 3)):
        inner = leaves(counted="field" in count)
        count["where"] = draw(
            inner | st.lists(inner, min_size=1, max_size=2).map(lambda all_: {"anyOf": all_})
        )
    operator = draw(
        st.sampled_from(["equals", "notEquals", "less", "lessOrEquals", "greater", "greaterOrEquals"])
    )
    return {"count": count, operator: draw(st.integers(0, 3))}


conditions = st.recursive(
    leaves() | counts(),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: {"allOf": items})
        | st.lists(inner, max_size=3).map(lambda items: {"anyOf": items})
        | inner.map(lambda item: {"not": item})
    ),
    max_leaves=5,
)
"""Conditions of the `if` of a policy."""
