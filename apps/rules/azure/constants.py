"""Template functions over values that are known at compile time.

Source: Microsoft Learn, "ARM template functions". Each takes the list of its arguments; ValueError, TypeError
and IndexError mean that it cannot be computed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from apps.rules.azure.functions import FUNCTIONS
from apps.rules.azure.operands import same
from apps.rules.azure.ordering import instant
from apps.rules.tree import MISSING, Json

Arguments = Sequence[Any]
MAX_LENGTH = 100_000
"""Elements or characters of what a function may give."""


def _add_days(args: Arguments) -> Json:
    moment = instant(args[0])
    if moment is None:
        raise ValueError(args[0])
    moved = moment + timedelta(days=int(args[1]))
    return moved.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moved.microsecond:06d}Z"


def _create_object(args: Arguments) -> Json:
    if len(args) % 2:
        raise ValueError("pairs")
    return {str(args[i]): args[i + 1] for i in range(0, len(args), 2)}


def _union(args: Arguments) -> Json:
    if all(isinstance(arg, dict) for arg in args):
        return {key: value for arg in args for key, value in arg.items()}
    result: list[Json] = []
    for item in (item for arg in args for item in _array(arg)):
        if not any(same(item, seen) for seen in result):
            result.append(item)
    return result


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("array")
    return value


def _numbers(args: Arguments) -> list[int]:
    flat = args[0] if len(args) == 1 and isinstance(args[0], list) else args
    return [int(each) for each in flat]


def _range(args: Arguments) -> Json:
    if int(args[1]) > MAX_LENGTH:
        raise ValueError("too long")
    return list(range(int(args[0]), int(args[0]) + int(args[1])))


def _pad_left(args: Arguments) -> Json:
    width = int(args[1])
    if width > MAX_LENGTH:
        raise ValueError("too long")
    return str(args[0]).rjust(width, args[2] if len(args) > 2 else " ")


def _format(args: Arguments) -> Json:
    made = str(args[0])
    for position, value in enumerate(args[1:]):
        made = made.replace(f"{{{position}}}", _shown(value))
    if len(made) > MAX_LENGTH:
        raise ValueError("too long")
    return made


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Arguments], Json]:
    def compare(args: Arguments) -> Json:
        left, right = args
        if isinstance(left, str) is not isinstance(right, str):
            raise TypeError("kinds")
        return test(left, right)

    return compare


def _boolean(args: Arguments) -> Json:
    if isinstance(args[0], str):
        return {"true": True, "false": False, "1": True, "0": False}[args[0].lower()]
    return bool(args[0])


def _plain(evaluate: Callable[[Arguments], Any]) -> Callable[[Arguments], Json]:
    def call(args: Arguments) -> Json:
        result = evaluate(args)
        if isinstance(result, str | list) and len(result) > MAX_LENGTH:
            raise ValueError("too long")
        return None if result is MISSING else result

    return call


CONSTANT_FUNCTIONS: dict[str, Callable[[Arguments], Json]] = {
    **{name.lower(): _plain(each.evaluate) for name, each in FUNCTIONS.items() if "_" not in name},
    "adddays": _add_days,
    "createobject": _create_object,
    "createarray": lambda args: list(args),
    "union": _union,
    "min": lambda args: min(_numbers(args)),
    "max": lambda args: max(_numbers(args)),
    "div": lambda args: int(int(args[0]) / int(args[1])) if int(args[1]) else [][0],
    "mod": lambda args: (
        int(args[0]) - int(int(args[0]) / int(args[1])) * int(args[1]) if int(args[1]) else [][0]
    ),
    "range": _range,
    "padleft": _pad_left,
    "format": _format,
    "lastindexof": lambda args: args[0].lower().rfind(args[1].lower()),
    "take": lambda args: args[0][: max(int(args[1]), 0)],
    "skip": lambda args: args[0][max(int(args[1]), 0) :],
    "join": lambda args: str(args[1]).join(_shown(each) for each in _array(args[0])),
    "json": lambda args: json.loads(args[0]),
    "base64": lambda args: base64.b64encode(args[0].encode()).decode(),
    "base64tostring": lambda args: base64.b64decode(args[0], validate=True).decode(),
    "bool": _boolean,
    "true": lambda args: True,
    "false": lambda args: False,
    "null": lambda args: None,
    "items": lambda args: [{"key": key, "value": args[0][key]} for key in sorted(args[0])],
    "objectkeys": lambda args: list(args[0]),
    "less": _compare(lambda a, b: a < b),
    "lessorequals": _compare(lambda a, b: a <= b),
    "greater": _compare(lambda a, b: a > b),
    "greaterorequals": _compare(lambda a, b: a >= b),
}
"""By lower-cased name."""
