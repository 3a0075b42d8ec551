"""Jobs on the API: how far they are, how they ended, and stopping them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ReadSerializer, RoomViewSet
from apps.core.context import current
from apps.core.pagination import Keyset
from apps.core.permissions import Permission

from .filters import JobFilter
from .models import Job
from .services import cancel_job


class JobSerializer(ReadSerializer):
    percent = serializers.IntegerField(allow_null=True, help_text="0 to 100; null where the total is unknown")
    is_finished = serializers.BooleanField()

    class Meta:
        model = Job
        fields = (
            "id",
            "type",
            "queue",
            "status",
            "percent",
            "is_finished",
            "progress_done",
            "progress_total",
            "progress_note",
            "cancel_requested",
            "attempts",
            "max_attempts",
            "params",
            "result",
            "error",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
        )


class JobViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Queued work: scans, imports, reports."""

    queryset = Job.objects.all()
    serializer_class = JobSerializer
    filterset_class = JobFilter
    orderings = {"-created_at": Keyset("-created_at", "-id"), "created_at": Keyset("created_at", "id")}
    lookup_value_converter = "uuid"

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.VIEW)
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Ask a job to stop: a queued one ends at once, a running one at its next checkpoint.

        Only who asked for it may, and who holds `governance.manage`.
        """
        job = self.get_object()
        if job.created_by != str(current().actor):
            self.write_permission = Permission.MANAGE
            self.check_permissions(request)
        cancel_job(job_id=job.pk)
        job.refresh_from_db()
        return Response(JobSerializer(job).data)
