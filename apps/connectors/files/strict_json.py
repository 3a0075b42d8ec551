"""JSON as the catalog can store it: UTF-8, objects only, nothing that PostgreSQL's jsonb refuses or loses.

Refused: NaN and Infinity, numbers beyond a double, a key twice in one object, nesting over MAX_DEPTH, NUL and
lone surrogates (jsonb takes neither: PostgreSQL manual, 8.14 "JSON Types"), and bytes that are not UTF-8.

orjson reads ten times as fast as the standard library with its hooks, and is silent where it drops a repeated key or
rounds an integer of more than 64 bits. Both show in what it writes again: a pair that was dropped took its colon along,
and such a number has an exponent. A row of which either may be true, and every row that orjson refuses, is read by the
strict decoder, which has the last word and names the place.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import orjson

from apps.connectors.bounds import MAX_DEPTH, MAX_INTEGER_DIGITS
from apps.connectors.records import Rejected

# Escapes that may stand for NUL or half a surrogate pair; only rows that have one are walked.
_SUSPECT_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_BAD_CHARACTER = re.compile("[\x00\ud800-\udfff]")
# Written so, a colon can't be counted.
_ESCAPED_COLON = re.compile(rb"\\u003[aA]")


def parse_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`, without its byte order mark. Raises Rejected naming the key or the column."""
    value = _loaded_fast(raw)
    if value is None:
        value = _load(decode(raw))
    if not isinstance(value, dict):
        raise Rejected(None, f"the row is {json_type(value)}, not an object")
    if b"\\" in raw and _SUSPECT_ESCAPE.search(raw):
        _refuse_bad_characters(value)
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _refuse_depth(value)
    return value


def _loaded_fast(raw: bytes) -> dict[str, Any] | None:
    """What the strict decoder would give, or None where that one is to be asked."""
    try:
        value = orjson.loads(raw)
        again = orjson.dumps(value)
    except (ValueError, TypeError):
        return None
    if not isinstance(value, dict) or again.count(b":") != raw.count(b":"):
        return None
    # Single bytes are looked for first: most rows have neither, and for one byte it takes a fifth of the time.
    if (b"\\" in raw and _ESCAPED_COLON.search(raw)) or (b"+" in again and b"e+" in again):
        return None
    return value


def to_text(value: Any) -> bytes:
    """A value that `parse_object` has given as compact JSON in UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def to_bytes(value: dict[str, Any]) -> bytes:
    """A row that an SDK has parsed, as bytes for `parse_object`: what it refuses in a file it refuses here."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def json_type(value: object) -> str:
    """The JSON name of a Python value's type, with its article, for messages."""
    if value is None:
        return "null"
    for kind, name in (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "a string"),
        (list, "an array"),
        (dict, "an object"),
    ):
        if isinstance(value, kind):
            return name
    return type(value).__name__


def decode(raw: bytes) -> str:
    """The text of UTF-8 bytes. Raises Rejected naming the first byte that isn't, and its column."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Rejected(
            None,
            f"not UTF-8: byte 0x{raw[error.start]:02x} at column {error.start + 1}; "
            "save the file as UTF-8 (it may be Latin-1 or Windows-1252)",
        ) from None


def _load(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Rejected(None, f"not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise Rejected(None, _TOO_DEEP) from None


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Rejected(_shown(key), f"the key {_shown(key)!r} appears twice in one object")
            seen.add(key)
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise Rejected(None, f"a number of {len(digits)} digits; at most {MAX_INTEGER_DIGITS} are taken")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Rejected(None, f"the number {digits[:40]} is beyond the range of a double")
    return number


def _constant(name: str) -> NoReturn:
    raise Rejected(None, f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant
)


def _refuse_bad_characters(document: dict[str, Any]) -> None:
    for path, text in _texts(document):
        found = _BAD_CHARACTER.search(text)
        if found:
            what = "NUL (\\u0000)" if found[0] == "\x00" else "half of a surrogate pair"
            raise Rejected(_shown(path), f"{what}, which can't be stored, in {_shown(path)!r}")


def _texts(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every key and every string of a document, each with the dotted path to it."""
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            for key, inner in value.items():
                inner_path = f"{path}.{key}" if path else key
                yield inner_path, key
                waiting.append((inner_path, inner))
        elif isinstance(value, list):
            waiting.extend((f"{path}[{index}]", inner) for index, inner in enumerate(value))


def _refuse_depth(document: dict[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _children(value)]
        if not level:
            return
    raise Rejected(None, _TOO_DEEP)


def _children(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value
    return [item for item in inner if isinstance(item, dict | list)]


def _shown(text: str) -> str:
    """A path or key fit for a message: storable characters only, and not too long."""
    safe = _BAD_CHARACTER.sub("�", text)
    return safe if len(safe) <= 200 else safe[:200] + "…"
