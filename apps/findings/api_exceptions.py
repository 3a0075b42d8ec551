"""Exceptions on the API: asked for, previewed, decided by somebody else, renewed, ended; and their rules."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.models import SEVERITIES, Policy, Resource
from apps.core.api import InputSerializer, ObjectField, ReadSerializer, RoomViewSet, reference
from apps.core.errors import InvalidInput
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.tenancy.idempotency import Answer, once

from .filters import ExceptionFilter
from .models import EXCEPTION_STATES, PolicyException
from .queries import exceptions
from .scope import Scope, scope_of_filters
from .services.exception_facts import impact_of, risk_of
from .services.exception_rules import MOST_DAYS, exception_rules, set_exception_rules
from .services.exceptions import (
    REASON_LIMIT,
    approve_exception,
    close_exception,
    reject_exception,
    request_exception,
    revoke_exception,
)


class ExceptionSerializer(ReadSerializer):
    policy_id = serializers.CharField(allow_null=True)
    resource_id = serializers.CharField(allow_null=True)
    created_by = serializers.CharField(source="created_by_id", allow_null=True, help_text="Id of a user")
    decided_by = serializers.CharField(source="decided_by_id", allow_null=True, help_text="Id of a user")
    ended_by = serializers.CharField(source="ended_by_id", allow_null=True, help_text="Id of a user")
    renews = serializers.CharField(source="renews_id", allow_null=True, help_text="Id of an exception")
    shown_status = serializers.ChoiceField(
        choices=EXCEPTION_STATES, help_text="The status now: expired as soon as its term is over"
    )

    class Meta:
        model = PolicyException
        fields = (
            "id", "policy_id", "resource_id", "selector", "reason", "compensating_control", "expires_at",
            "created_by", "requester", "status", "shown_status", "created_at", "decided_by", "decider",
            "decided_at", "decision_reason", "decision", "decision_sha256", "subject", "subject_sha256", "renews",
            "renewal", "covered", "idle_since", "ended_at", "ended_by", "end_kind", "end_reason",
        )  # fmt: skip


class ScopeSerializer(InputSerializer):
    """What it is for: policy_id, resource_id or both; or `filters`, those of the violation list, and `later`."""

    policy_id = serializers.CharField(required=False, allow_null=True, max_length=1000)
    resource_id = serializers.CharField(required=False, allow_null=True, max_length=1000)
    filters = ObjectField(
        required=False, allow_null=True,
        help_text="Filters of the violation list by name, e.g. {\"severity\": [\"low\"], \"account\": \"1\"}",
    )  # fmt: skip
    later = serializers.BooleanField(
        required=False, default=False, help_text="Whether violations that come to match later are covered too"
    )


class RequestExceptionSerializer(ScopeSerializer):
    """At least one of policy_id, resource_id and filters; or `renews`, whose scope is taken over."""

    reason = serializers.CharField(max_length=REASON_LIMIT)
    compensating_control = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=REASON_LIMIT
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    renews = serializers.UUIDField(required=False, allow_null=True)


class ImpactSerializer(serializers.Serializer):
    violations = serializers.IntegerField(help_text="Open violations that it would hide")
    by_severity = serializers.DictField(child=serializers.IntegerField())
    oldest = serializers.DateTimeField(allow_null=True)
    words = serializers.CharField()
    risk = serializers.ChoiceField(choices=SEVERITIES)
    longest_days = serializers.IntegerField(help_text="How long it may last at this risk")


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

    def get_queryset(self) -> QuerySet[PolicyException]:
        return exceptions()

    @extend_schema(request=RequestExceptionSerializer, responses={201: ExceptionSerializer})
    def create(self, request: Request) -> Response:
        """Ask for an exception. It is pending until somebody else decides."""
        asked = self.validated(RequestExceptionSerializer)
        return once(request, asked, lambda: self._request(asked)).as_response()

    @extend_schema(request=ScopeSerializer, responses=ImpactSerializer)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """What an exception would hide now, and how long it may last. Changes nothing."""
        scope = _scope(self.validated(ScopeSerializer))
        return Response(_impact(scope))

    @extend_schema(request=None, responses=ImpactSerializer)
    @action(detail=True, methods=["get"])
    def impact(self, request: Request, **kwargs: Any) -> Response:
        """What it would hide if it were approved now."""
        return Response(_impact(Scope.of(self.get_object())))

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
        """End an approved exception before its term: what it alone suppressed is open again."""
        exception = self.get_object()
        return self._show(revoke_exception(exception=exception, **self.validated(DecisionSerializer)))

    @extend_schema(request=ApprovalSerializer, responses=ExceptionSerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.REQUEST)
    def close(self, request: Request, **kwargs: Any) -> Response:
        """End one that is not needed any more: whoever asked for it, or an approver; withdraw one's own request."""
        exception = self.get_object()
        return self._show(close_exception(exception=exception, **self.validated(ApprovalSerializer)))

    @staticmethod
    def _request(asked: dict[str, Any]) -> Answer:
        renews = asked.get("renews")
        exception = request_exception(
            scope=None if renews else _scope(asked),
            reason=asked["reason"],
            compensating_control=asked["compensating_control"],
            expires_at=asked.get("expires_at"),
            renews=reference(PolicyException.objects.all(), renews, "renews") if renews else None,
        )
        location = reverse("api:exception-detail", kwargs={"pk": exception.pk})
        shown = exceptions().get(pk=exception.pk)
        return Answer(status.HTTP_201_CREATED, dict(ExceptionSerializer(shown).data), location)

    @staticmethod
    def _show(exception: PolicyException) -> Response:
        return Response(ExceptionSerializer(exceptions().get(pk=exception.pk)).data)


class RulesSerializer(serializers.Serializer):
    longest_days = serializers.DictField(
        child=serializers.IntegerField(min_value=1, max_value=MOST_DAYS), help_text="By severity"
    )
    endless = serializers.BooleanField(help_text="Whether one without an end may be asked for")
    warn_days = serializers.ListField(child=serializers.IntegerField(min_value=1), max_length=5)


class RulesInput(InputSerializer, RulesSerializer):
    pass


class ExceptionRulesViewSet(RoomViewSet):
    """The tenant's rules for exceptions."""

    write_permission = Permission.MANAGE

    @extend_schema(responses=RulesSerializer)
    def retrieve(self, request: Request) -> Response:
        """How long an exception may last by severity, whether it may have no end, and when to warn."""
        return Response(RulesSerializer(exception_rules()).data)

    @extend_schema(request=RulesInput, responses=RulesSerializer)
    def update(self, request: Request) -> Response:
        """Set the rules. A severity that is left out keeps its longest term."""
        return Response(RulesSerializer(set_exception_rules(**self.validated(RulesInput))).data)


def _scope(asked: dict[str, Any]) -> Scope:
    policy, resource, filters = asked.get("policy_id"), asked.get("resource_id"), asked.get("filters")
    if filters is not None:
        if policy or resource:
            raise InvalidInput("Name policy and resource among the filters.", field="filters")
        return scope_of_filters(filters, later=asked["later"])
    return Scope(
        policy=reference(Policy.objects.all(), policy, "policy_id") if policy else None,
        resource=reference(Resource.objects.all(), resource, "resource_id") if resource else None,
    )


def _impact(scope: Scope) -> dict[str, Any]:
    impact = impact_of(scope)
    risk = risk_of(scope, impact)
    return {
        "violations": impact.violations,
        "by_severity": dict(impact.by_severity),
        "oldest": impact.oldest,
        "words": impact.words(),
        "risk": risk,
        "longest_days": exception_rules().longest(risk),
    }
