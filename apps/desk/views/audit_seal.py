"""How far the audit trail is sealed, its last checkpoints, and verifying it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.audit.jobs import JOB_TYPE, request_verification
from apps.audit.lag import tenant_lag
from apps.audit.models import AuditChain, AuditCheckpoint
from apps.audit.options import trusted_keys
from apps.core.errors import InvalidInput
from apps.jobs.models import Job
from apps.tenancy.pages import CommandPage, PlainPage
from apps.tenancy.roles import Permission

CHECKPOINTS = 10
VERIFICATIONS = 5


class AuditSeal(PlainPage):
    template_name = "desk/audit_seal.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        anchored = AuditCheckpoint.objects.filter(anchored_at__isnull=False).order_by("-size")
        checkpoints = list(anchored[:CHECKPOINTS])
        for checkpoint in checkpoints:
            checkpoint.root_hex = bytes(checkpoint.root).hex()  # type: ignore[attr-defined]
        jobs = list(Job.objects.filter(type=JOB_TYPE).order_by("-created_at", "-id")[:VERIFICATIONS])
        chain = AuditChain.objects.first()
        return super().get_context_data(
            title="Seal of the audit trail",
            lag=tenant_lag(),
            sealed=chain.size if chain else 0,
            checkpoints=checkpoints,
            jobs=jobs,
            last=next((job for job in jobs if job.status == "succeeded"), None),
            running=next((job for job in jobs if not job.is_finished), None),
            public_keys=_public_keys(),
            **kwargs,
        )


class AuditVerify(CommandPage):
    permission = Permission.EXPORT
    done = "The trail is being verified."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        request_verification()
        return reverse("audit:seal")

    def fallback(self, **kwargs: Any) -> str:
        return reverse("audit:seal")


def _public_keys() -> list[str]:
    try:
        return [str(key) for key in trusted_keys()]
    except InvalidInput:
        return []
