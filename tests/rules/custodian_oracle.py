"""Three ways to the outcome of a Custodian rule: the SQL, the reference evaluator, and c7n itself."""

from __future__ import annotations

import contextlib
import copy
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import time_machine
from c7n.filters import FilterRegistry
from c7n.manager import ResourceManager
from c7n.resources.ami import ImageAgeFilter
from c7n.resources.ebs import SnapshotAge
from c7n.resources.ec2 import InstanceAgeFilter, StateTransitionAge, UpTimeFilter
from c7n.resources.vpc import IPPermission, IPPermissionEgress
from c7n.tags import TagActionFilter, TagCountFilter
from c7n.utils import format_string_values
from c7n.varfmt import VarFormat

from apps.rules.errors import EvaluationError
from apps.rules.evaluate import Resource, evaluate
from apps.rules.sql.fragment import Sql, sql
from apps.rules.sql.scope import Columns
from apps.rules.sql.translate import Translator
from apps.rules.tree import Rule

CORPORA = Path(os.environ.get("CORPORA_DIR") or Path(__file__).resolve().parents[3] / "shared" / "corpora")
TENANT = "00000000-0000-4000-8000-000000000001"
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
ACCOUNT = "644160558196"

_BY_TRUTH = {(True, False): "true", (False, True): "false", (False, False): "error"}


def by_sql(
    connection: psycopg.Connection,
    rule: Rule,
    documents: Sequence[str],
    *,
    type: str = "aws.ec2",
    **columns: Any,
) -> list[str]:
    """The outcome of the rule for each document (JSON text): true, false or error."""
    layers = Columns()
    truth = Translator(layers, TENANT).truth(rule)
    texts = {"type": type, "account": ACCOUNT, "location": "us-east-1", "provider": "aws", **columns}
    held = ", ".join(f"%s::{'jsonb' if name == 'tags' else 'text'} as {name}" for name in texts)
    values = [json.dumps(value) if name == "tags" else value for name, value in texts.items()]
    base = Sql(
        f"select ord as id, 1 as tenant_id, {held}, doc from unnest(%s::jsonb[]) with ordinality q(doc, ord)",
        (*values, list(documents)),
    )
    if "tags" not in texts:
        base = Sql(base.text.replace(", doc from", ", '{}'::jsonb as tags, doc from"), base.params)
    made = layers.layered(base, [truth.holds, truth.false])
    asked = sql("select {}, {} from ({}) x order by x.id", *made.readers, made.rows)
    return [_BY_TRUTH[found] for found in connection.execute(asked.text, asked.params).fetchall()]


def by_reference(rule: Rule, documents: Sequence[str], *, type: str = "aws.ec2", **columns: Any) -> list[str]:
    """As `by_sql`, by the reference evaluator."""
    texts = {"account": ACCOUNT, "location": "us-east-1", "provider": "aws", **columns}
    return [_evaluated(rule, Resource(type=type, properties=_as_stored(each), **texts)) for each in documents]


def _as_stored(document: str) -> Any:
    """A document with its keys in the order in which jsonb keeps them."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: ordered(value[key]) for key in sorted(value, key=lambda k: (len(k.encode()), k.encode()))
            }
        return [ordered(item) for item in value] if isinstance(value, list) else value

    return ordered(json.loads(document, parse_float=Decimal))


def _evaluated(rule: Rule, resource: Resource) -> str:
    try:
        return str(evaluate(rule, resource)).lower()
    except EvaluationError:
        return "error"


class _Model:
    id = "c7n:_id"


class _Manager(ResourceManager):
    filter_registry = FilterRegistry("filters")
    type = "ec2"

    def get_model(self) -> type[_Model]:
        return _Model


for _name, _filter in {
    "marked-for-op": TagActionFilter,
    "tag-count": TagCountFilter,
    "image-age": ImageAgeFilter,
    "instance-age": InstanceAgeFilter,
    "instance-uptime": UpTimeFilter,
    "state-age": StateTransitionAge,
    "age": SnapshotAge,
    "ingress": IPPermission,
    "egress": IPPermissionEgress,
}.items():
    _Manager.filter_registry.register(_name, _filter)


def _context() -> SimpleNamespace:
    tracer = SimpleNamespace(subsegment=lambda _: contextlib.nullcontext())
    options = SimpleNamespace(cache=None, cache_period=0, account_id=ACCOUNT, region="us-east-1")
    return SimpleNamespace(session_factory=None, options=options, tracer=tracer, policy=None)


def by_c7n(filters: list[Any], documents: Sequence[str], now: datetime = NOW) -> list[str]:
    """The outcome of c7n's own filters for each document; "error" where c7n raises."""
    outcomes = []
    filters = format_string_values(
        filters, formatter=VarFormat().format, account_id=ACCOUNT, region="us-east-1", partition="aws"
    )
    with time_machine.travel(now, tick=False):
        for document in documents:
            row = _as_stored_floats(document) | {"c7n:_id": "1"}
            try:
                manager = _Manager(_context(), {"filters": copy.deepcopy(filters)})
                outcomes.append(str(bool(manager.filter_resources([row]))).lower())
            except Exception:
                outcomes.append("error")
    return outcomes


def _as_stored_floats(document: str) -> Any:
    return json.loads(json.dumps(_as_stored(document), default=float))
