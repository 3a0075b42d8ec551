"""Exceptions on the API: asked for, decided by somebody else, ended."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.models import Policy, Resource
from apps.core.api import InputSerializer, ReadSerializer, RoomViewSet, reference
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.tenancy.idempotency import Answer, once

from .filters import ExceptionFilter
from .models import PolicyException
from .services.exceptions import (
    REASON_LIMIT,
    approve_exception,
    reject_exception,
    request_exception,
    revoke_exception,
)


class ExceptionSerializer(ReadSerializer):
    policy_id = serializers.CharField(allow_null=True)
    resource_id = serializers.CharField(allow_null=True)
    created_by = serializers.CharField(source="created_by_id", allow_null=True, help_text="Id of a user")
    decided_by = serializers.CharField(source="decided_by_id", allow_null=True, help_text="Id of a user")

    class Meta:
        model = PolicyException
        fields = (
            "id",
            "policy_id",
            "resource_id",
            "reason",
            "expires_at",
            "created_by",
            "status",
            "created_at",
            "decided_by",
            "decided_at",
            "decision_reason",
            "subject",
            "subject_sha256",
        )


class RequestExceptionSerializer(InputSerializer):
    """At least one of policy_id and resource_id."""

    policy_id = serializers.CharField(required=False, allow_null=True, max_length=1000)
    resource_id = serializers.CharField(required=False, allow_null=True, max_length=1000)
    reason = serializers.CharField(max_length=REASON_LIMIT)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class ApprovalSerializer(InputSerializer):
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=REASON_LIMIT)


class DecisionSerializer(InputSerializer):
    reason = serializers.CharField(max_length=REASON_LIMIT)


class ExceptionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Leave to break a policy for a while."""

    queryset = PolicyException.objects.all()
    serializer_class = ExceptionSerializer
    filterset_class = ExceptionFilter
    orderings = {"-created_at": Keyset("-created_at", "-id"), "created_at": Keyset("created_at", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.REQUEST

    @extend_schema(request=RequestExceptionSerializer, responses={201: ExceptionSerializer})
    def create(self, request: Request) -> Response:
        """Ask for an exception. It is pending until somebody else decides."""
        asked = self.validated(RequestExceptionSerializer)
        return once(request, asked, lambda: self._request(asked)).as_response()

    @extend_schema(request=ApprovalSerializer, responses=ExceptionSerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.DECIDE)
    def approve(self, request: Request, **kwargs: Any) -> Response:
        """Grant it: the violations it covers are suppressed until its term. Never one's own."""
        exception = self.get_object()
        reason = self.validated(ApprovalSerializer)["reason"]
        return self._show(approve_exception(exception=exception, reason=reason))

    @extend_schema(request=DecisionSerializer, responses=ExceptionSerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.DECIDE)
    def reject(self, request: Request, **kwargs: Any) -> Response:
        """Refuse it, saying why."""
        exception = self.get_object()
        return self._show(reject_exception(exception=exception, **self.validated(DecisionSerializer)))

    @extend_schema(request=DecisionSerializer, responses=ExceptionSerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.DECIDE)
    def revoke(self, request: Request, **kwargs: Any) -> Response:
        """End an approved exception before its term: what it suppressed is open again."""
        exception = self.get_object()
        return self._show(revoke_exception(exception=exception, **self.validated(DecisionSerializer)))

    @staticmethod
    def _request(asked: dict[str, Any]) -> Answer:
        policy, resource = asked.get("policy_id"), asked.get("resource_id")
        exception = request_exception(
            policy=reference(Policy.objects.all(), policy, "policy_id") if policy else None,
            resource=reference(Resource.objects.all(), resource, "resource_id") if resource else None,
            reason=asked["reason"],
            expires_at=asked.get("expires_at"),
        )
        exception.refresh_from_db()
        location = reverse("api:exception-detail", kwargs={"pk": exception.pk})
        return Answer(status.HTTP_201_CREATED, dict(ExceptionSerializer(exception).data), location)

    @staticmethod
    def _show(exception: PolicyException) -> Response:
        exception.refresh_from_db()
        return Response(ExceptionSerializer(exception).data)
