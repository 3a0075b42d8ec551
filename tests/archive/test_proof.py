"""`audit verify` names what somebody did to the history, and nothing on an honest one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.archive.moving import SEGMENT, move_batch
from apps.archive.tables import VIOLATIONS
from apps.core.context import Actor, tenant_scope, tenant_transaction
from tests.audit.conftest import bucket, make_tenant, owner, seal, signers, verify
from tests.fixtures.rows import make_policy, make_resource, make_violation

__all__ = ["bucket", "seal", "signers"]

# Slow is run by one worker: a partition that one test drops is another's.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"]),
]


@pytest.fixture
def tenant(seal: Callable[[], Any]) -> uuid.UUID:
    """Four violations of the first quarter of 2025 in two segments, and one of the second, sealed; a neighbour's too."""
    made, neighbour = make_tenant("one"), make_tenant("two")
    for tenant_id in (made, neighbour):
        with tenant_transaction(tenant_id, Actor.system("test")):
            policy = make_policy()
            for number in range(5):
                at = datetime(2025, 2 if number < 4 else 5, 1 + number, tzinfo=UTC)
                make_violation(make_resource(number), policy, status="fixed", fixed_at=at)
        with tenant_scope(tenant_id, Actor.system("test")):
            while move_batch(VIOLATIONS, 3 if tenant_id == made else 5):
                pass
    seal()
    assert verify()[0] == 0, verify()
    return made


def problems(tenant_id: uuid.UUID) -> list[tuple[str, str]]:
    code, said = verify("--tenant", str(tenant_id))
    assert code == 1
    return [(problem["code"], problem["where"]) for problem in said["problems"]]


def test_a_partition_dropped(tenant: uuid.UUID) -> None:
    owner("DROP TABLE violations_history_2025q1")
    assert problems(tenant) == [("partition-dropped", "violations_history_2025q1")]
    code, said = verify()
    assert (code, said["by_code"]) == (1, {"partition-dropped": 2})


def test_a_partition_detached_can_be_put_back(tenant: uuid.UUID) -> None:
    owner("ALTER TABLE violations_history DETACH PARTITION violations_history_2025q1")
    assert problems(tenant) == [("partition-dropped", "violations_history_2025q1")]
    owner(
        "ALTER TABLE violations_history ATTACH PARTITION violations_history_2025q1"
        " FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2025-04-01 00:00:00+00')"
    )
    assert verify()[0] == 0


def test_rows_deleted(tenant: uuid.UUID) -> None:
    owner("DELETE FROM violations_history WHERE tenant_id = %s AND closed_at < '2025-02-02'", tenant)
    ((code, where),) = problems(tenant)
    assert (code, where.endswith(" of 2025-01-01")) == ("history-missing", True)


@pytest.mark.parametrize(
    "change",
    [
        "severity = 'low'",
        "reason = 'never mind'",
        "first_seen = closed_at",
        "policy_id = NULL",
        "source = 'x'",
    ],
)
def test_a_row_edited(tenant: uuid.UUID, change: str) -> None:
    owner(f"UPDATE violations_history SET {change} WHERE tenant_id = %s AND closed_at > '2025-05-01'", tenant)
    ((code, _),) = problems(tenant)
    assert code == "history-edited"


def test_a_row_that_nobody_moved(tenant: uuid.UUID) -> None:
    owner(
        "INSERT INTO violations_history (tenant_id, id, severity, severity_rank, reason, first_seen, last_seen, source,"
        " closed_at, segment_id) SELECT tenant_id, gen_random_uuid(), severity, severity_rank, reason, first_seen,"
        " last_seen, source, closed_at, %s FROM violations_history WHERE tenant_id = %s LIMIT 1",
        uuid.uuid4(),
        tenant,
    )
    ((code, _),) = problems(tenant)
    assert code == "history-untold"


def test_a_row_slipped_into_a_segment(tenant: uuid.UUID) -> None:
    owner(
        "INSERT INTO violations_history (tenant_id, id, severity, severity_rank, reason, first_seen, last_seen, source,"
        " closed_at, segment_id) SELECT tenant_id, gen_random_uuid(), severity, severity_rank, reason, first_seen,"
        " last_seen, source, closed_at, segment_id FROM violations_history WHERE tenant_id = %s LIMIT 1",
        tenant,
    )
    ((code, _),) = problems(tenant)
    assert code == "history-edited"


@pytest.mark.parametrize(
    ("segment", "payload"),
    [
        ("nothing", '{"table": "violations_history", "quarter": "2025-01-01", "rows": 1, "sha256": "00"}'),
        ("urn:uuid:1", '{"table": "violations_history", "quarter": "2025-01-01", "rows": 1, "sha256": "00"}'),
        (str(uuid.uuid4()), '{"table": "violations_history", "quarter": "soon", "rows": 1, "sha256": "00"}'),
        (str(uuid.uuid4()), '{"table": "violations_history", "quarter": "2025-01-01", "rows": "few"}'),
        (str(uuid.uuid4()), '{"table": "tenants", "quarter": "2025-01-01", "rows": 1, "sha256": "00"}'),
        (str(uuid.uuid4()), "{}"),
    ],
)
def test_a_line_of_the_trail_on_a_segment_that_cannot_be(
    tenant: uuid.UUID, segment: str, payload: str
) -> None:
    """It is named, and the rest is verified as ever."""
    audit_id = uuid.uuid4()
    owner(
        "INSERT INTO audits (id, tenant_id, actor, action, target_type, target_id, payload)"
        " VALUES (%s, %s, 'user:x', %s, 'archive.segment', %s, %s::jsonb)",
        audit_id,
        tenant,
        SEGMENT,
        segment,
        payload,
    )
    owner("DELETE FROM violations_history WHERE tenant_id = %s AND closed_at < '2025-02-02'", tenant)
    found = dict(problems(tenant))
    assert found.keys() == {"history-unreadable", "history-missing"}
    assert found["history-unreadable"] == f"row {audit_id}"
