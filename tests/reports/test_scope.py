"""A report on a part of the estate, its decisions, and the evidence that it carries."""

from __future__ import annotations

import ast
import csv
import io
import json
import sys
import uuid
from collections.abc import Callable
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.actions.evidence import Folder, Piece, lock
from apps.audit.services import record
from apps.core.errors import InvalidInput
from apps.core.ids import new_id
from apps.findings.models import PolicyException
from apps.reports.models import Report
from apps.reports.services import request_report
from tests.audit.conftest import bucket, seal, signers
from tests.reports.conftest import Estate, remanifest
from tests.reports.test_building import bundle, table
from tests.reports.test_verifier import verify

__all__ = ["bucket", "seal", "signers"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"])
TODAY = timezone.now().date()


def ask(estate: Estate, **scope: str) -> Report:
    with estate.scope("viewer"):
        return request_report(period_from=date(2025, 3, 1), period_to=TODAY, send=False, **scope)


def built(estate: Estate, **scope: str) -> dict[str, bytes]:
    report = estate.run(ask(estate, **scope))
    assert report.status == "succeeded", report.error
    return bundle(estate, report)


def unpacked(files: dict[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def resource(estate: Estate, name: str, account: str, tags: dict[str, str]) -> str:
    key = estate.resource(name)
    estate.sql("UPDATE resources SET account = %s, tags = %s WHERE id = %s", [account, json.dumps(tags), key])
    return key


@pytest.fixture
def parts(estate: Estate) -> dict[str, str]:
    """Two accounts, one of them with a tagged resource; two policies; an exception and an action on each resource."""
    made = {"owner": estate.policy("has-owner"), "public": estate.policy("not-public")}
    for name, account, tags in (
        ("one", "111", {"env": "prod"}),
        ("two", "111", {"env": "dev"}),
        ("three", "222", {"env": "prod"}),
    ):
        made[name] = resource(estate, name, account, tags)
        violation = estate.violation(made["owner"], made[name], ("opened", "2025-03-05Z"))
        estate.violation(made["public"], made[name], ("opened", "2025-03-06Z"))
        exception = uuid.uuid4()
        estate.sql(
            "INSERT INTO exceptions (id, tenant_id, policy_id, resource_id, reason, status, created_by, created_at,"
            " compensating_control) VALUES (%s, %s, %s, %s, %s, 'pending', %s, '2025-03-07Z', 'a wall')",
            [exception, estate.tenant_id, made["owner"], made[name], name, estate.people["operator"].pk],
        )
        with estate.acting("approver"):
            PolicyException.objects.filter(pk=exception).update(
                status="approved", decided_by=estate.people["approver"], decision_sha256=f"digest of {name}"
            )
        action = new_id()
        made[f"action of {name}"] = str(action)
        estate.sql(
            "INSERT INTO actions (id, tenant_id, type, status, requested_by) VALUES (%s, %s, %s, 'queued', %s)",
            [action, estate.tenant_id, name, estate.people["operator"].pk],
        )
        estate.sql(
            "INSERT INTO action_targets (tenant_id, action_id, ordinal, resource_id, violation_id)"
            " VALUES (%s, %s, 1, %s, %s)",
            [estate.tenant_id, action, made[name], violation],
        )
    return made


@pytest.mark.parametrize(
    ("scope", "names", "policies"),
    [
        ({}, {"one", "two", "three"}, {"has-owner", "not-public"}),
        ({"account": "111"}, {"one", "two"}, {"has-owner", "not-public"}),
        ({"tag": "env=prod"}, {"one", "three"}, {"has-owner", "not-public"}),
        ({"account": "111", "tag": "env=prod"}, {"one"}, {"has-owner", "not-public"}),
        ({"policy": "owner"}, {"one", "two", "three"}, {"has-owner"}),
        ({"policy": "public"}, {"one", "two", "three"}, {"not-public"}),
    ],
)
def test_each_table_tells_of_the_part_alone(
    estate: Estate, parts: dict[str, str], scope: dict[str, str], names: set[str], policies: set[str]
) -> None:
    asked = {name: parts.get(value, value) for name, value in scope.items()}
    files = built(estate, **asked)
    violations = table(files, "violations.csv")
    assert {row["resource_name"] for row in violations} == names
    assert {row["policy_name"] for row in violations} == policies
    assert len(violations) == len(names) * len(policies)
    told = set() if asked.get("policy") == parts["public"] else names
    assert {row["reason"] for row in table(files, "exceptions.csv")} == told
    assert {row["type"] for row in table(files, "actions.csv")} == told
    decisions = table(files, "approvals.csv")
    assert {row["digest"] for row in decisions} == {f"digest of {name}" for name in told}
    assert {row["decided_by_upn"] for row in decisions} <= {"approver@acme.example"}
    assert json.loads(files["summary.json"])["scope"] == {
        **({"account": "111"} if "account" in asked else {}),
        **({"policy": asked["policy"]} if "policy" in asked else {}),
        **({"tag_key": "env", "tag_value": "prod"} if "tag" in asked else {}),
    }


def test_what_auditors_ask_of_an_exception_is_told(estate: Estate, parts: dict[str, str]) -> None:
    rows = table(built(estate, account="222"), "exceptions.csv")
    (row,) = rows
    assert (row["compensating_control"], row["renewal"], row["decision_sha256"]) == (
        "a wall",
        "0",
        "digest of three",
    )


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ({"account": "no such"}, "account"),
        ({"policy": "no such"}, "policy"),
        ({"tag": "env"}, "tag"),
        ({"tag": "=prod"}, "tag"),
    ],
)
def test_a_scope_that_is_not_there_is_refused_by_name(
    estate: Estate, parts: dict[str, str], scope: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(estate, **scope)
    assert refused.value.field == field
    with estate.acting():
        assert Report.objects.count() == 0


def keep_evidence(estate: Estate, action: str) -> list[dict[str, Any]]:
    pieces = [Piece(name, {"n": n}, "test", timezone.now())
              for n, name in enumerate(("plan.json", "after.json"))]  # fmt: skip
    with estate.scope():
        entries = lock(Folder(uuid.UUID(action), timezone.now(), 1), pieces)
    estate.sql("UPDATE actions SET result = %s WHERE id = %s", [json.dumps({"manifest": entries}), action])
    return entries


def test_the_evidence_of_its_actions_lies_in_it_and_is_checked(
    estate: Estate, parts: dict[str, str], tmp_path: Path
) -> None:
    action = parts["action of one"]
    entries = keep_evidence(estate, action)
    files = built(estate, account="111")
    rows = table(files, "evidence.csv")
    assert [(row["name"], row["state"], row["sha256"]) for row in rows] == [
        (entry["name"], "whole", entry["sha256"]) for entry in entries
    ]
    assert [row["file"] for row in rows] == [
        f"evidence/{action}/01-plan.json",
        f"evidence/{action}/02-after.json",
    ]
    folder = unpacked(files, tmp_path)
    assert verify(folder)[0] == 0
    # Whoever changes a copy and the manifest along with it has evidence.csv against him; and the other way round.
    changed = folder / rows[0]["file"]
    changed.write_bytes(b"{}")
    remanifest(folder)
    code, said = verify(folder)
    assert code == 1
    assert (
        f"evidence.csv: plan.json of action {action}: {rows[0]['file']} is not what the action recorded"
        in said
    )


def test_evidence_that_the_store_lost_is_told_and_fails_the_check(
    estate: Estate, parts: dict[str, str], tmp_path: Path
) -> None:
    entries = keep_evidence(estate, parts["action of one"])
    entries[0] |= {"version_id": "nowhere"}
    entries[1] |= {"sha256": "0" * 64}
    estate.sql(
        "UPDATE actions SET result = %s WHERE id = %s",
        [json.dumps({"manifest": entries}), parts["action of one"]],
    )
    files = built(estate)
    assert [row["state"] for row in table(files, "evidence.csv")] == ["missing", "changed"]
    code, said = verify(unpacked(files, tmp_path))
    assert (code, said.count("in the object store when the report was made")) == (1, 2)


@pytest.mark.slow
def test_two_bundles_of_a_period_that_is_over_are_the_same_bytes_receipt_and_all(
    estate: Estate, seal: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = estate.policy("p")
    estate.violation(policy, estate.resource("r"), ("opened", "2025-03-01Z"))
    seal()
    monkeypatch.setattr("apps.reports.receipt.sleep", lambda seconds: seal())
    first = estate.run(estate.request("2025-03-01", "2025-03-31"))
    for number in range(3):  # the trail goes on meanwhile, and so do its checkpoints
        estate.violation(policy, estate.resource(f"r{number}"), ("opened", "2025-05-01Z"))
        with estate.acting():
            record("test.row.written")
        seal()
    second = estate.run(estate.request("2025-03-01", "2025-03-31"))
    assert first.pk != second.pk
    mine, again = bundle(estate, first), bundle(estate, second)
    assert "receipt.json" in again
    assert [name for name in mine if mine[name] != again.get(name)] == []
    assert (first.sha256, first.size) == (second.sha256, second.size)


def test_the_verifier_needs_nothing_that_python_3_9_has_not() -> None:
    allowed = set(sys.stdlib_module_names)
    for package, name in (("apps.reports", "bundle_files/verify.py"), ("apps.audit", "tlog.py")):
        tree = ast.parse((resources.files(package) / name).read_text("utf-8"), feature_version=(3, 9))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {n.split(".")[0] for n in names} <= allowed, (name, names)
            assert not isinstance(node, ast.Match | ast.TryStar)


def test_every_cell_of_the_tables_is_a_plain_one(estate: Estate, parts: dict[str, str]) -> None:
    files = built(estate)
    for name in ("approvals.csv", "evidence.csv", "exceptions.csv"):
        rows = list(csv.reader(io.StringIO(files[name].decode(), newline="")))
        assert len({len(row) for row in rows}) == 1, name
