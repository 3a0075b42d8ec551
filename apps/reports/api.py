"""Evidence reports on the API: asked for, built by a job, downloaded by a signed link."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.models import Framework
from apps.core.api import InputSerializer, ReadSerializer, RoomViewSet
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import InvalidInput
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.tenancy.idempotency import Answer, once
from apps.tenancy.throttling import WorkThrottle

from .filters import ReportFilter
from .models import Report
from .services import report_download_url, request_report


class ReportSerializer(ReadSerializer):
    framework = serializers.CharField(source="framework.key", allow_null=True, default=None)
    requested_by = serializers.CharField(source="requested_by_id", allow_null=True, help_text="Id of a user")

    class Meta:
        model = Report
        fields = (
            "id",
            "period_from",
            "period_to",
            "framework",
            "scope",
            "status",
            "job_id",
            "requested_by",
            "sha256",
            "size",
            "manifest",
            "error",
            "created_at",
            "finished_at",
        )


class RequestReportSerializer(InputSerializer):
    period_from = serializers.DateField()
    period_to = serializers.DateField()
    framework = serializers.CharField(
        required=False, max_length=80, help_text="Key of a framework; without it, all of them"
    )
    account = serializers.CharField(
        required=False, max_length=200, help_text="Only resources of this cloud account"
    )
    policy = serializers.CharField(required=False, max_length=200, help_text="Only this policy, by its id")
    tag = serializers.CharField(
        required=False, max_length=300, help_text="Only resources with this tag: key=value"
    )


class DownloadSerializer(serializers.Serializer):
    url = serializers.URLField(help_text="Signed; valid for a short time, for anybody who has it")
    sha256 = serializers.CharField(help_text="Of the bundle, in hexadecimal")
    size = serializers.IntegerField(allow_null=True, help_text="Bytes")


class ReportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Evidence reports for a period."""

    queryset = Report.objects.select_related("framework")
    serializer_class = ReportSerializer
    filterset_class = ReportFilter
    orderings = {"-created_at": Keyset("-created_at", "-id"), "created_at": Keyset("created_at", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.EXPORT
    throttle_classes = [WorkThrottle]

    @extend_schema(request=RequestReportSerializer, responses={202: ReportSerializer})
    def create(self, request: Request) -> Response:
        """Ask for a report; a job builds it, and `status` says when it is there."""
        asked = self.validated(RequestReportSerializer)
        return once(request, asked, lambda: self._request(asked)).as_response()

    @staticmethod
    def _request(asked: dict[str, Any]) -> Answer:
        framework = None
        if key := asked.get("framework"):
            framework = Framework.objects.filter(key=key).first()
            if framework is None:
                raise InvalidInput(f"There is no framework {key!r}.", field="framework")
        report = request_report(**{**asked, "framework": framework})
        report.refresh_from_db()
        location = reverse("api:report-detail", kwargs={"pk": report.pk})
        return Answer(status.HTTP_202_ACCEPTED, dict(ReportSerializer(report).data), location)


class ReportDownloadViewSet(RoomViewSet):
    """The link to a report's bundle. The object store is asked, so no transaction is open."""

    queryset = Report.objects.all()
    permission = Permission.EXPORT
    non_atomic = True
    untransacted = ("GET",)

    @extend_schema(responses=DownloadSerializer)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """A signed link to the bundle, once the report is built."""
        with tenant_transaction(current_tenant_id()):
            report = self.get_object()
        url = report_download_url(report=report)
        return Response({"url": url, "sha256": report.sha256, "size": report.size})
