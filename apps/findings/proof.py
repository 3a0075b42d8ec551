"""What `audit verify` asks of exceptions: each that the trail tells of is there, for nobody may delete one."""

from __future__ import annotations

import uuid

from apps.audit.verification.findings import Findings
from apps.audit.verification.targets import check_told_of


def check_exceptions(tenant_id: uuid.UUID, using: str, found: Findings) -> None:
    """Code told-and-gone."""
    named = "findings.policyexception"
    check_told_of(tenant_id, using, found, target_type=named, table="exceptions", what="the exception")
