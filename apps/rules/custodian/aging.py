"""Filters that are comparisons of a date or a tag underneath: ages, marked-for-op, tag-count.

Source: c7n 0.9.53 `AgeFilter`, `TagActionFilter`, `TagCountFilter`, and c7n-gcp's `LabelActionFilter`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from apps.rules.custodian.context import Context, Filter, number_setting, only_keys, text_setting
from apps.rules.custodian.conversions import WHITE_SPACE
from apps.rules.custodian.dates import dated, read_date, shifted, text_moment
from apps.rules.custodian.fragments import by_kind, once, string_of
from apps.rules.custodian.tags import tag_places, tag_value
from apps.rules.custodian.value_filter import NUMERIC, operator_name
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import InvalidPolicy
from apps.rules.sql.fragment import Sql, closed, integer, reading, sql, text
from apps.rules.sql.values import SqlValue
from apps.rules.tree import (
    MISSING,
    Collect,
    Compare,
    Const,
    Document,
    Element,
    Func,
    Json,
    JsonOrMissing,
    Key,
    Path,
    Rule,
    Value,
)

AGE_FILTERS: dict[tuple[str, str], str] = {
    ("aws.ec2", "instance-age"): "LaunchTime",
    ("aws.ec2", "instance-uptime"): "LaunchTime",
    ("aws.ec2", "state-age"): "StateTransitionReason",
    ("aws.ami", "image-age"): "CreationDate",
    ("aws.ebs-snapshot", "age"): "StartTime",
    ("aws.rds-snapshot", "age"): "SnapshotCreateTime",
    ("aws.rds-cluster-snapshot", "age"): "SnapshotCreateTime",
    ("aws.redshift-snapshot", "age"): "SnapshotCreateTime",
    ("aws.cache-snapshot", "age"): "NodeSnapshots",
    ("aws.launch-config", "age"): "CreatedTime",
    ("openstack.server", "age"): "launched_at",
}
"""Resource and filter → the attribute with its date."""

_AGE_OPERATORS = {
    "equal": "at", "not-equal": "not-at", "greater": "before", "greater-or-equal": "not-after",
    "less": "after", "less-or-equal": "not-before",
}  # fmt: skip
"""The threshold stands on the left: greater is older."""


def age_filter(data: Filter, context: Context, at: str) -> Rule:
    """The date of an attribute against now less `days`, `hours` and `minutes`."""
    only_keys(data, {"op", "days", "hours", "minutes"}, at)
    operator = operator_name(data.get("op", "greater-than"), f"{at}.op")
    if operator not in NUMERIC:
        raise InvalidPolicy(f"{at}.op", "an age is compared by an order")
    spans = {name: number_setting(data, name, at) for name in ("days", "hours", "minutes")}
    limit = shifted(context.now, **{name: -span for name, span in spans.items()})
    return Compare("custodian", _AGE_OPERATORS[str(operator)], _dated_attribute(data, context), limit, at)


def _dated_attribute(data: Filter, context: Context) -> Value:
    kind, attribute = str(data["type"]), AGE_FILTERS[context.resource, str(data["type"])]
    place = Path(Document(), (Key(attribute),), attribute)
    if kind == "state-age":
        return Func("custodian", "transition-date", (place,), attribute)
    if attribute == "NodeSnapshots":
        return _earliest(place, ("SnapshotCreateTime",), context)
    launched = Func("custodian", "date", (place,), attribute)
    if kind != "instance-age":
        return launched
    # An instance that was stopped and starts again has a new LaunchTime, its disks have not.
    disks = Path(Document(), (Key("BlockDeviceMappings"),), "BlockDeviceMappings")
    attached = _earliest(disks, ("Ebs", "AttachTime"), context)
    return Func("custodian", "not_null", (attached, launched), "the date of the instance")


def _earliest(array: Path, names: tuple[str, ...], context: Context) -> Func:
    """The earliest date among the elements of an array; null where there is none."""
    binding = context.binding()
    element = Path(Element(binding), tuple(Key(name) for name in names))
    dates = Collect(array, binding, Func("custodian", "date", (element,)), skip_null=True)
    return Func("custodian", "min", (Func("custodian", "not_null", (dates, Const([]))),), array.label)


# --- marks ----------------------------------------------------------------------------------------------------

_DEFAULT_TAGS = {"azure": "custodian_status", "gcp": "custodian_status"}


def marked_for_op(data: Filter, context: Context, at: str) -> Rule:
    """A tag `...: op@date` whose date has come, or comes within `skew` days and `skew_hours`."""
    named = "label" if context.provider == "gcp" else "tag"
    only_keys(data, {named, "op", "skew", "skew_hours", "tz"}, at)
    tag = text_setting(data, named, f"{at}.{named}", _DEFAULT_TAGS.get(context.provider, "maid_status"))
    action = text_setting(data, "op", f"{at}.op", "stop")
    text_setting(
        data, "tz", f"{at}.tz", "utc"
    )  # dates without a zone are read in UTC, others bring their own
    limit = shifted(
        context.now, days=number_setting(data, "skew", at), hours=number_setting(data, "skew_hours", at)
    )
    reading = "label-mark" if context.provider == "gcp" else "tag-mark"
    date = Func("custodian", reading, (tag_value(tag), Const(action)), f"the date in {tag}")
    return Compare("custodian", "not-after", date, limit, at)


def tag_count(data: Filter, context: Context, at: str) -> Rule:
    """How many tags the resource has, those of AWS itself left out."""
    only_keys(data, {"op", "count"}, at)
    operator = operator_name(data.get("op", "gte"), f"{at}.op")
    if operator not in NUMERIC:
        raise InvalidPolicy(f"{at}.op", "a count is compared by an order")
    count = number_setting(data, "count", at, 10)
    return Compare(
        "custodian",
        str(operator),
        Func("custodian", "tag-count", tag_places("tags"), "number of tags"),
        Const(count),
        at,
    )


_MARK_TIME = "^([0-9/-]{10}) ([0-9]{2})([0-9]{2})(?: [A-Z]{3,4})?$"
"""What `mark-for-op` writes where the hour counts: 2026/01/31 0930 UTC."""
_LABEL = r"^(.*)-([0-9]{4})_([0-9]{1,2})_([0-9]{1,2})__([0-9]{1,2})_([0-9]{1,2})$"


def _tag_mark(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    value, action = args
    if not isinstance(value, str) or ":" not in value or "@" not in value:
        return MISSING
    op, found, date = value.rsplit(":", 1)[1].strip().partition("@")
    if not found or op != action:
        return MISSING
    date = re.sub(_MARK_TIME.replace("$", r"\Z"), r"\1 \2:\3", date.strip())
    return _date_or_missing(date)


def _label_mark(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    value, action = args
    found = re.search(_LABEL.replace("$", r"\Z"), value) if isinstance(value, str) else None
    if found is None or not found[1].endswith(str(action)):
        return MISSING
    month, day, hour, minute = (found[n].zfill(2) for n in (3, 4, 5, 6))
    return _date_or_missing(f"{found[2]}-{month}-{day} {hour}:{minute}")


def _date_or_missing(date: str) -> JsonOrMissing:
    found: Json = read_date(date) if re.match("[0-9]{4}[-/]", date) else None
    return MISSING if found is None else found


def _from_text(x: Sql, build: Callable[[Sql], Sql], scope: SqlScope) -> Sql:
    """`build` over the text of a jsonb string, as a date."""
    alias = scope.alias()
    moment = sql(
        f"(select {{}} from (select {{}} as t offset 0) {alias})",
        text_moment(scope.local(f"{alias}.t")),
        build(string_of(x)),
    )
    return closed(dated(by_kind(x, {"string": moment}, Sql("null::timestamptz"))), alias)


def _mark_function(
    evaluate: Callable[[Sequence[JsonOrMissing]], JsonOrMissing], build: Callable[[Sql, str], Sql]
) -> Function:
    def to_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
        action = str(args[1].constant) if len(args) > 1 else ""
        return SqlValue(
            "json", once(args[0], scope, lambda x: _from_text(x, lambda t: build(t, action), scope))
        )

    return Function(evaluate, to_sql)


def _tag_mark_sql(value: Sql, action: str) -> Sql:
    """The date's text after the last colon of `...: op@date`. Most texts are dismissed by a plain search."""
    blanks, marked = text(WHITE_SPACE), text(f"{action}@")
    told = sql("btrim(substring({} from {}), {})", value, text(":([^:]*)$"), blanks)
    date = sql("btrim(substr({}, {}), {})", reading("m", "m.told"), integer(len(action) + 2), blanks)
    found = sql(
        "case when strpos({}, {}) > 0 then (select case when starts_with(m.told, {})"
        " and {} ~ '^[0-9][0-9][0-9][0-9][-/]' then regexp_replace({}, {}, {}) end"
        " from (select {} as told offset 0) m) end",
        *(value, marked, marked, date, date, text(_MARK_TIME), text(r"\1 \2:\3"), told),
    )
    return closed(found, "m")


def _label_mark_sql(value: Sql, action: str) -> Sql:
    def part(number: int) -> Sql:
        return sql("lpad((regexp_match({}, {}))[{}], 2, '0')", value, text(_LABEL), integer(number))

    year = sql("(regexp_match({}, {}))[2]", value, text(_LABEL))
    remainder = sql("(regexp_match({}, {}))[1]", value, text(_LABEL))
    return sql(
        "case when right({}, {}) = {} then {} || '-' || {} || '-' || {} || ' ' || {} || ':' || {} end",
        remainder,
        integer(len(action)),
        text(action),
        year,
        *(part(number) for number in (3, 4, 5, 6)),
    )


_TRANSITION = r"\(([^)\n]*)\)"


def _transition(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    found = re.search(_TRANSITION, args[0]) if isinstance(args[0], str) else None
    return MISSING if found is None else _date_or_missing(found[1])


def _transition_sql(value: Sql, _: str) -> Sql:
    return sql("substring({} from {})", value, text(_TRANSITION))


FUNCTIONS = {
    "tag-mark": _mark_function(_tag_mark, _tag_mark_sql),
    "label-mark": _mark_function(_label_mark, _label_mark_sql),
    "transition-date": _mark_function(_transition, _transition_sql),
}
