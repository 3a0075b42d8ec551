"""What a scan has to look at: the policies it compiles, and which resources each of them is held against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any

from django.db import connection
from django.db.models import F

from apps.catalog.models import PolicyVersion, Resource
from apps.core.context import current_tenant_id
from apps.rules.compile import CompiledRule
from apps.rules.errors import PolicyError
from apps.rules.sql.query import group_by_type

from ..models import EvaluationError, ScanRun
from ..policy_reader import compile_for_scan

OnError = Callable[[str, str], None]

# The resources of one statement that are named to it. PostgreSQL looks each up in an index.
NAMED_AT_ONCE = 20_000
# So many ids are kept of what changed, some 20 MB. Beyond, an incremental scan judges all resources of the types
# that something changed of; it still writes only what differs.
MOST_NAMED = 250_000


@dataclass(frozen=True)
class Target:
    """The one policy or the one resource that a scan is about; all of them where neither is named."""

    policy_id: str | None = None
    resource_id: str | None = None

    @property
    def is_all(self) -> bool:
        return self.policy_id is None and self.resource_id is None


@dataclass(frozen=True)
class Ready:
    """An active policy, compiled. `stamp` is its row's `changed_xid` as it was read: a policy that changes in
    the midst of a scan is left to the next one. `changed` asks to hold every resource against it."""

    policy_id: str
    rule: CompiledRule
    stamp: str
    changed: bool

    @property
    def types(self) -> Sequence[str | None]:
        """The resource types it looks at; [None] for any."""
        return [None] if self.rule.resource_types is None else sorted(self.rule.resource_types)


@dataclass(frozen=True)
class Group:
    """Policies of one resource type (None: of any) that one statement judges, on the resources `ids`, which are of
    that type; None: on every one."""

    type: str | None
    policies: tuple[Ready, ...]
    ids: tuple[str, ...] | None = None

    @property
    def only_this_type(self) -> bool:
        """Whether its policies look at nothing else, so that their violations need not be told by type."""
        return all(list(policy.types) == [self.type] for policy in self.policies)


@dataclass(frozen=True)
class Changes:
    """What an incremental scan goes by: since which transaction, and which resources changed since, by type.

    They are looked for once, in the snapshot after the one that gives the scan's own watermark: what commits
    later is the next scan's.
    """

    since: str
    types: frozenset[str]
    ids: Mapping[str, Sequence[str]] | None
    """None: too many to name."""
    unjudged: frozenset[str]
    """Policies that the last scan could not evaluate at all: what it skipped must not stay skipped."""
    resources: int = 0
    """How many there were for the last scan: what is shown until this one has counted."""

    def concern(self, rule: CompiledRule, stamp: str, policy_id: str) -> bool:
        """Whether the policy may now say something else of resources that did not change."""
        related = not self.types.isdisjoint(rule.related_types)
        return int(stamp) >= int(self.since) or policy_id in self.unjudged or related

    def named(self, type_: str | None) -> Iterator[tuple[str, ...] | None]:
        """The changed resources of a type (None: of any) in parts that one statement takes; [None] for all there are,
        nothing where none changed."""
        if self.ids is None:
            yield from [None] if type_ is None or type_ in self.types else []
            return
        chosen = chain.from_iterable(self.ids.values()) if type_ is None else self.ids.get(type_, ())
        yield from parts(chosen)

    def policies_changed(self) -> list[str]:
        """Whatever their status: one that is not active any more leaves violations behind."""
        since = {"tenant": current_tenant_id(), "since": self.since, "unjudged": list(self.unjudged)}
        return _column(_POLICIES_CHANGED, since)

    def resources_gone(self) -> list[str]:
        return _column(_RESOURCES_GONE, {"tenant": current_tenant_id(), "since": self.since})


_POLICIES_CHANGED = """
SELECT id FROM policies WHERE tenant_id = %(tenant)s AND (changed_xid >= %(since)s::xid8 OR id = ANY(%(unjudged)s))
"""
_RESOURCES_GONE = """
SELECT id FROM resources
WHERE tenant_id = %(tenant)s AND changed_xid >= %(since)s::xid8 AND status IN ('deleted', 'reported')
"""


def _column(statement: str, values: Mapping[str, Any]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [row[0] for row in cursor.fetchall()]


def parts(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """What one statement takes of the ids, and what the next."""
    rest = iter(ids)
    while part := tuple(islice(rest, NAMED_AT_ONCE)):
        yield part


def compile_policies(
    target: Target, changes: Changes | None, now: datetime, on_error: OnError
) -> tuple[list[Ready], int]:
    """The active policies, and how many of them do not compile any more (told to `on_error`)."""
    versions = PolicyVersion.objects.filter(
        policy__status="active", number=F("policy__current_version")
    ).values_list("policy_id", "policy__language", "definition", "policy__parameters", "policy__changed_xid")
    if target.policy_id is not None:
        versions = versions.filter(policy_id=target.policy_id)
    ready: list[Ready] = []
    broken = 0
    for policy_id, language, definition, parameters, stamp in versions:
        try:
            rule = compile_for_scan(language, definition, parameters, now)
        except PolicyError as error:
            on_error(policy_id, str(error))
            broken += 1
            continue
        changed = changes is None or changes.concern(rule, str(stamp), policy_id)
        ready.append(Ready(policy_id, rule, str(stamp), changed))
    return ready, broken


def groups_of(ready: Iterable[Ready], changes: Changes | None, types: Collection[str]) -> list[Group]:
    """One group a type: a changed policy looks at every resource, the others at changed ones.

    `types` are those that there are resources of: the others have nothing to look at.
    """
    by_id = {policy.policy_id: policy for policy in ready}
    groups: list[Group] = []
    for changed in (True, False):
        chosen = [(p.policy_id, p.rule) for p in by_id.values() if p.changed is changed]
        for type_, policies in sorted(group_by_type(chosen).items(), key=lambda group: group[0] or ""):
            if type_ is not None and type_ not in types:
                continue
            members = tuple(by_id[policy_id] for policy_id, _ in policies)
            named = [None] if changed or changes is None else changes.named(type_)
            groups += [Group(type_, members, ids) for ids in named]
    return groups


def changes_since_last() -> Changes | None:
    """What changed since the last scan of everything; None where there was none."""
    whole = ScanRun.objects.filter(kind="policy", status="succeeded", policy_id=None, resource_id=None)
    run = whole.order_by("-started_at", "-id").first()
    if run is None or not run.watermark:
        return None
    unjudged = EvaluationError.objects.filter(scan=run, resources=0).values_list("policy_id", flat=True)
    values: dict[str, Any] = {"tenant": current_tenant_id(), "since": run.watermark, "most": MOST_NAMED + 1}
    ids: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, values)
        for type_, resource_id in cursor.fetchall():
            ids.setdefault(type_, []).append(resource_id)
        types, few = frozenset(ids), cursor.rowcount <= MOST_NAMED
        if not few:
            types = frozenset(_column(_CHANGED_TYPES, values))
    return Changes(run.watermark, types, ids if few else None, frozenset(unjudged), run.resources)


# Either table has the type and an index that begins with what is asked for: neither is joined with the other.
_SINCE = """
SELECT type, id FROM resources WHERE tenant_id = %(tenant)s AND changed_xid >= %(since)s::xid8
UNION
SELECT type, resource_id FROM resource_properties WHERE tenant_id = %(tenant)s AND changed_xid >= %(since)s::xid8
"""
_CHANGED = f"SELECT type, id FROM ({_SINCE}) c LIMIT %(most)s"  # noqa: S608
_CHANGED_TYPES = f"SELECT DISTINCT type FROM ({_SINCE}) c"  # noqa: S608


# One look into the index for each type that there is, however many resources it has.
_PRESENT_TYPES = """
WITH RECURSIVE known AS (
    (SELECT provider, type FROM resources WHERE tenant_id = %(tenant)s ORDER BY provider, type LIMIT 1)
    UNION ALL
    SELECT next.provider, next.type FROM known k CROSS JOIN LATERAL (
        SELECT provider, type FROM resources
        WHERE tenant_id = %(tenant)s AND (provider, type) > (k.provider, k.type)
        ORDER BY provider, type LIMIT 1) next
)
SELECT DISTINCT type FROM known
"""


def present_types() -> frozenset[str]:
    """The types that the tenant has resources of, deleted ones included."""
    return frozenset(_column(_PRESENT_TYPES, {"tenant": current_tenant_id()}))


def types_of(target: Target) -> frozenset[str]:
    """The types that a scan has to look at."""
    if target.resource_id is None:
        return present_types()
    return frozenset(Resource.objects.filter(pk=target.resource_id).values_list("type", flat=True))


def count_of(target: Target) -> int:
    """How many resources a scan of everything, of one policy or of one resource may look at."""
    there = Resource.objects.exclude(status__in=("deleted", "reported")) | Resource.objects.filter(
        status=None
    )
    return there.filter(pk=target.resource_id).count() if target.resource_id else there.count()
