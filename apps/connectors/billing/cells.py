"""A cell's text to a column's canonical text. Each converter raises Rejected without a field: the row adds it.

Bills repeat themselves: of a million rows most cells were seen before. `Memo` remembers what a text became,
which is what makes a reader in Python fast enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.connectors.billing.charges import DAY, INSTANT, NUMBER, TAGS, TEXT
from apps.connectors.bounds import MAX_TAG_KEY_BYTES, MAX_TAG_VALUE_BYTES, MAX_TAGS
from apps.connectors.records import Rejected

Convert = Callable[[str], str | None]

MAX_TEXT = 8192
MAX_REMEMBERED = 50_000
# How several exporters write "nothing": FOCUS's 1.0 sample has a literal NULL, pandas writes nan and None.
NOTHING = frozenset({"", "NULL", "null", "None", "nan", "NaN", "<NA>"})
_NUMBER = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,2})?", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_MONTH = re.compile(r"(\d{4})-?(\d\d)", re.ASCII)


class Memo(dict[str, str | None]):
    """A converter, and what encodes its value, that remember; emptied when grown, so that memory stays flat."""

    def __init__(self, convert: Convert, encode: Callable[[str | None], str | None]) -> None:
        super().__init__()
        self._convert, self._encode = convert, encode

    def __missing__(self, cell: str) -> str | None:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        value = self[cell] = self._encode(self._convert(cell))
        return value


def text(cell: str) -> str | None:
    """Trimmed text; None for nothing."""
    cell = cell.strip()
    if cell in NOTHING:
        return None
    _storable(cell)
    if len(cell) > MAX_TEXT:
        raise Rejected(None, f"is longer than {MAX_TEXT:,} characters")
    return cell


def _storable(value: str) -> None:
    if "\x00" in value:
        raise Rejected(None, "holds NUL, which can't be stored")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Rejected(None, "is no UTF-8") from None


def number(cell: str) -> str | None:
    """A decimal number, as it is written. Thousands separators and infinities are refused, not guessed at."""
    if _NUMBER.fullmatch(cell) is not None:  # first of all: no two numbers of a bill are alike
        return cell
    cell = cell.strip()
    if cell in NOTHING:
        return None
    if _NUMBER.fullmatch(cell) is None:
        raise Rejected(None, f"is no decimal number: {cell[:60]!r}")
    return cell


def instant(cell: str) -> str | None:
    """A point in time, ISO 8601 or month/day/year, in UTC where it names no zone."""
    cell = cell.strip()
    if cell in NOTHING:
        return None
    return _moment(cell).isoformat()


def day(cell: str) -> str | None:
    """The UTC day of a date or a point in time."""
    cell = cell.strip()
    if cell in NOTHING:
        return None
    return _moment(cell).date().isoformat()


def month(cell: str) -> str | None:
    """The first day of a month written YYYYMM or YYYY-MM."""
    cell = cell.strip()
    if cell in NOTHING:
        return None
    found = _MONTH.fullmatch(cell)
    try:
        if found is not None:
            return date(int(found[1]), int(found[2]), 1).isoformat()
    except ValueError:
        pass
    raise Rejected(None, f"is no month: {cell[:60]!r}")


def _moment(cell: str) -> datetime:
    try:
        if found := _INSTANT.fullmatch(cell):
            year, month_, day_, hour, minute, second, fraction, zone = found.groups()
            micro = int((fraction or ".0")[1:7].ljust(6, "0"))
            at = datetime(
                int(year),
                int(month_),
                int(day_),
                int(hour or 0),
                int(minute or 0),
                int(second or 0),
                micro,
                UTC,
            )
            if zone in (None, "Z", "UTC"):
                return at
            offset = datetime.strptime(zone.replace(":", ""), "%z").tzinfo
            return at.replace(tzinfo=offset).astimezone(UTC)
        if found := _AMERICAN.fullmatch(cell):
            return datetime(int(found[3]), int(found[1]), int(found[2]), tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise Rejected(None, f"is no date or time: {cell[:60]!r}")


def tags(cell: str) -> str | None:
    """A JSON object of tags as canonical JSON; `{}` for nothing.

    Also Azure's object without its braces, Google's list of {key, value}, and lists of pairs. A value that
    is no text is kept as its JSON text; a key without a value has an empty one.
    """
    cell = cell.strip()
    if cell in NOTHING or cell in ('""', "[]", "{}"):
        return "{}"
    return tags_json(_pairs(_parse(cell)))


def tags_json(pairs: dict[str, str]) -> str:
    """The canonical JSON of tags. Raises Rejected where there are too many or too long ones."""
    if len(pairs) > MAX_TAGS:
        raise Rejected(None, f"has more than {MAX_TAGS:,} tags")
    for key, value in pairs.items():
        if len(key) > MAX_TAG_KEY_BYTES or len(value) > MAX_TAG_VALUE_BYTES:
            raise Rejected(None, f"has a tag that is too long: {key[:60]!r}")
        _storable(key)
        _storable(value)
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _parse(cell: str) -> Any:
    try:
        return json.loads(cell, parse_float=Decimal)
    except (ValueError, RecursionError):
        pass
    if cell.startswith('"') and ":" in cell:  # Azure's enterprise agreement leaves the braces out
        try:
            return json.loads("{" + cell + "}", parse_float=Decimal)
        except (ValueError, RecursionError):
            pass
    raise Rejected(None, f"is no JSON object of tags: {cell[:60]!r}")


def _pairs(parsed: Any) -> dict[str, str]:
    if parsed in (None, ""):
        return {}
    if isinstance(parsed, dict):
        return {str(key).strip(): _tag_value(value) for key, value in parsed.items() if str(key).strip()}
    if isinstance(parsed, list):
        found: dict[str, str] = {}
        for item in parsed:
            if isinstance(item, dict) and "key" in item:
                found[str(item["key"])] = _tag_value(item.get("value"))
            elif isinstance(item, list | tuple) and len(item) == 2:
                found[str(item[0])] = _tag_value(item[1])
            else:
                raise Rejected(None, "is a list, but not of keys and values")
        return found
    raise Rejected(None, "is no JSON object of tags")


def _tag_value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def decimal(cell: str) -> Decimal:
    """A number to calculate with; zero for nothing. Raises Rejected."""
    found = number(cell)
    try:
        return Decimal(found) if found is not None else Decimal(0)
    except InvalidOperation as error:  # the pattern lets nothing else through
        raise Rejected(None, f"is no decimal number: {cell[:60]!r}") from error


CONVERTERS: dict[str, Convert] = {TEXT: text, DAY: day, INSTANT: instant, NUMBER: number, TAGS: tags}
