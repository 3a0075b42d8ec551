"""How a provider's columns become FOCUS's: a layout says it, a plan does it for one header."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import getitem, itemgetter
from typing import Any

from apps.connectors.billing.cells import CONVERTERS, Convert, Memo
from apps.connectors.billing.charges import FIELDS, NAMES, REQUIRED, Charge
from apps.connectors.billing.rows import Cells, Table
from apps.connectors.records import Refusal, Rejected

# A row as its layout's names see it: cell by normalised column name, "" where there is no such column.
Look = Callable[[str], str]
Derive = Callable[[Look], "str | None"]
# What becomes of each value, None included, in the same memory as what its cell became.
Encode = Callable[["str | None"], "str | None"]
_REQUIRED_AT = tuple(index for index, name in enumerate(NAMES) if name in REQUIRED)
_required = itemgetter(*_REQUIRED_AT)


def as_it_is(value: str | None) -> str | None:
    """The encoding of values that are not to be encoded."""
    return value


@dataclass(frozen=True)
class Layout:
    """A format: which header is it, and where each of FIELDS comes from.

    `columns`: field → its column, or several of which the first that the header has is taken; a field that
    is not named stays empty. `derived`: field → a function of the row, for what needs more than one cell.
    `needed`: columns (any of each tuple) without which the file can't be read. `convert` replaces the usual
    converter of a field. Column names are normalised by `normalise`.
    """

    name: str
    title: str
    normalise: Callable[[str], str]
    recognises: Callable[[frozenset[str]], bool]
    columns: Mapping[str, str | Sequence[str]]
    derived: Mapping[str, Derive] = field(default_factory=dict)
    needed: Sequence[tuple[str, ...]] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    convert: Mapping[str, Convert] = field(default_factory=dict)
    # Called once with the normalised header: more derived fields, e.g. tags that have a column each.
    derive_for: Callable[[Sequence[str]], Mapping[str, Derive]] = lambda header: {}

    def read(self, table: Table, encode: Encode = as_it_is) -> Iterator[Charge | Refusal]:
        """The charges of a table. Raises Rejected where the header lacks what is needed."""
        plan = _Plan(self, table.header, encode)
        for item in table.rows:
            if isinstance(item, Refusal):
                yield item
                continue
            line, cells = item
            try:
                yield Charge(line, plan.values(cells))
            except Rejected as rejected:
                yield Refusal(line, rejected.field, rejected.reason)


class _Plan:
    """A layout bound to one header: for each field the cell's place and its remembering converter."""

    def __init__(self, layout: Layout, header: Cells, encode: Encode) -> None:
        names = [layout.normalise(name) for name in header]
        self._place = {name: index for index, name in reversed(list(enumerate(names)))}
        self._header = header
        for alternatives in layout.needed:
            if not any(name in self._place for name in alternatives):
                raise Rejected(alternatives[0], f"the header has no column {' or '.join(alternatives)}")
        # A cell behind the row's last one is empty: fields without a column look there.
        self._nowhere = len(header)
        self._memos: list[Memo] = []
        self._source: list[int] = []
        self._encode, self._nothing = encode, encode(None)
        derived = {**layout.derived, **layout.derive_for(names)}
        self._derived = [(NAMES.index(name), derive) for name, derive in derived.items()]
        memos: dict[Convert, Memo] = {}  # columns of one kind share what is remembered
        for name in NAMES:
            place = self._place_of(layout.columns.get(name, ())) if name not in derived else self._nowhere
            convert = self._converter(layout, name)
            self._memos.append(memos.setdefault(convert, Memo(convert, encode)))
            self._source.append(place)
        self._look = itemgetter(*self._source)

    def _place_of(self, columns: str | Sequence[str]) -> int:
        for column in (columns,) if isinstance(columns, str) else columns:
            if column in self._place:
                return self._place[column]
        return self._nowhere

    @staticmethod
    def _converter(layout: Layout, name: str) -> Convert:
        if name in layout.constants:
            constant = layout.constants[name]
            return lambda cell: constant
        return layout.convert.get(name, CONVERTERS[FIELDS[name]])

    def values(self, cells: Cells) -> tuple[str | None, ...]:
        """The row's values in the order of NAMES. Raises Rejected naming the file's own column."""
        cells.append("")
        try:
            values: list[Any] = list(map(getitem, self._memos, self._look(cells)))
        except Rejected:
            self._explain(cells)
            raise
        if self._derived:
            self._derive(cells, values)
        if self._nothing in (required := _required(values)):
            raise Rejected(self._name_of(_REQUIRED_AT[required.index(self._nothing)]), "is missing")
        return tuple(values)

    def _derive(self, cells: Cells, values: list[Any]) -> None:
        place, nowhere = self._place, self._nowhere

        def look(name: str) -> str:
            return cells[place.get(name, nowhere)]

        for index, derive in self._derived:
            try:
                values[index] = self._encode(derive(look))
            except Rejected as rejected:
                raise Rejected(rejected.field or NAMES[index], rejected.reason) from None

    def _explain(self, cells: Cells) -> None:
        """Raise Rejected with the column whose cell it is: only a refused row pays for knowing it."""
        for index, (memo, cell) in enumerate(zip(self._memos, self._look(cells), strict=True)):
            try:
                memo[cell]
            except Rejected as rejected:
                raise Rejected(self._name_of(index), rejected.reason) from None

    def _name_of(self, index: int) -> str:
        place = self._source[index]
        return self._header[place] if place < self._nowhere else NAMES[index]
