"""What a tenant takes in the stores is counted, and where it leads."""

from __future__ import annotations

import uuid

import pytest
from django.core.management import call_command

from apps.archive.forecasting import MEASURED, request_forecast
from apps.core.context import Actor, tenant_transaction
from apps.jobs.running import run_job
from tests.archive.test_moving import move_all, tenant

__all__ = ["tenant"]
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def test_rows_are_counted_where_they_lie_and_growth_goes_on(
    tenant: uuid.UUID, capsys: pytest.CaptureFixture
) -> None:
    move_all(tenant)
    with tenant_transaction(tenant, Actor.system("test")):
        job = request_forecast()
    ended = run_job(tenant, job.pk)
    assert ended is not None
    assert ended.status == "succeeded", ended.error
    told = {measure["name"]: measure for measure in (ended.result or {})["measures"]}
    assert set(told) == {*MEASURED, "objects"}
    assert (told["violations"]["rows"], told["violations_history"]["rows"]) == (3, 3)
    assert told["violations_history"]["area"] == "history"
    for measure in told.values():
        grown = measure["bytes_in_365_days"] - measure["bytes"]
        assert abs(grown - 365 * measure["bytes_a_day"]) <= 365
        assert measure["bytes"] <= measure["bytes_in_90_days"] <= measure["bytes_in_365_days"]
    assert (ended.result or {})["total"]["rows"] == sum(measure["rows"] for measure in told.values())
    call_command("archive", "status", "--tenant", str(tenant), "--json")
    assert '"archived": 3' in capsys.readouterr().out
