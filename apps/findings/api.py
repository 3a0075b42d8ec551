"""Violations, recommendations and scans on the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, PartViewSet, ReadSerializer, RoomViewSet
from apps.core.errors import InvalidInput
from apps.core.exports import Export
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.jobs.api import JobSerializer
from apps.tenancy.idempotency import Answer, once
from apps.tenancy.throttling import WorkThrottle

from .filters import RecommendationFilter, ScanRunFilter, ViolationFilter
from .models import EvaluationError, Recommendation, ScanRun, Violation, ViolationEvent, ViolationRecord
from .ocsf import FORMAT as OCSF
from .ocsf import OCSF_LINES, with_documents
from .queries import latest_open_violations, violation_counts, violation_records
from .savings.deciding import DECISIONS, MAX_REASON, decide_recommendation
from .services.scanning import start_policy_scan
from .services.security_scan import start_security_scan

WORST = Keyset("-severity_rank", "-last_seen", "-id")


class ViolationSerializer(ReadSerializer):
    policy_id = serializers.CharField(allow_null=True)
    resource_id = serializers.CharField(allow_null=True)
    shown_status = serializers.CharField(
        help_text="The status as people see it: a suppression whose term is over reads as open"
    )
    policy_name = serializers.CharField(source="policy.name", allow_null=True)
    resource_name = serializers.CharField(source="resource.name", allow_null=True)
    resource_native_id = serializers.CharField(source="resource.native_id", allow_null=True)
    resource_type = serializers.CharField(source="resource.type", allow_null=True)
    provider = serializers.CharField(source="resource.provider", allow_null=True)

    class Meta:
        model = Violation
        fields = (
            "id",
            "policy_id",
            "policy_name",
            "policy_version",
            "resource_id",
            "resource_name",
            "resource_native_id",
            "resource_type",
            "provider",
            "severity",
            "reason",
            "first_seen",
            "last_seen",
            "status",
            "shown_status",
            "suppressed_until",
            "exception_id",
            "fixed_at",
            "source",
        )


class ViolationEventSerializer(ReadSerializer):
    id = serializers.CharField()

    class Meta:
        model = ViolationEvent
        fields = ("id", "kind", "severity", "at")


class ViolationCountSerializer(serializers.Serializer):
    policy_id = serializers.CharField(help_text="Empty for violations whose policy is gone")
    severity = serializers.CharField()
    status = serializers.CharField(help_text="As shown")
    n = serializers.IntegerField()


class ViolationCountsSerializer(serializers.Serializer):
    counts = ViolationCountSerializer(many=True)


class ViolationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Resources that break a policy, the worst first."""

    serializer_class = ViolationSerializer
    filterset_class = ViolationFilter
    orderings = {
        "-severity": WORST,
        "severity": Keyset("severity_rank", "last_seen", "id"),
        "-last_seen": Keyset("-last_seen", "-id"),
        "last_seen": Keyset("last_seen", "id"),
    }
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[ViolationRecord]:
        return violation_records().select_related("policy", "resource")

    @extend_schema(responses=ViolationCountsSerializer)
    @action(detail=False, filterset_class=None, pagination_class=None)
    def counts(self, request: Request) -> Response:
        """How many violations there are of each policy, severity and shown status."""
        return Response({"counts": [asdict(count) for count in violation_counts()]})


class ViolationExportViewSet(RoomViewSet):
    """Everything that the filters of the list of violations let through, as one stream."""

    permission = Permission.EXPORT
    serializer_class = ViolationSerializer
    filterset_class = ViolationFilter
    orderings = ViolationViewSet.orderings
    pagination_class = None
    query_parameters = (*ViolationFilter.base_filters, "ordering")
    throttle_classes = [WorkThrottle]

    def get_queryset(self) -> QuerySet[Any]:
        return with_documents(violation_records())

    @extend_schema(responses={(200, "application/x-ndjson"): OpenApiTypes.STR})
    @action(detail=False)
    def ocsf(self, request: Request) -> StreamingHttpResponse:
        """OCSF 1.8 findings, a line of JSON each: Compliance Findings of policies, Detection Findings of others."""
        rows = self.filter_queryset(self.get_queryset())
        filters = {name: request.query_params.getlist(name) for name in request.query_params}
        export = Export(
            "findings.violations", rows, self.keyset, (), filters, lambda _: None, {OCSF: OCSF_LINES}
        )
        return export.response(OCSF)


class LatestOpenViewSet(mixins.ListModelMixin, RoomViewSet):
    """Of each resource the open violations last seen latest, the worst first."""

    serializer_class = ViolationSerializer
    filterset_class = ViolationFilter
    orderings = {"-severity": WORST}

    def get_queryset(self) -> QuerySet[Violation]:
        return latest_open_violations().select_related("policy", "resource")


class ViolationEventViewSet(PartViewSet):
    """What happened to a violation, the oldest first."""

    whole = Violation
    by = "violation_id"
    queryset = ViolationEvent.objects.all()
    serializer_class = ViolationEventSerializer
    orderings = {"id": Keyset("id")}


class RecommendationSerializer(ReadSerializer):
    class Meta:
        model = Recommendation
        fields = (
            "id",
            "kind",
            "severity",
            "title",
            "description",
            "savings",
            "risk_reduction",
            "confidence",
            "rule",
            "resource_id",
            "created_at",
            "status",
            "currency",
            "evidence",
            "remedy",
            "decided_by_id",
            "decided_at",
            "decision_reason",
            "gone_at",
            "realised",
            "realised_days",
        )


class DecideRecommendationSerializer(InputSerializer):
    status = serializers.ChoiceField(choices=sorted(DECISIONS))
    reason = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=MAX_REASON, help_text="Needed to dismiss it"
    )


class RecommendationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """What is worth doing. Money and scores are exact decimals, as text."""

    queryset = Recommendation.objects.all()
    serializer_class = RecommendationSerializer
    filterset_class = RecommendationFilter
    orderings = {
        "-created_at": Keyset("-created_at", "-id"),
        "created_at": Keyset("created_at", "id"),
        "-savings": Keyset("-savings_order", "-id"),
    }
    lookup_value_converter = "uuid"
    write_permission = Permission.REQUEST

    @extend_schema(request=DecideRecommendationSerializer, responses=RecommendationSerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, **kwargs: Any) -> Response:
        """Accept it, dismiss it, or open it again. What is to be changed is then asked for as an action."""
        decided = decide_recommendation(
            recommendation=self.get_object(), **self.validated(DecideRecommendationSerializer)
        )
        return Response(RecommendationSerializer(decided).data)


class ScanRunSerializer(ReadSerializer):
    class Meta:
        model = ScanRun
        fields = (
            "id",
            "kind",
            "mode",
            "status",
            "job_id",
            "policy_id",
            "resource_id",
            "policies",
            "resources",
            "opened",
            "reopened",
            "fixed",
            "still_open",
            "errors",
            "error",
            "started_at",
            "finished_at",
        )


class EvaluationErrorSerializer(ReadSerializer):
    id = serializers.CharField()

    class Meta:
        model = EvaluationError
        fields = ("id", "policy_id", "resources", "example_resource_id", "message")


class StartScanSerializer(InputSerializer):
    kind = serializers.ChoiceField(
        choices=("policy", "security"),
        default="policy",
        help_text="policy: every active policy; security: ways through several resources, credentials and secrets",
    )
    mode = serializers.ChoiceField(choices=("full", "incremental"), default="full")
    policy_id = serializers.CharField(
        required=False, max_length=200, help_text="Only this policy, which must be active"
    )
    resource_id = serializers.CharField(required=False, max_length=200, help_text="Only this resource")


class ScanViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Passes over the estate: what was opened, fixed and still open."""

    queryset = ScanRun.objects.all()
    serializer_class = ScanRunSerializer
    filterset_class = ScanRunFilter
    orderings = {"-started_at": Keyset("-started_at", "-id"), "started_at": Keyset("started_at", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.SCAN
    throttle_classes = [WorkThrottle]

    @extend_schema(request=StartScanSerializer, responses={202: JobSerializer})
    def create(self, request: Request) -> Response:
        """Start a scan: of all active policies, of one, or of one resource, or a security scan; the answer is its
        job."""
        asked = self.validated(StartScanSerializer)
        return once(request, asked, lambda: self._start(asked)).as_response()

    @staticmethod
    def _start(asked: dict[str, Any]) -> Answer:
        asked = dict(asked)
        kind = asked.pop("kind")
        if kind == "security" and (asked.get("policy_id") or asked.get("resource_id")):
            raise InvalidInput("A security scan looks at everything: it can't be narrowed.", field="kind")
        job = start_security_scan(mode=asked["mode"]) if kind == "security" else start_policy_scan(**asked)
        location = reverse("api:job-detail", kwargs={"pk": job.pk})
        return Answer(status.HTTP_202_ACCEPTED, dict(JobSerializer(job).data), location)


class EvaluationErrorViewSet(PartViewSet):
    """Policies that a scan could not decide for some resources."""

    whole = ScanRun
    by = "scan_id"
    queryset = EvaluationError.objects.all()
    serializer_class = EvaluationErrorSerializer
    orderings = {"id": Keyset("id")}
