"""The template functions that a condition may apply to what it reads, by ARM's names.

Where ARM would fail (a wrong kind of argument, an index out of range) the outcome is an error. Sources:
Microsoft Learn, "ARM template functions"; "Azure Policy definition structure: policy rule", Policy functions.
"""

from __future__ import annotations

from apps.rules.azure import collection_functions as collection
from apps.rules.azure import networks
from apps.rules.azure import text_functions as text
from apps.rules.azure import value_functions as value
from apps.rules.dialect import Function

FUNCTIONS: dict[str, Function] = {
    "or_empty": Function(collection.or_empty_value, collection.or_empty_sql),
    "or_list": Function(collection.or_list_value, collection.or_list_sql),
    "list": Function(collection.list_value, collection.list_sql),
    "item": Function(collection.item_value, collection.item_sql),
    "concat": Function(text.concat_value, text.concat_sql),
    "replace": Function(text.replace_value, text.replace_sql),
    "toLower": text.cased("lower"),
    "toUpper": text.cased("upper"),
    "trim": Function(text.trim_value, text.trim_sql),
    "split": Function(text.split_value, text.split_sql),
    "startsWith": Function(text.starts_value, text.affix_sql("starts_with({}, {})")),
    "endsWith": Function(text.ends_value, text.affix_sql("(right({}, length({})) = {})")),
    "indexOf": Function(text.index_of_value, text.index_of_sql),
    "substring": Function(text.substring_value, text.substring_sql),
    "length": Function(collection.length_value, collection.length_sql),
    "empty": Function(collection.empty_value, collection.empty_sql),
    "first": collection.end_of(0),
    "last": collection.end_of(-1),
    "tryGet": Function(collection.try_get_value, collection.try_get_sql),
    "contains": Function(collection.contains_value, collection.contains_sql),
    "intersection": Function(collection.intersection_value, collection.intersection_sql),
    "array": Function(collection.array_value, collection.array_sql),
    "ipRangeContains": Function(networks.contains_value, networks.contains_sql),
    "equals": Function(value.equal_value, value.equal_sql),
    "int": Function(value.int_value, value.int_sql),
    "string": Function(value.text_value, value.text_sql),
    "add": value.arithmetic("+"),
    "sub": value.arithmetic("-"),
    "mul": value.arithmetic("*"),
}
"""Functions whose arguments may come from the resource. ARM's names; those in snake case are the front end's
own."""

ARITY: dict[str, tuple[int, int]] = {
    **dict.fromkeys(
        [
            "tolower",
            "toupper",
            "trim",
            "length",
            "empty",
            "first",
            "last",
            "array",
            "int",
            "string",
            "json",
            "bool",
        ],
        (1, 1),
    ),
    **dict.fromkeys(
        [
            "split",
            "startswith",
            "endswith",
            "indexof",
            "lastindexof",
            "contains",
            "equals",
            "add",
            "sub",
            "mul",
            "div",
        ],
        (2, 2),
    ),
    **dict.fromkeys(
        ["mod", "adddays", "take", "skip", "join", "range", "iprangecontains", "intersection"], (2, 2)
    ),
    "replace": (3, 3),
    "concat": (1, 100),
    "substring": (2, 3),
    "tryget": (2, 100),
    "padleft": (2, 3),
}
"""How many arguments a function takes, by lower-cased name: least and most."""
