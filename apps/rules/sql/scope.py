"""The columns of a statement: each place of a resource that its rules read is extracted once a row.

A statement reads its rows in layers, each with the alias `x` and fenced by OFFSET 0 so that nothing is computed
twice: the inventory row, with one flat copy of the properties (a TOASTed document is decompressed once); then the
extracted places; then what operators share. Which of these become columns is decided when all rules are there
(`layers.py`).

Places of other rows and of array elements are read where they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from apps.rules.sql.fragment import EMPTY_OBJECT, Sql, closed, integer, reading, sql, text, texts
from apps.rules.sql.layers import Layers
from apps.rules.sql.values import Form, SqlValue
from apps.rules.text import ascii_lower, json_text
from apps.rules.tree import ColumnName, Document, Element, Key, Path, Root, Step

COLUMNS: dict[ColumnName, str] = {
    "id": "id",
    "native_id": "native_id",
    "provider": "provider",
    "type": "type",
    "name": "name",
    "group_name": "group_name",
    "location": "location",
    "account": "account",
    "status": "status",
    "tags": "tags",
}
"""The whitelist: column of the tree → column of the table `resources`."""

DOCUMENT_COLUMN = "properties"

_FEW = 2
"""Members that are each looked for by themselves: so many of one object are rarely missing at once."""


@dataclass
class Columns:
    """What the layers of one statement compute, filled while its rules are translated."""

    base: set[ColumnName] = field(default_factory=set)
    reads_document: bool = False
    shared: dict[str, Sql] = field(default_factory=dict)
    """`x.c0`, `x.c1`, … and what they are, each made of base columns and earlier ones."""
    repeated: set[str] = field(default_factory=set)
    """Those that are written where they are read, however often."""
    _names: dict[str, Sql] = field(default_factory=dict)
    _asked: dict[str, tuple[Sql, list[str]]] = field(default_factory=dict)
    _aliases: int = 0

    def alias(self) -> str:
        self._aliases += 1
        return f"e{self._aliases}"

    def base_column(self, name: ColumnName) -> Sql:
        self.base.add(name)
        return Sql(f"x.{COLUMNS[name]}", level=1)

    def document(self) -> Sql:
        self.reads_document = True
        return Sql("x.doc", level=1)

    def share(self, expression: Sql) -> Sql:
        """An expression over the row as a column; unchanged if it reads no row, or an alias."""
        if expression.local or expression.level == 0:
            return expression
        known = _identity(expression)
        if known not in self._names:
            column = f"x.c{len(self._names)}"
            self.shared[column] = expression
            self._names[known] = Sql(column, level=expression.level + 1)
        return self._names[known]

    def folded_text(self, holder: Sql, name: str) -> Sql:
        """The lower-cased text of an object that is asked for the member `name` without regard to case.

        Of many members, it is NULL where all of them are there under their exact names: then nobody looks.
        """
        if holder.local or holder.level == 0:
            return sql('lower(({})::text collate "C")', holder)
        known = repr((holder.text, holder.params))
        if known not in self._asked:
            column = f"x.c{len(self._names)}"
            self._names[f"folded text of {known}"] = self.shared[column] = Sql(column, level=holder.level + 1)
            self._asked[known] = (Sql(column, level=holder.level + 1), [])
        column_of, names = self._asked[known]
        if name not in names:
            names.append(name)
        whole = sql('lower(({})::text collate "C")', holder)
        if len(names) > _FEW:
            # Computed once: for the rows in which one of the members is not there under its exact name.
            self.repeated.discard(column_of.text)
            whole = sql("case when not jsonb_exists_all({}, {}) then {} end", holder, texts(names), whole)
        else:
            # Written where it is looked at, which is where the member was not found.
            self.repeated.add(column_of.text)
        self.shared[column_of.text] = whole
        return column_of

    def known(self, expression: Sql) -> Sql | None:
        """The column that the expression is, if it is one."""
        return self._names.get(_identity(expression))

    def layered(self, base: Sql, readers: list[Sql]) -> Layers:
        """The layers from `base` up, and the readers over them."""
        return Layers(base, self.shared, readers, self.repeated)


_ALIAS = re.compile(r"\be([0-9]+)(?=[p_]?\b)")


def _identity(expression: Sql) -> str:
    """The same for expressions that differ in nothing but the numbers of their own aliases."""
    numbers: dict[str, int] = {}
    plain = _ALIAS.sub(lambda found: f"e{numbers.setdefault(found[1], len(numbers))}", expression.text)
    return repr((plain, expression.params))


class AboveColumns(Columns):
    """Places read above the layers, for the few rows that get so far: out of the columns that there are, otherwise
    where they stand, from the row itself."""

    def __init__(self, below: Columns) -> None:
        super().__init__()
        self._below = below

    def alias(self) -> str:
        return self._below.alias()

    def base_column(self, name: ColumnName) -> Sql:
        return self._below.base_column(name)

    def document(self) -> Sql:
        return self._below.document()

    def share(self, expression: Sql) -> Sql:
        return self._below.known(expression) or expression

    def folded_text(self, holder: Sql, name: str) -> Sql:
        return sql('lower(({})::text collate "C")', holder)


class PathValue(SqlValue):
    """A place. Its forms become columns of the statement when they are asked for, unless it is local."""

    def __init__(self, columns: Columns, root: Sql, steps: tuple[Step, ...], *, root_form: Form) -> None:
        if len(steps) > 1 and isinstance(steps[0], Key) and not steps[0].fold and not root.local:
            # Most places of a document lie in one of its members (ARM's `properties`): that one is taken out once.
            root, steps = columns.share(sql("({} -> {})", root, text(steps[0].name))), steps[1:]
        super().__init__("json" if steps else root_form, root)
        self._columns = columns
        self._root = root
        self._steps = steps
        self._root_form = root_form

    def json(self) -> Sql:
        if self._steps:
            return self._columns.share(_follow(self._root, self._steps, self._columns))
        root = self._root if self._root_form == "json" else sql("to_jsonb({})", self._root)
        return self._columns.share(root)

    def text(self) -> Sql:
        return self._columns.share(self.inline_text())

    def inline_text(self) -> Sql:
        if not self._steps:
            plain = self._root_form == "text"
            return self._root if plain else sql("({} #>> array[]::text[])", self._root)
        last = self._steps[-1]
        before = _follow(self._root, self._steps[:-1], self._columns)
        if isinstance(last, Key) and last.fold:
            return _folded_member(before, last.name, self._columns, as_text=True)
        if isinstance(last, Key):
            return sql("({} ->> {})", before, text(last.name))
        return sql("({} #>> array[]::text[])", _element(before, last.position, self._columns))

    def kind(self) -> Sql:
        return sql("jsonb_typeof({})", self.json())


def path_value(path: Path, columns: Columns, bindings: dict[str, Sql]) -> PathValue:
    """The SQL of a path; `bindings` maps element bindings to their value, row bindings to their table
    aliases."""
    root, form = _root(path.root, columns, bindings)
    return PathValue(columns, root, path.steps, root_form=form)


def _root(root: Root, columns: Columns, bindings: dict[str, Sql]) -> tuple[Sql, Form]:
    if isinstance(root, Element):
        return bindings[root.binding], "json"
    if isinstance(root, Document):
        if not root.row:
            return columns.document(), "json"
        alias = bindings[root.row].text
        return reading(alias, f"{alias}p.{DOCUMENT_COLUMN}"), "json"
    form: Form = "json" if root.name == "tags" else "text"
    if not root.row:
        return columns.base_column(root.name), form
    alias = bindings[root.row].text
    return reading(alias, f"{alias}.{COLUMNS[root.name]}"), form


def _follow(root: Sql, steps: tuple[Step, ...], columns: Columns) -> Sql:
    current = root
    for step in steps:
        if not isinstance(step, Key):
            current = _element(current, step.position, columns)
        elif step.fold:
            current = _folded_member(current, step.name, columns)
        else:
            current = sql("({} -> {})", current, text(step.name))
    return current


def _element(array: Sql, position: int, columns: Columns) -> Sql:
    # A scalar is an array of one to jsonb's own `-> integer`, hence the test.
    holder = columns.alias()
    return sql(
        f"(select case when jsonb_typeof({holder}.v) = 'array' then {holder}.v -> {{}} end"
        f" from (select {{}} as v offset 0) {holder})",
        integer(position),
        array,
    )


def _folded_member(holder: Sql, name: str, columns: Columns, *, as_text: bool = False) -> Sql:
    """`holder -> name` (or `->>`) without regard to case: the exact member first, then the first by bytes.

    Most often the exact member is there; where it is not, a look at the text says whether any other can be.
    """
    each = columns.alias()
    if len(holder.text) > _WORTH_AN_ALIAS:
        outer = columns.alias()
        found = _folded_member(reading(outer, f"{outer}.v"), name, columns, as_text=as_text)
        return closed(sql(f"(select {{}} from (select {{}} as v offset 0) {outer})", found, holder), outer)
    folded = ascii_lower(name)
    holder = columns.share(holder)
    # An exact member that is null has no text, and is still the one that counts.
    arrow, value, absent = "->", f"{each}.value", ""
    if as_text:
        arrow, value, absent = "->>", f"{value} #>> array[]::text[]", " and not jsonb_exists({}, {})"
    return sql(
        f"coalesce({{}} {arrow} {{}}, case when strpos({{}}, {{}}) > 0{absent} then (select {value}"
        f" from jsonb_each(case when jsonb_typeof({{}}) = 'object' then {{}} else {{}} end) {each}"
        f' where lower({each}.key collate "C") = {{}} order by {each}.key collate "C" limit 1) end)',
        holder,
        text(name),
        columns.folded_text(holder, name),
        text(json_text(folded)),
        *((holder, text(name)) if as_text else ()),
        holder,
        holder,
        EMPTY_OBJECT,
        text(folded),
    )


_WORTH_AN_ALIAS = 60
"""Characters of an expression above which it is written once, in a subselect."""
