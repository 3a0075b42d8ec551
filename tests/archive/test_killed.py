"""`kill -9` of a mover at any moment: what it had committed is moved, everything else is where it was."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from django.db import connections, transaction

from apps.archive.moving import SEGMENT
from apps.archive.tables import VIOLATIONS
from apps.core.context import Actor, tenant_transaction
from apps.findings.models import Violation, ViolationHistory
from apps.findings.queries import counter_drift, violation_counts
from apps.tenancy.services import create_tenant
from tests.archive.test_moving import move_all
from tests.fixtures.rows import make_policy

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True, databases=["default", "owner"])]
ROWS = 20_000
ROOT = Path(__file__).parents[2]
MOVER = """
import sys, uuid, django
django.setup()
from django.db import connections
connections["default"].settings_dict["NAME"] = sys.argv[2]
from apps.archive.moving import move_batch
from apps.archive.tables import VIOLATIONS
from apps.core.context import Actor, tenant_scope
with tenant_scope(uuid.UUID(sys.argv[1]), Actor.system("mover")):
    print("ready", flush=True)
    while move_batch(VIOLATIONS, 500):
        pass
"""


@pytest.fixture
def tenant() -> uuid.UUID:
    made = create_tenant(name="Killed", slug="killed")
    with tenant_transaction(made.pk, Actor.system("test")):
        policy = make_policy()
    with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO violations (id, tenant_id, policy_id, resource_id, severity, reason, status, fixed_at)"
            " SELECT new_uuid7(), %s, %s, NULL, 'high', 'r' || n, 'fixed', now() - make_interval(days => 100 + n %% 300)"
            " FROM generate_series(1, %s) n",
            [made.pk, policy.pk, ROWS],
        )
    return made.pk


def mover(tenant_id: uuid.UUID) -> subprocess.Popen[str]:
    name = str(connections["default"].settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, "-c", MOVER, str(tenant_id), name],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_killed_mover_loses_nothing_and_doubles_nothing(tenant: uuid.UUID) -> None:
    dice = random.Random(5)
    with tenant_transaction(tenant):
        before, ids = violation_counts(), set(Violation.objects.values_list("id", flat=True))
    seen = []
    for _ in range(6):
        running = mover(tenant)
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0.02, 0.4))
        running.send_signal(signal.SIGKILL)
        running.wait()
        with tenant_transaction(tenant):
            hot = set(Violation.objects.values_list("id", flat=True))
            archived = list(ViolationHistory.objects.values_list("id", flat=True))
            assert violation_counts() == before
            assert counter_drift() == []
        assert len(archived) == len(set(archived))
        assert hot.isdisjoint(archived)
        assert hot | set(archived) == ids
        seen.append(len(archived))
    assert any(0 < archived < ROWS for archived in seen), seen  # a fault came while there was work
    assert seen == sorted(seen)
    move_all(tenant, VIOLATIONS)
    with tenant_transaction(tenant):
        assert (Violation.objects.count(), ViolationHistory.objects.count()) == (0, ROWS)
        assert violation_counts() == before
    with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT sum((payload ->> 'rows')::int) FROM audits WHERE tenant_id = %s AND action = %s",
            [tenant, SEGMENT],
        )
        assert cursor.fetchone() == (ROWS,)
