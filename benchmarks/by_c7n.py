"""The other side: rows fetched from the same tables, judged by c7n's own filters."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import psycopg
from c7n.filters import FilterRegistry

from benchmarks import estate
from benchmarks.policies import ANYWHERE, ONE_TYPE, mixed_policies

Documents = dict[str, list[dict[str, Any]]]


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
