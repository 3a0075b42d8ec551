"""What a scan has to look at: the policies it compiles, and which resources each of them is held against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

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
    """Policies of one resource type (None: of any) that one statement judges; `since` None: every resource."""

    type: str | None
    policies: tuple[Ready, ...]
    since: str | None

    @property
    def only_this_type(self) -> bool:
        """Whether its policies look at nothing else, so that their violations need not be told by type."""
        return all(list(policy.types) == [self.type] for policy in self.policies)


@dataclass(frozen=True)
class Changes:
    """What an incremental scan goes by: since which transaction, and the types of the resources changed since."""

    since: str
    types: frozenset[str]
    unjudged: frozenset[str]
    """Policies that the last scan could not evaluate at all: what it skipped must not stay skipped."""

    def concern(self, rule: CompiledRule, stamp: str, policy_id: str) -> bool:
        """Whether the policy may now say something else of resources that did not change."""
        related = not self.types.isdisjoint(rule.related_types)
        return int(stamp) >= int(self.since) or policy_id in self.unjudged or related


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
            members = tuple(by_id[policy_id] for policy_id, _ in policies)
            group = Group(type_, members, None if changed or changes is None else changes.since)
            if type_ is not None and type_ not in types:
                continue
            if changed or changes is None or _is_touched(group, changes):
                groups.append(group)
    return groups


def _is_touched(group: Group, changes: Changes) -> bool:
    return bool(changes.types) if group.type is None else group.type in changes.types


def changes_since_last() -> Changes | None:
    """What changed since the last scan of everything; None where there was none."""
    whole = ScanRun.objects.filter(kind="policy", status="succeeded", policy_id=None, resource_id=None)
    run = whole.order_by("-started_at", "-id").first()
    if run is None or not run.watermark:
        return None
    unjudged = EvaluationError.objects.filter(scan=run, resources=0).values_list("policy_id", flat=True)
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED_TYPES, {"tenant": current_tenant_id(), "since": run.watermark})
        types = frozenset(row[0] for row in cursor.fetchall())
    return Changes(run.watermark, types, frozenset(unjudged))


_CHANGED_TYPES = """
SELECT DISTINCT r.type FROM resources r
WHERE r.tenant_id = %(tenant)s AND r.id IN (
    SELECT id FROM resources WHERE tenant_id = %(tenant)s AND changed_xid >= %(since)s::xid8
    UNION
    SELECT resource_id FROM resource_properties WHERE tenant_id = %(tenant)s AND changed_xid >= %(since)s::xid8)
"""


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
    with connection.cursor() as cursor:
        cursor.execute(_PRESENT_TYPES, {"tenant": current_tenant_id()})
        return frozenset(row[0] for row in cursor.fetchall())


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
