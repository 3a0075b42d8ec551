"""Exceptions for filtered sets, terms, renewals, ends and overlaps: what is hidden, until when, and every count."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from apps.catalog.models import Policy, Resource
from apps.core.context import tenant_transaction
from apps.core.errors import IllegalTransition, InvalidInput, Refused, StaleState
from apps.findings.models import PolicyException, Violation
from apps.findings.queries import counter_drift, exceptions, violation_counts, violations
from apps.findings.scope import Scope, scope_of_filters
from apps.findings.services.exception_rules import exception_rules, set_exception_rules
from apps.findings.services.exception_sql import covered_counts
from apps.findings.services.exception_warnings import warn_of_expiry
from apps.findings.services.exceptions import (
    approve_exception,
    close_exception,
    reject_exception,
    request_exception,
    revoke_exception,
    settle_exceptions,
    sweep_exceptions,
)
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.running import run_job
from apps.notices.models import Notice
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import UNOWNED_BUCKETS, acting_as, bucket, import_policy, import_rows

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
DAY = timedelta(days=1)


def scan(tenant: Tenant) -> None:
    with tenant_transaction(tenant.id):
        job = start_policy_scan(send=False)
    done = run_job(tenant.id, job.pk)
    assert done is not None and done.status == "succeeded", done and done.error


@pytest.fixture
def estate(in_tenant: Tenant, users: Users) -> Tenant:
    """Buckets 0 to 5 of accounts 1 and 2 in turn pairs; the even ones have no owner and break the policy."""
    User.objects.update(email="somebody@example.org")
    import_rows([bucket(n) | {"account": str(1 + n // 4)} for n in range(6)])
    import_policy(UNOWNED_BUCKETS)
    scan(in_tenant)
    return in_tenant


def ask(users: Users, *, days: float = 10, by: Role = Role.OPERATOR, **what: Any) -> PolicyException:
    with acting_as(users[by]):
        if not {"scope", "resource", "renews"} & what.keys():
            what["policy"] = Policy.objects.get()
        return request_exception(reason="Public web site", expires_at=timezone.now() + days * DAY, **what)


def grant(users: Users, exception: PolicyException) -> PolicyException:
    with acting_as(users[Role.APPROVER]):
        return approve_exception(exception=PolicyException.objects.get(pk=exception.pk))


def account(number: int, *, later: bool = False) -> Scope:
    return scope_of_filters({"account": str(number)}, later=later)


def shown() -> dict[str, int]:
    """{shown status: n}, by the counters; they agree with the rows."""
    assert counter_drift() == []
    counts: dict[str, int] = {}
    for count in violation_counts():
        counts[count.status] = counts.get(count.status, 0) + count.n
    by_query: dict[str, int] = {}
    for status in violations().values_list("shown_status", flat=True):
        by_query[status] = by_query.get(status, 0) + 1
    assert counts == by_query
    return counts


def excepted() -> list[str]:
    rows = violations().filter(shown_status="suppressed").order_by("resource__name")
    return list(rows.values_list("resource__name", flat=True))


# --- filtered sets ------------------------------------------------------------------------------------------


def test_a_filtered_set_hides_what_passes_its_filters(estate: Tenant, users: Users) -> None:
    exception = ask(users, scope=account(1))
    assert exception.selector == {"account": "1", "later": False}
    assert exception.subject["violations"] == 2
    grant(users, exception)
    assert excepted() == ["bucket-0", "bucket-2"]
    assert shown() == {"open": 1, "suppressed": 2}


def test_without_later_a_new_violation_stays_open(estate: Tenant, users: Users) -> None:
    grant(users, ask(users, scope=account(1)))
    import_rows([bucket(8) | {"account": "1"}])
    scan(estate)
    # The scan's transaction is the test's: a violation that it opens now is as old as the request.
    Violation.objects.filter(resource__name="bucket-8").update(first_seen=timezone.now() + DAY)
    settle_exceptions(since=timezone.now() + DAY)
    assert excepted() == ["bucket-0", "bucket-2"]
    assert shown() == {"open": 2, "suppressed": 2}


def test_with_later_a_scan_opens_what_matches_as_excepted(estate: Tenant, users: Users) -> None:
    exception = grant(users, ask(users, scope=account(1, later=True)))
    import_rows([bucket(8) | {"account": "1"}, bucket(10) | {"account": "2"}])
    scan(estate)
    new = Violation.objects.get(resource__name="bucket-8")
    assert (new.status, new.exception_id, new.suppressed_until) == (
        "suppressed", exception.pk, exception.expires_at,
    )  # fmt: skip
    assert Violation.objects.get(resource__name="bucket-10").status == "open"
    assert shown() == {"open": 2, "suppressed": 3}


def test_what_no_longer_passes_the_filters_is_open_after_the_next_scan(estate: Tenant, users: Users) -> None:
    grant(users, ask(users, scope=scope_of_filters({"severity": ["high"]}, later=True)))
    assert shown() == {"suppressed": 3}
    Policy.objects.update(severity="critical")
    scan(estate)
    assert shown() == {"open": 3}


def test_a_set_is_bounded_by_policy_and_times_too(estate: Tenant, users: Users) -> None:
    policy = Policy.objects.get()
    scope = scope_of_filters(
        {"policy": policy.pk, "provider": "aws", "type": "aws.s3", "first_seen_before": "2099-01-01"},
        later=True,
    )
    exception = ask(users, scope=scope)
    assert exception.policy_id == policy.pk
    assert exception.selector == {
        "provider": ["aws"], "type": "aws.s3", "first_seen_before": "2099-01-01T00:00:00+00:00", "later": True,
    }  # fmt: skip
    grant(users, exception)
    assert shown() == {"suppressed": 3}


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({}, "filters"),
        ({"status": "open"}, "filters"),
        ({"shown_status": "fixed"}, "shown_status"),
        ({"last_seen_after": "2026-01-01"}, "last_seen_after"),
        ({"colour": "red"}, "colour"),
        ({"severity": ["grave"]}, "severity"),
        ({"first_seen_after": "soon"}, "first_seen_after"),
        ({"policy": "p-none"}, "policy"),
        ({"account": "a\x00b"}, "account"),
    ],
)
def test_filters_that_can_not_bound_an_exception_are_refused_by_name(
    estate: Tenant, users: Users, filters: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        scope_of_filters(filters, later=False)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "selector",
    ['{"colour": "red"}', '{"severity": "high"}', "[]", '{"first_seen_after": "soon"}', '{"later": "yes"}'],
)
def test_raw_sql_can_not_store_a_selector_that_scans_can_not_read(
    estate: Tenant, users: Users, selector: str
) -> None:
    with (
        acting_as(users[Role.OPERATOR]),
        connection.cursor() as cursor,
        pytest.raises(IntegrityError, match="selector"),
        transaction.atomic(),
    ):
        cursor.execute(
            "INSERT INTO exceptions (id, tenant_id, selector, reason, status, created_by)"
            " VALUES (gen_random_uuid(), %s, %s, 'r', 'pending', %s)",
            [estate.pk, selector, users[Role.OPERATOR].pk],
        )


@pytest.mark.parametrize(
    "filters",
    [
        {"severity": ["high"]},
        {"severity": ["low", "critical"]},
        {"provider": "aws", "account": "2"},
        {"type": "aws.s3"},
        {"type": "aws.ec2"},
        {"account": "1", "first_seen_after": "2020-01-01"},
        {"first_seen_before": "2020-01-01"},
        {"account": "nobody's"},
    ],
)
@pytest.mark.parametrize("later", [True, False])
def test_the_two_ways_to_say_what_is_covered_agree(
    estate: Tenant, users: Users, filters: dict[str, Any], later: bool
) -> None:
    exception = ask(users, scope=scope_of_filters(filters, later=later))
    by_orm = Scope.of(exception).violations().exclude(status="fixed").count()
    by_sql = sum(n for _, _, _, n, _ in covered_counts([exception.pk]))
    assert by_sql == by_orm


# --- overlaps -----------------------------------------------------------------------------------------------


def test_when_one_of_two_ends_what_the_other_covers_stays_excepted(estate: Tenant, users: Users) -> None:
    whole = grant(users, ask(users, days=20))
    part = grant(users, ask(users, days=10, scope=account(1)))
    assert set(Violation.objects.values_list("exception_id", flat=True)) == {whole.pk}
    with acting_as(users[Role.APPROVER]):
        revoke_exception(exception=PolicyException.objects.get(pk=whole.pk), reason="no longer")
    assert excepted() == ["bucket-0", "bucket-2"]
    assert set(
        Violation.objects.filter(status="suppressed").values_list("exception_id", "suppressed_until")
    ) == {(part.pk, part.expires_at)}
    assert shown() == {"open": 1, "suppressed": 2}
    with acting_as(users[Role.APPROVER]):
        revoke_exception(exception=PolicyException.objects.get(pk=part.pk), reason="nor this")
    assert shown() == {"open": 3}


def test_the_later_of_two_terms_counts_whichever_was_approved_first(estate: Tenant, users: Users) -> None:
    short = grant(users, ask(users, days=5))
    long = grant(users, ask(users, days=20, scope=account(1)))
    assert dict(Violation.objects.values_list("resource__name", "exception_id")) == {
        "bucket-0": long.pk, "bucket-2": long.pk, "bucket-4": short.pk,
    }  # fmt: skip


def test_a_scan_between_two_terms_keeps_what_the_longer_one_covers(estate: Tenant, users: Users) -> None:
    grant(users, ask(users, days=5))
    long = grant(users, ask(users, days=20, scope=account(1)))
    Violation.objects.filter(exception_id=long.pk).update(
        suppressed_until=timezone.now() - DAY, exception_id=None
    )
    scan(estate)
    assert shown() == {"suppressed": 3}
    assert set(Violation.objects.filter(resource__account="1").values_list("exception_id", flat=True)) == {
        long.pk
    }


def test_the_sweep_hands_over_what_lapsed_to_another_that_still_covers(estate: Tenant, users: Users) -> None:
    grant(users, ask(users, days=20))
    part = grant(users, ask(users, days=10, scope=account(1)))
    Violation.objects.update(suppressed_until=timezone.now() - DAY)
    assert shown() == {"open": 3}
    sweep_exceptions()
    assert shown() == {"open": 1, "suppressed": 2}
    assert set(Violation.objects.filter(status="suppressed").values_list("exception_id", flat=True)) == {
        part.pk
    }


# --- terms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "days", "allowed"),
    [
        ("critical", 30, True),
        ("critical", 32, False),
        ("high", 90, True),
        ("high", 92, False),
        ("low", 365, True),
    ],
)
def test_the_longest_term_depends_on_the_severity(
    estate: Tenant, users: Users, severity: str, days: int, allowed: bool
) -> None:
    Policy.objects.update(severity=severity)
    Violation.objects.update(severity=severity)
    if allowed:
        ask(users, days=days)
        return
    with pytest.raises(InvalidInput, match=f"At {severity} severity .* at most") as refused:
        ask(users, days=days)
    assert refused.value.field == "expires_at"
    assert not PolicyException.objects.exists()


def test_the_worst_that_it_would_hide_counts(estate: Tenant, users: Users) -> None:
    Violation.objects.filter(resource__name="bucket-4").update(severity="critical")
    ask(users, days=60, scope=account(1))
    with pytest.raises(InvalidInput, match="critical"):
        ask(users, days=60, scope=account(2))


def test_a_term_that_became_too_long_is_not_approved(estate: Tenant, users: Users) -> None:
    exception = ask(users, days=80)
    Policy.objects.update(severity="critical")
    with pytest.raises(InvalidInput, match="critical"):
        grant(users, exception)
    assert PolicyException.objects.get().status == "pending"
    assert shown() == {"open": 3}


def test_without_an_end_only_where_the_tenant_allows_it(estate: Tenant, users: Users) -> None:
    def endless() -> PolicyException:
        with acting_as(users[Role.OPERATOR]):
            return request_exception(policy=Policy.objects.get(), reason="r", expires_at=None)

    with pytest.raises(InvalidInput) as refused:
        endless()
    assert refused.value.field == "expires_at"
    set_exception_rules(longest_days={}, endless=True, warn_days=[7, 1])
    grant(users, endless())
    assert set(Violation.objects.values_list("status", "suppressed_until")) == {("suppressed", None)}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"longest_days": {"grave": 1}}, "longest_days"),
        ({"longest_days": {"high": 0}}, "longest_days"),
        ({"warn_days": [0]}, "warn_days"),
        ({"warn_days": [1, 2, 3, 4, 5, 6]}, "warn_days"),
    ],
)
def test_rules_that_make_no_sense_are_refused(
    estate: Tenant, users: Users, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        set_exception_rules(**({"longest_days": {}, "endless": False, "warn_days": []} | given))
    assert refused.value.field == field
    assert exception_rules().warn_days == (7, 1)


@pytest.mark.django_db(transaction=True)
def test_before_at_and_after_the_end_every_page_and_count_agrees(tenant: Tenant, users: Users) -> None:
    """By the database's clock and nothing else: no sweep runs, no row changes."""
    with tenant_transaction(tenant.pk):
        import_rows([bucket(n) for n in range(4)])
        import_policy(UNOWNED_BUCKETS)
    scan(tenant)
    client, admin = browser(users[Role.VIEWER]), browser(users[Role.APPROVER])

    def seen() -> set[tuple[int, int]]:
        """(open, excepted) by the API's list, the list page's export, its counters, and the admin's list."""
        by_status = {}
        for status in ("open", "suppressed"):
            rows = client.get("/api/v1/violations/", {"shown_status": status}).json()["results"]
            exported = b"".join(client.get(f"/violations/?shown_status={status}&export=json"))  # type: ignore[arg-type]
            listed = admin.get(f"/admin/findings/violation/?status={status}").context["cl"].result_count
            by_status[status] = (len(rows), exported.count(b'"severity"'), listed)
        counts = client.get("/api/v1/violations/counts/").json()
        counted = {
            status: sum(row["n"] for row in counts["counts"] if row["status"] == status)
            for status in ("open", "suppressed")
        }
        pairs = set(zip(by_status["open"], by_status["suppressed"], strict=True))
        return pairs | {(counted["open"], counted["suppressed"])}

    assert seen() == {(2, 0)}
    with acting_as(users[Role.OPERATOR]):
        exception = request_exception(
            policy=Policy.objects.get(), reason="r", expires_at=timezone.now() + timedelta(seconds=12)
        )
    assert seen() == {(2, 0)}
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=exception)
    assert seen() == {(0, 2)}
    assert shown_of(client, exception) == ("approved", "approved")
    while timezone.now() <= exception.expires_at:  # type: ignore[operator]
        time.sleep(0.2)
    time.sleep(0.2)
    assert seen() == {(2, 0)}
    assert shown_of(client, exception) == ("approved", "expired")
    with tenant_transaction(tenant.pk):
        assert shown() == {"open": 2}
        sweep_exceptions()
        assert shown() == {"open": 2}
    assert seen() == {(2, 0)}
    assert shown_of(client, exception) == ("expired", "expired")


def shown_of(client: Client, exception: PolicyException) -> tuple[str, str]:
    body = client.get(f"/api/v1/exceptions/{exception.pk}/").json()
    return body["status"], body["shown_status"]


# --- renewal and ends ---------------------------------------------------------------------------------------


def test_a_renewal_is_a_row_of_its_own_and_ends_the_former_when_it_is_approved(
    estate: Tenant, users: Users
) -> None:
    former = grant(users, ask(users, days=5, scope=account(1)))
    renewal = ask(users, days=15, renews=former)
    assert (renewal.renews_id, renewal.renewal, renewal.selector) == (former.pk, 1, former.selector)
    assert shown() == {"open": 1, "suppressed": 2}
    grant(users, renewal)
    former.refresh_from_db()
    assert (former.status, former.end_kind) == ("expired", "renewed")
    assert shown() == {"open": 1, "suppressed": 2}
    assert set(Violation.objects.filter(status="suppressed").values_list("suppressed_until", flat=True)) == {
        renewal.expires_at
    }
    second = ask(users, days=25, renews=PolicyException.objects.get(pk=renewal.pk))
    assert second.renewal == 2


def test_what_can_not_be_renewed_is_refused(estate: Tenant, users: Users) -> None:
    former = grant(users, ask(users, days=10))
    with pytest.raises(InvalidInput) as refused:
        ask(users, days=9, renews=former)
    assert refused.value.field == "expires_at"
    ask(users, days=20, renews=former)
    with pytest.raises(InvalidInput) as refused:
        ask(users, days=21, renews=former)
    assert refused.value.field == "renews"
    rejected = ask(users, days=10)
    with acting_as(users[Role.APPROVER]):
        reject_exception(exception=rejected, reason="no")
    with pytest.raises(InvalidInput):
        ask(users, days=20, renews=rejected)


def test_a_revocation_keeps_who_when_and_why(estate: Tenant, users: Users) -> None:
    exception = grant(users, ask(users))
    with acting_as(users[Role.APPROVER]):
        with pytest.raises(InvalidInput):
            revoke_exception(exception=exception, reason=" ")
        revoke_exception(exception=exception, reason="The site is gone")
    exception.refresh_from_db()
    assert (exception.end_kind, exception.end_reason, exception.ended_by_id) == (
        "revoked", "The site is gone", users[Role.APPROVER].pk,
    )  # fmt: skip
    assert exception.ended_at is not None


def test_who_asked_or_an_approver_closes_and_nobody_else(estate: Tenant, users: Users) -> None:
    exception = grant(users, ask(users))
    for role in (Role.VIEWER, Role.ADMIN):
        with acting_as(users[role]), pytest.raises(Refused):
            close_exception(exception=exception)
    with acting_as(users[Role.OPERATOR]):
        close_exception(exception=exception)
    assert (PolicyException.objects.get().end_kind, shown()) == ("closed", {"open": 3})
    with acting_as(users[Role.OPERATOR]), pytest.raises(IllegalTransition):
        close_exception(exception=PolicyException.objects.get())


def test_a_request_is_withdrawn_by_who_made_it_alone(estate: Tenant, users: Users) -> None:
    exception = ask(users)
    with acting_as(users[Role.APPROVER]), pytest.raises(StaleState):
        close_exception(exception=exception)
    with acting_as(users[Role.OPERATOR]):
        close_exception(exception=exception)
    with pytest.raises(IllegalTransition):
        grant(users, exception)


# --- what is kept of a decision -----------------------------------------------------------------------------


def test_a_decision_keeps_its_facts_and_its_decider_whatever_becomes_of_him(
    estate: Tenant, users: Users
) -> None:
    from apps.findings.services.exception_facts import digest_of

    approver = users[Role.APPROVER]
    User.objects.filter(pk=approver.pk).update(display_name="Anton", email="anton@example.org")
    exception = grant(users, ask(users))
    assert exception.decision["policy"] == [exception.policy_id, 1, "high"]
    assert exception.decision["violations"] == 3
    assert exception.decision["risk"] == "high"
    assert exception.decision["expires_at"] == exception.expires_at.isoformat()  # type: ignore[union-attr]
    assert exception.decision_sha256 == digest_of(exception.decision)
    User.objects.filter(pk=approver.pk).update(display_name="erased", email="", upn="erased", role="viewer")
    exception.refresh_from_db()
    assert exception.decider == {
        "name": "Anton", "email": "anton@example.org", "role": "approver", "upn": approver.upn,
    }  # fmt: skip
    assert exception.requester["upn"] == users[Role.OPERATOR].upn


@pytest.mark.parametrize(
    "change",
    [
        "decider = '{}'", "decision = '{}'", "decision_sha256 = 'x'", "decision_reason = 'x'", "reason = 'x'",
        "requester = '{}'", "selector = '{}'", "expires_at = now() + interval '1 year'", "decided_by = NULL",
        "compensating_control = 'x'", "policy_id = NULL, selector = '{}'",
    ],
)  # fmt: skip
def test_nothing_of_a_decision_changes_by_raw_sql(estate: Tenant, users: Users, change: str) -> None:
    exception = grant(users, ask(users))
    with acting_as(users[Role.APPROVER]), connection.cursor() as cursor:
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute(f"UPDATE exceptions SET {change} WHERE id = %s", [exception.pk])
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute(
                f"UPDATE exceptions SET {change}, status = 'expired' WHERE id = %s", [exception.pk]
            )


def test_a_decider_is_told_what_changed_since_it_was_asked(estate: Tenant, users: Users) -> None:
    from apps.findings.services.exception_facts import changes_since_asked, impact_of

    exception = ask(users, policy=Policy.objects.get(), resource=Resource.objects.get(name="bucket-0"))
    assert changes_since_asked(exception, impact_of(Scope.of(exception))) == []
    Policy.objects.update(current_version=2)
    Violation.objects.update(status="fixed")
    again = exceptions().get(pk=exception.pk)
    again.subject["resource"]["state"] = (
        "1"  # a change's transaction is the test's own: it can't be told apart
    )
    changes = changes_since_asked(again, impact_of(Scope.of(again)))
    assert changes == [
        "The policy was version 1, now it is 2.",
        "The resource has changed.",
        "It hides another number of violations than when it was asked for (high: 1 → 0).",
    ]


# --- warnings, and what has nothing left to cover ------------------------------------------------------------


def told(code: str) -> list[str]:
    return list(Notice.objects.filter(code=code).order_by("created_at", "id").values_list("key", flat=True))


def test_warnings_come_once_each_and_only_the_nearest_when_one_was_missed(
    estate: Tenant, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = timezone.now()
    week, day, far = (ask(users, days=n, scope=account(1)) for n in (6.5, 0.5, 20))
    for exception in (week, day, far):
        grant(users, exception)
    # Decided a while ago: by the clock of the application, which alone asks how long.
    monkeypatch.setattr("apps.findings.services.exception_warnings.timezone.now", lambda: real + 2 * DAY)
    assert warn_of_expiry() == 2
    assert sorted(told("exceptions.expiring")) == sorted([f"{week.pk}:7", f"{day.pk}:1"])
    assert warn_of_expiry() == 0
    PolicyException.objects.filter(pk=week.pk).update(warned_days=None)
    warn_of_expiry()
    assert len(told("exceptions.expiring")) == 2  # told once, whatever became of the mark


def test_when_everything_passes_closing_is_proposed_once(estate: Tenant, users: Users) -> None:
    exception = grant(users, ask(users, scope=account(2)))
    assert exception.covered == 1
    scan(estate)
    assert told("exceptions.idle") == []
    import_rows([bucket(4) | {"account": "2", "tags": {"owner": "ada"}}])
    scan(estate)
    exception.refresh_from_db()
    assert exception.idle_since is not None
    assert len(told("exceptions.idle")) == 1
    scan(estate)
    assert len(told("exceptions.idle")) == 1
    assert exceptions().filter(pk=exception.pk, idle_since__isnull=False).exists()
    import_rows([bucket(4) | {"account": "2"}])
    scan(estate)
    exception.refresh_from_db()
    assert exception.idle_since is None
    assert Violation.objects.get(resource__name="bucket-4").status == "suppressed"
    assert shown() == {"open": 2, "suppressed": 1}
