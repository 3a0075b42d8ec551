"""What a past day is told to have been equals what was seen on that day, whatever happened before and since."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apps.catalog.models import Policy, Resource
from apps.core.context import Actor, tenant_transaction
from apps.core.errors import GovernanceError
from apps.findings.filters import in_force
from apps.findings.history import (
    as_of_day,
    counts_before,
    daily_drift,
    database_now,
    exceptions_before,
    midnight,
    standing_before,
)
from apps.findings.models import PolicyException, Violation
from apps.findings.queries import violation_counts
from apps.findings.services.exceptions import (
    approve_exception,
    reject_exception,
    request_exception,
    revoke_exception,
    sweep_exceptions,
)
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.estate import make_tenant, make_users
from tests.fixtures.rows import make_policy, make_resource

pytestmark = pytest.mark.django_db(transaction=True)
POLICIES, RESOURCES = 3, 3
# A failing history is told as it is: the clock takes part in it, so a shorter one need not fail.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
SEVERITIES = ("low", "high", "critical")

pairs = st.tuples(st.integers(0, POLICIES - 1), st.integers(0, RESOURCES - 1))
severities = st.sampled_from(SEVERITIES)
terms = st.sampled_from((None, 5, 60, 100_000))  # milliseconds
steps = st.one_of(
    st.tuples(st.just("found"), pairs, severities),
    st.tuples(st.just("weighed"), pairs, severities),
    st.tuples(st.just("fixed"), pairs),
    st.tuples(st.just("reopened"), pairs),
    st.tuples(st.just("suppressed"), pairs, terms),
    st.tuples(st.just("touched"), pairs),
    st.tuples(st.just("removed"), pairs),
    st.tuples(st.just("asked"), pairs, terms),
    st.tuples(st.just("approved")),
    st.tuples(st.just("rejected")),
    st.tuples(st.just("revoked")),
    st.tuples(st.just("swept")),
    st.tuples(st.just("waited")),
    st.tuples(st.just("slept")),
)


@dataclass
class Seen:
    """What people saw at `at`; `standing` holds the terms too, for what the clock ends until midnight."""

    at: datetime
    counts: Counter[tuple[str, str, str]]
    standing: dict[uuid.UUID, tuple[str, str, str, datetime | None]]
    in_force: set[uuid.UUID]


@dataclass
class World:
    """A tenant, the policies and resources that its history is about, and what was seen of it when."""

    tenant_id: uuid.UUID
    users: dict[Role, User]
    policies: list[Policy] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def act(self, step: tuple[Any, ...]) -> None:
        name, *values = step
        if name == "slept":
            self.let_a_day_pass()
            return
        if name == "waited":
            time.sleep(0.012)
            return
        if name == "removed":
            self.as_owner(
                "DELETE FROM violations WHERE policy_id = %s AND resource_id = %s", self.ids(values[0])
            )
            return
        actor = self.users[Role.APPROVER if name in ("approved", "rejected") else Role.OPERATOR]
        # Refused where its term is already over: then nothing has changed.
        with (
            contextlib.suppress(GovernanceError),
            tenant_transaction(self.tenant_id, Actor.user(actor.pk)),
        ):
            getattr(self, name)(*values)

    def ids(self, pair: tuple[int, int]) -> list[str]:
        return [self.policies[pair[0]].pk, self.resources[pair[1]].pk]

    def of(self, pair: tuple[int, int]) -> Any:
        policy, resource = self.ids(pair)
        return Violation.objects.filter(policy_id=policy, resource_id=resource)

    def found(self, pair: tuple[int, int], severity: str) -> None:
        policy, resource = self.ids(pair)
        if not self.of(pair).exists():
            Violation.objects.create(policy_id=policy, resource_id=resource, severity=severity, reason="r")

    def weighed(self, pair: tuple[int, int], severity: str) -> None:
        self.of(pair).update(severity=severity)

    def fixed(self, pair: tuple[int, int]) -> None:
        self.of(pair).update(status="fixed", suppressed_until=None, exception_id=None)

    def reopened(self, pair: tuple[int, int]) -> None:
        self.of(pair).update(status="open", suppressed_until=None, exception_id=None)

    def suppressed(self, pair: tuple[int, int], term: int | None) -> None:
        self.of(pair).update(status="suppressed", suppressed_until=self.end(term), exception_id=uuid.uuid4())

    def touched(self, pair: tuple[int, int]) -> None:
        self.of(pair).update(last_seen=database_now())

    def asked(self, pair: tuple[int, int], term: int | None) -> None:
        request_exception(
            policy=self.policies[pair[0]],
            resource=self.resources[pair[1]],
            reason="r",
            expires_at=self.end(term),
        )

    def approved(self) -> None:
        self.decided(approve_exception, "pending")

    def rejected(self) -> None:
        self.decided(reject_exception, "pending", reason="no")

    def revoked(self) -> None:
        self.decided(revoke_exception, "approved", reason="over")

    def decided(self, service: Any, status: str, **values: Any) -> None:
        exception = PolicyException.objects.filter(status=status).order_by("created_at").first()
        if exception is not None:
            service(exception=exception, **values)

    def swept(self) -> None:
        sweep_exceptions()

    @staticmethod
    def end(term: int | None) -> datetime | None:
        return None if term is None else database_now() + timedelta(milliseconds=term)

    def look(self) -> None:
        with tenant_transaction(self.tenant_id):
            counts = Counter({(c.policy_id, c.severity, c.status): c.n for c in violation_counts()})
            rows = Violation.objects.exclude(status="fixed")
            self.seen.append(
                Seen(
                    at=database_now() + timedelta(microseconds=1),
                    counts=counts,
                    standing={
                        v.pk: (v.policy_id or "", v.severity, v.status, v.suppressed_until) for v in rows
                    },
                    in_force=set(PolicyException.objects.filter(in_force()).values_list("pk", flat=True)),
                )
            )

    def let_a_day_pass(self) -> None:
        """Everything that was becomes a day older, in the records and in what was seen."""
        self.look()
        self.as_owner(*AGED)
        day = timedelta(days=1)
        for seen in self.seen:
            seen.at -= day
            seen.standing = {
                pk: (p, s, status, until and until - day)
                for pk, (p, s, status, until) in seen.standing.items()
            }

    def as_owner(self, statements: str, values: list[Any] | None = None) -> None:
        to = connections["owner"].settings_dict
        with psycopg.connect(
            host=to["HOST"],
            port=to["PORT"] or 5432,
            user=to["USER"],
            password=to["PASSWORD"],
            dbname=to["NAME"],
        ) as owner:
            for statement in statements.split(";"):
                owner.execute(statement, values)


AGED = (
    """
    ALTER TABLE violations DISABLE TRIGGER USER;
    ALTER TABLE exceptions DISABLE TRIGGER USER;
    UPDATE violations SET suppressed_until = suppressed_until - interval '1 day', first_seen = first_seen - interval '1 day',
        last_seen = last_seen - interval '1 day';
    UPDATE exceptions SET expires_at = expires_at - interval '1 day', decided_at = decided_at - interval '1 day',
        created_at = created_at - interval '1 day';
    ALTER TABLE violations ENABLE TRIGGER USER;
    ALTER TABLE exceptions ENABLE TRIGGER USER;
    UPDATE violation_events SET at = at - interval '1 day', recorded_at = recorded_at - interval '1 day',
        suppressed_until = suppressed_until - interval '1 day';
    UPDATE exception_events SET at = at - interval '1 day', expires_at = expires_at - interval '1 day';
    CREATE TEMPORARY TABLE aged ON COMMIT DROP AS SELECT * FROM posture_days;
    DELETE FROM posture_days;
    INSERT INTO posture_days SELECT * FROM aged;
    UPDATE posture_days SET day = day - 10000;
    UPDATE posture_days SET day = day + 9999
    """,
)


def make_world() -> World:
    tenant = make_tenant("Past")
    world = World(tenant.id, make_users(tenant))
    with tenant_transaction(tenant.id, Actor.system("test")):
        world.policies = [make_policy(f"policy-{n}") for n in range(POLICIES)]
        world.resources = [make_resource(n) for n in range(RESOURCES)]
    return world


def shown(status: str, until: datetime | None, before: datetime) -> str:
    return "open" if status == "suppressed" and until is not None and until < before else status


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=NO_SHRINKING)
@given(history=st.lists(steps, min_size=4, max_size=24))
def test_a_past_instant_is_told_as_it_was_seen(
    django_db_blocker: Any, history: list[tuple[Any, ...]]
) -> None:
    world = make_world()
    for step in history:
        world.act(step)
        world.look()
    with tenant_transaction(world.tenant_id):
        for seen in world.seen:
            told = {(c.policy_id, c.severity, c.status): c.n for c in counts_before(seen.at)}
            assert told == dict(seen.counts), seen.at
            standing = {
                e.violation_id: (e.policy_id or "", e.severity, e.shown_status)
                for e in standing_before(seen.at)
            }
            assert standing == {
                pk: (policy, severity, shown(status, until, seen.at))
                for pk, (policy, severity, status, until) in seen.standing.items()
            }
            then = exceptions_before(seen.at).filter(then="approved")
            assert set(then.values_list("pk", flat=True)) == seen.in_force
        assert daily_drift() == []


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=NO_SHRINKING)
@given(days=st.lists(st.lists(steps.filter(lambda s: s[0] != "slept"), max_size=6), min_size=2, max_size=4))
def test_the_end_of_a_day_is_told_as_it_was_seen(
    django_db_blocker: Any, days: list[list[tuple[Any, ...]]]
) -> None:
    world = make_world()
    last: list[Seen] = []
    for steps_of_day in days:
        for step in steps_of_day:
            world.act(step)
        world.let_a_day_pass()
        last.append(world.seen[-1])
    with tenant_transaction(world.tenant_id):
        for seen in last:
            bound = as_of_day(seen.at.date()).before
            assert bound == midnight(seen.at.date() + timedelta(days=1))
            expected: Counter[tuple[str, str, str]] = Counter(
                {key: n for key, n in seen.counts.items() if key[2] == "fixed"}
            )
            for policy, severity, status, until in seen.standing.values():
                expected[policy, severity, shown(status, until, bound)] += 1
            told = {(c.policy_id, c.severity, c.status): c.n for c in counts_before(bound)}
            assert told == dict(expected), seen.at
