"""Policies as SQL, measured beside c7n on the same rows in one run.

    python benchmarks/policy_engine.py --rows 200000 --dsn "host=127.0.0.1 dbname=scratch"

Makes a schema of its own in the database, fills it with a made-up estate (benchmarks/estate.py), measures, drops it.
"M" is a million resource × policy evaluations a second: every policy is counted for every row of the estate that the
measurement is about, whether or not its type lets the row be looked at; the same for c7n.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
from c7n.filters import FilterRegistry

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from apps.rules.compile import CompiledRule, compile_policy
from apps.rules.sql.query import group_by_type, hits_query
from benchmarks import estate

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TENANT = "00000000-0000-4000-8000-000000000001"
STORAGE = "Microsoft.Storage/storageAccounts"
SCHEMA = "policy_engine_benchmark"
COLUMNS = [
    "id",
    "native_id",
    "provider",
    "type",
    "name",
    "group_name",
    "location",
    "account",
    "tags",
    "status",
]

Policies = list[tuple[str, CompiledRule]]
Documents = dict[str, list[dict[str, Any]]]

_VALUE = {"type": "value"}
# Four about every Azure resource (ours in Azure's language, theirs in c7n's), six about one type in Custodian's.
ANYWHERE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"field": "tags.Owner", "exists": False}, {"tag:Owner": "absent"}),
    ({"field": "tags.env", "exists": False}, {"tag:env": "absent"}),
    (
        {"field": "location", "notIn": ["westeurope", "northeurope", "uksouth"]},
        {**_VALUE, "key": "location", "op": "not-in", "value": ["westeurope", "northeurope", "uksouth"]},
    ),
    ({"field": "name", "like": "vm-*"}, {**_VALUE, "key": "name", "op": "glob", "value": "vm-*"}),
]
ONE_TYPE: list[dict[str, Any]] = [
    {"resource": "azure.storage", "filters": [{"or": [
        {**_VALUE, "key": "properties.allowBlobPublicAccess", "value": True},
        {**_VALUE, "key": "properties.minimumTlsVersion", "op": "ne", "value": "TLS1_2"}]}]},
    {"resource": "azure.networksecuritygroup", "filters": [
        {"type": "list-item", "key": "properties.securityRules", "attrs": [
        {**_VALUE, "key": "properties.access", "value": "Allow"},
        {**_VALUE, "key": "properties.direction", "value": "Inbound"},
        {**_VALUE, "key": "properties.destinationPortRange", "op": "in", "value": ["22", "3389", "*"]}]}]},
    {"resource": "azure.disk", "filters": [
        {**_VALUE, "key": "properties.diskState", "value": "Unattached"},
        {**_VALUE, "key": "properties.timeCreated", "value_type": "age", "op": "gt", "value": 90}]},
    {"resource": "aws.ec2", "filters": [
        {**_VALUE, "key": "MetadataOptions.HttpTokens", "op": "ne", "value": "required"},
        {**_VALUE, "key": "InstanceType", "op": "glob", "value": "p3.*"}]},
    {"resource": "aws.rds", "filters": [
        {"or": [
            {**_VALUE, "key": "StorageEncrypted", "value": False},
            {**_VALUE, "key": "PubliclyAccessible", "value": True}]},
        {**_VALUE, "key": "BackupRetentionPeriod", "op": "lt", "value": 7}]},
    {"resource": "aws.security-group", "filters": [
        {**_VALUE, "key": "IpPermissions[].IpRanges[].CidrIp", "op": "contains", "value": "0.0.0.0/0"}]},
]  # fmt: skip

_FIELDS = [
    "allowBlobPublicAccess", "minimumTlsVersion", "supportsHttpsTrafficOnly", "allowSharedKeyAccess", "accessTier",
    "publicNetworkAccess", "isHnsEnabled", "isNfsV3Enabled", "networkAcls.defaultAction", "networkAcls.bypass",
    "encryption.keySource", "encryption.services.blob.enabled",
]  # fmt: skip


def mixed_policies() -> Policies:
    """Ten policies: four about every resource of a cloud, six about one type each."""
    documents = [({"if": ours, "then": {"effect": "audit"}}, "azure") for ours, _ in ANYWHERE]
    documents += [({"name": f"mixed-{i}", **each}, "custodian") for i, each in enumerate(ONE_TYPE)]
    return [
        (f"mixed-{i}", compile_policy(document, language=language, now=NOW))
        for i, (document, language) in enumerate(documents)
    ]


def storage_policies(count: int) -> Policies:
    """Policies on one type; each reads two of twelve places."""
    made = []
    for i in range(count):
        first, second = _FIELDS[i % len(_FIELDS)], _FIELDS[(i * 5 + 1) % len(_FIELDS)]
        one = {"field": f"{STORAGE}/{first}", "equals": f"v{i}"}
        other = {"field": f"{STORAGE}/{second}", "equals": f"w{i}"}
        condition = {"allOf": [{"field": "type", "equals": STORAGE}, {"anyOf": [one, other]}]}
        made.append(
            (
                f"storage-{i}",
                compile_policy({"if": condition, "then": {"effect": "audit"}}, language="azure", now=NOW),
            )
        )
    return made


# --- the database ----------------------------------------------------------------------------------------------------


def load(connection: psycopg.Connection, rows: Sequence[estate.Row]) -> None:
    """The estate in two tables, ordered by type; documents stand in line up to 8 KB."""
    connection.execute(f"drop schema if exists {SCHEMA} cascade")
    connection.execute(f"create schema {SCHEMA}")
    connection.execute(f"set search_path to {SCHEMA}")
    connection.execute(
        "create table resources (id text primary key, tenant_id uuid not null, native_id text, provider text not null,"
        " type text not null, name text not null, group_name text, location text, account text, tags jsonb not null,"
        " status text, changed_xid xid8 not null default pg_current_xact_id())"
    )
    connection.execute(
        "create table resource_properties (resource_id text primary key, tenant_id uuid not null, type text not null,"
        " properties jsonb not null, changed_xid xid8 not null default pg_current_xact_id())"
        " with (toast_tuple_target = 8160)"
    )
    connection.execute("alter table resource_properties alter properties set storage main")
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy resources (tenant_id, {', '.join(COLUMNS)}) from stdin") as copy,
    ):
        for row in rows:
            copy.write_row([TENANT, *(json.dumps(row[c]) if c == "tags" else row[c] for c in COLUMNS)])
    names = "tenant_id, resource_id, type, properties"
    with connection.cursor() as cursor, cursor.copy(f"copy resource_properties ({names}) from stdin") as copy:
        for row in rows:
            copy.write_row([TENANT, row["id"], row["type"], json.dumps(row["properties"])])
    connection.execute("create index on resources (tenant_id, type)")
    connection.execute("create index on resources (tenant_id, changed_xid)")
    connection.execute("create index on resource_properties (tenant_id, type)")
    connection.execute("create index on resource_properties (tenant_id, changed_xid)")
    connection.execute(
        "create table violations (policy_id text, resource_id text, reason text, status text not null default 'open',"
        " primary key (policy_id, resource_id))"
    )
    for table in ("resources", "resource_properties"):
        connection.execute(f"vacuum analyze {table}")


def best(work: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    """The shortest of some runs, in seconds, and what the last one gave."""
    shortest, result = float("inf"), None
    for _ in range(rounds):
        started = time.perf_counter()
        result = work()
        shortest = min(shortest, time.perf_counter() - started)
    return shortest, result


def hits(connection: psycopg.Connection, policies: Policies, **rows: Any) -> set[tuple[str, str]]:
    """(policy, resource) of every hit: one statement a type."""
    found: set[tuple[str, str]] = set()
    for resource_type, members in group_by_type(policies).items():
        query = hits_query(
            members, tenant_id=TENANT, resource_type=resource_type, typed_documents=True, **rows
        )
        found.update(
            (row[1], row[0]) for row in connection.execute(query.text, query.params) if row[2] == "hit"
        )
    return found


def count(connection: psycopg.Connection, policies: Policies, counted: str = "reason", **rows: Any) -> int:
    """How many hits there are; the rows stay in the database. Reasons are made if they are what is counted."""
    total = 0
    for resource_type, members in group_by_type(policies).items():
        query = hits_query(
            members, tenant_id=TENANT, resource_type=resource_type, typed_documents=True, **rows
        )
        row = connection.execute(f"select count({counted}) from ({query.text}) h", query.params).fetchone()
        total += row[0] if row else 0
    return total


def diff(connection: psycopg.Connection, policies: Policies, **rows: Any) -> int:
    """Violations opened and closed by comparing hits with what is there; rows that do not change are not written."""
    written = 0
    for resource_type, members in group_by_type(policies).items():
        query = hits_query(
            members, tenant_id=TENANT, resource_type=resource_type, typed_documents=True, **rows
        )
        opened = connection.execute(
            f"insert into violations (policy_id, resource_id, reason) select h.policy_id, h.resource_id, h.reason"
            f" from ({query.text}) h where not exists (select 1 from violations v"
            f" where v.policy_id = h.policy_id and v.resource_id = h.resource_id)",
            query.params,
        )
        written += opened.rowcount
    return written


# --- c7n -------------------------------------------------------------------------------------------------------------


class _Model:
    """What c7n calls a resource's model: the key that its identity is under."""

    id = "benchmark:id"


class _Manager:
    """As much of a c7n resource manager as filters that look at the resource alone ask for."""

    type = "benchmark"
    config = None
    data: dict[str, Any] = {}
    ctx = SimpleNamespace(
        session_factory=None,
        options=None,
        tracer=SimpleNamespace(subsegment=lambda name: nullcontext()),
    )

    def get_model(self) -> type[_Model]:
        return _Model


def c7n_filters() -> list[tuple[list[str], list[Any]]]:
    """The ten policies as c7n's own filters, with the types that each is about."""
    registry = FilterRegistry("benchmark")
    every = [kind for provider, kind, _, _ in estate.KINDS if provider == "azure"]
    asked = [(every, [theirs]) for _, theirs in ANYWHERE]
    for (_, rule), policy in zip(mixed_policies()[len(ANYWHERE) :], ONE_TYPE, strict=True):
        asked.append(
            (
                [kind for _, kind, _, _ in estate.KINDS if kind in (rule.resource_types or ())],
                policy["filters"],
            )
        )
    return [(kinds, registry.parse([dict(each) for each in filters], _Manager())) for kinds, filters in asked]


def by_c7n(documents: Documents, policies: list[tuple[list[str], list[Any]]]) -> set[tuple[str, str]]:
    """(policy, resource) of every hit, by c7n, over documents by type."""
    found = set()
    for number, (kinds, filters) in enumerate(policies):
        left = [document for kind in kinds for document in documents.get(kind, [])]
        for each in filters:
            left = each.process(left)
        found.update((f"mixed-{number}", document[_Model.id]) for document in left)
    return found


def fetch(connection: psycopg.Connection, limit: int) -> Documents:
    """The first rows' documents, decoded, by type."""
    rows = connection.execute(
        "select r.type, r.id, r.name, r.location, r.tags, p.properties"
        " from resources r join resource_properties p on p.resource_id = r.id"
        " where r.id < %s order by r.type",
        (f"r{limit:08d}",),
    ).fetchall()
    return {
        kind: [
            {"name": name, "location": location, "tags": tags, **document, _Model.id: identity}
            for _, identity, name, location, tags, document in group
        ]
        for kind, group in groupby(rows, key=lambda row: row[0])
    }


# --- the table -------------------------------------------------------------------------------------------------------


def measure(connection: psycopg.Connection, total: int) -> list[tuple[str, str, str]]:
    """What was measured, the figure, and what it is compared with."""
    lines: list[tuple[str, str, str]] = []
    ten = mixed_policies()
    sample = min(total, 20_000)
    filters = c7n_filters()
    fetching, documents = best(lambda: fetch(connection, sample), 2)
    evaluating, expected = best(lambda: by_c7n(documents, filters), 2)
    mine = {hit for hit in hits(connection, ten) if hit[1] < f"r{sample:08d}"}
    if mine != expected:
        raise SystemExit(
            f"SQL and c7n differ: {len(mine - expected)} only by SQL, {len(expected - mine)} only by c7n"
        )
    memory, whole = 10 * sample / evaluating / 1e6, 10 * sample / (evaluating + fetching) / 1e6
    lines.append((f"c7n, rows in memory ({sample:,} rows)", f"{memory:.2f} M", ""))
    lines.append((f"c7n, with the fetch ({sample:,} rows)", f"{whole:.2f} M", ""))
    seconds, found = best(lambda: count(connection, ten))
    rate = 10 * total / seconds / 1e6
    plain = 10 * total / best(lambda: count(connection, ten, "policy_id"))[0] / 1e6
    lines.append(
        ("SQL, mixed 10 policies, no reasons", f"{plain:.2f} M", f"{plain / whole:.0f} × c7n with the fetch")
    )
    lines.append(
        (
            f"SQL, mixed 10 policies, {found:,} reasons",
            f"{rate:.2f} M",
            f"{rate / whole:.0f} × c7n with the fetch",
        )
    )
    lines += one_type(connection)
    first, opened = best(lambda: diff(connection, ten), 1)
    again, written = best(lambda: diff(connection, ten))
    lines.append((f"first scan, {opened:,} violations opened", f"{first:.2f} s", ""))
    lines.append(
        (f"the same again, {written} rows written", f"{again:.2f} s", f"{again / first:.2f} × the first")
    )
    lines.append(changed(connection, ten, total, again))
    return lines


def one_type(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Many policies on one type, in one statement and in separate ones."""
    lines = []
    row = connection.execute("select count(*) from resources where type = %s", (STORAGE.lower(),)).fetchone()
    rows = row[0] if row else 0
    for number in (10, 50, 200):
        policies = storage_policies(number)
        together, _ = best(lambda policies=policies: count(connection, policies))
        few = policies[:10]
        apart, _ = best(lambda few=few: [count(connection, [each]) for each in few], 2)
        apart *= number / len(few)
        lines.append((
            f"SQL, {number} policies on one type ({rows:,} rows)",
            f"{number * rows / together / 1e6:.2f} M",
            f"{apart / together:.1f} × separate statements",
        ))  # fmt: skip
    return lines


def changed(connection: psycopg.Connection, ten: Policies, total: int, full: float) -> tuple[str, str, str]:
    """An incremental pass over one row in a hundred."""
    since = connection.execute("select pg_current_xact_id()::text").fetchone()
    connection.execute(
        "update resource_properties set changed_xid = pg_current_xact_id() where resource_id like %s",
        ("%00",),
    )
    connection.execute("analyze resource_properties")
    seconds, _ = best(lambda: diff(connection, ten, changed_since=since[0] if since else 0))
    return (
        f"1 % changed ({total // 100:,} rows)",
        f"{seconds * 1e3:.0f} ms",
        f"{100 * seconds / full:.1f} % of a full pass",
    )


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rows", type=int, default=200_000)
    arguments.add_argument("--dsn", required=True)
    given = arguments.parse_args()
    with psycopg.connect(given.dsn, autocommit=True) as connection:
        connection.execute("set jit = off")
        connection.execute("set max_parallel_workers_per_gather = 0")
        connection.execute("set work_mem = '64MB'")
        load(connection, sorted(estate.rows(given.rows), key=lambda row: row["type"]))
        try:
            lines = measure(connection, given.rows)
        finally:
            connection.execute(f"drop schema {SCHEMA} cascade")
        version = connection.info.server_version // 10_000
    print(
        f"{given.rows:,} rows, PostgreSQL {version}, one process,"
        f" Python {platform.python_version()}, {platform.machine()}"
    )
    width = max(len(name) for name, _, _ in lines)
    for name, figure, compared in lines:
        print(f"{name:<{width}}  {figure:>9}  {compared}")


if __name__ == "__main__":
    main()
