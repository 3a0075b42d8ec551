"""The columns of a statement: each place of a resource that its rules read is extracted once a row.

A statement reads its rows in layers, each fenced by OFFSET 0 so that nothing is computed twice:

* `b`: the inventory row, with one flat copy of the properties (a TOASTed document is decompressed once);
* `x`: level 1: the extracted places; level 2 and up: expressions that operators share.

Places of other rows and of array elements are read where they stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.rules.sql.fragment import EMPTY_OBJECT, Sql, closed, integer, join, reading, sql, statement, text
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


@dataclass
class Columns:
    """What the layers of one statement compute, filled while its rules are translated."""

    base: set[ColumnName] = field(default_factory=set)
    kept: set[ColumnName] = field(default_factory=set)
    """Columns of the row that are still wanted above the layers."""
    reads_document: bool = False
    keeps_document: bool = False
    levels: list[list[Sql]] = field(default_factory=list)
    _names: dict[str, Sql] = field(default_factory=dict)
    _aliases: int = 0

    def alias(self) -> str:
        self._aliases += 1
        return f"e{self._aliases}"

    def base_column(self, name: ColumnName) -> Sql:
        self.base.add(name)
        return Sql(f"b.{COLUMNS[name]}", level=1)

    def document(self) -> Sql:
        self.reads_document = True
        return Sql("b.doc", level=1)

    def share(self, expression: Sql) -> Sql:
        """An expression over the row as a column of the next layer; unchanged if it reads none, or an alias."""
        if expression.local or expression.level == 0:
            return expression
        known = repr((expression.text, expression.params))
        if known not in self._names:
            while len(self.levels) < expression.level:
                self.levels.append([])
            column = f"c{len(self._names)}"
            self.levels[expression.level - 1].append(sql(f"{{}} as {column}", expression))
            self._names[known] = Sql(f"x.{column}", level=expression.level + 1)
        return self._names[known]

    def layered(self, base: Sql) -> Sql:
        """The subselect whose alias is to be `x`: `base` (alias `b`, column id) under all the levels."""
        first = [Sql("b.id"), *(Sql(f"b.{COLUMNS[name]}") for name in sorted(self.kept - {"id"}))]
        if self.keeps_document:
            first.append(Sql("b.doc"))
        first.extend(self.levels[0] if self.levels else [])
        current = statement("select {} from ({}) b offset 0", join(", ", first), base)
        for level in self.levels[1:]:
            current = statement("select x.*, {} from ({}) x offset 0", join(", ", level), current)
        return current


class AboveColumns(Columns):
    """Places read above the layers, for the few rows that get so far: where they stand, from what the layers keep."""

    def __init__(self, below: Columns) -> None:
        super().__init__()
        self._below = below

    def alias(self) -> str:
        return self._below.alias()

    def base_column(self, name: ColumnName) -> Sql:
        self._below.base_column(name)
        self._below.kept.add(name)
        return Sql(f"x.{COLUMNS[name]}", level=1)

    def document(self) -> Sql:
        self._below.document()
        self._below.keeps_document = True
        return Sql("x.doc", level=1)

    def share(self, expression: Sql) -> Sql:
        return expression


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
            found = _follow(self._root, self._steps, self._columns)
            return sql("({} #>> array[]::text[])", found)
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


def _folded_member(holder: Sql, name: str, columns: Columns) -> Sql:
    """`holder -> name` without regard to case: the exact member first, then the first by bytes.

    Most often the exact member is there; where it is not, a look at the text says whether any other can be.
    """
    each = columns.alias()
    if len(holder.text) > _WORTH_AN_ALIAS:
        outer = columns.alias()
        found = _folded_member(reading(outer, f"{outer}.v"), name, columns)
        return closed(sql(f"(select {{}} from (select {{}} as v offset 0) {outer})", found, holder), outer)
    folded = ascii_lower(name)
    holder = columns.share(holder)
    return sql(
        "coalesce({} -> {}, case when strpos({}, {}) > 0 then (select "
        f"{each}.value from jsonb_each(case when jsonb_typeof({{}}) = 'object' then {{}} else {{}} end) {each}"
        f' where lower({each}.key collate "C") = {{}} order by {each}.key collate "C" limit 1) end)',
        holder,
        text(name),
        columns.share(sql('lower(({})::text collate "C")', holder)),
        text(json_text(folded)),
        holder,
        holder,
        EMPTY_OBJECT,
        text(folded),
    )


_WORTH_AN_ALIAS = 60
"""Characters of an expression above which it is written once, in a subselect."""
