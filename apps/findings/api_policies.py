"""Policies tried out on the API: previews, explanations, and the SQL behind them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db import models
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.models import Policy, Resource
from apps.core.api import InputSerializer, ObjectField, RoomViewSet
from apps.core.permissions import Permission
from apps.tenancy.throttling import WorkThrottle

from .models import Violation
from .services.compiled import compiled_of
from .services.explaining import explain_pair, explain_violation
from .services.preview import preview_policy


class SampleSerializer(serializers.Serializer):
    resource_id = serializers.CharField()
    native_id = serializers.CharField()
    name = serializers.CharField()
    type = serializers.CharField()
    reason = serializers.CharField()


class PreviewSerializer(serializers.Serializer):
    opens = serializers.IntegerField()
    closes = serializers.IntegerField()
    stays = serializers.IntegerField()
    errors = serializers.IntegerField(  # type: ignore[assignment]
        help_text="Resources for which the rule has no answer"
    )
    excepted = serializers.IntegerField(
        help_text="Of those that open: hidden at once by an approved exception"
    )
    opening = SampleSerializer(many=True)
    closing = SampleSerializer(many=True)
    undecided = SampleSerializer(many=True)
    took = serializers.FloatField(help_text="Seconds")
    notes = serializers.ListField(child=serializers.CharField())


class PartSerializer(serializers.Serializer):
    kind = serializers.CharField()
    outcome = serializers.ChoiceField(choices=("true", "false", "error"))
    decisive = serializers.BooleanField()
    depth = serializers.IntegerField()
    at = serializers.CharField(help_text="The place in the policy's document")
    path = serializers.CharField(help_text="What it reads")
    operator = serializers.CharField()
    expected = serializers.CharField(help_text="JSON text, cut")
    actual = serializers.CharField(help_text="JSON text, cut; missing")
    demand = serializers.CharField()
    error = serializers.CharField()


class ExplainedSerializer(serializers.Serializer):
    policy_id = serializers.CharField()
    resource_id = serializers.CharField()
    policy_version = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=("violation", "compliant", "undecided", "not_run"))
    leaves = PartSerializer(many=True, help_text="The conditions that decided")
    parts = PartSerializer(many=True, help_text="The whole rule")
    notes = serializers.ListField(child=serializers.CharField())


class CompiledSerializer(serializers.Serializer):
    sql = serializers.CharField()
    params = serializers.ListField(child=serializers.CharField())
    plan = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField(), allow_null=True)
    cut = serializers.BooleanField()


class AskPreviewSerializer(InputSerializer):
    language = serializers.ChoiceField(choices=("azure", "custodian"))
    definition = ObjectField(help_text="One definition, in its language's own shape")
    parameters = ObjectField(required=False, help_text="Values by the parameter's name")


class AskStoredPreviewSerializer(InputSerializer):
    parameters = ObjectField(required=False, help_text="Instead of the values that are set")


class AskExplanationSerializer(InputSerializer):
    resource_id = serializers.CharField(max_length=200)


class TrialViewSet(RoomViewSet):
    """Reads with a rule that somebody has just written: in bounded time, changing nothing."""

    queryset = Policy.objects.none()
    throttle_classes = [WorkThrottle]

    def found(self, model: type[models.Model], name: str) -> Any:
        return get_object_or_404(model, pk=self.kwargs[name])


class PreviewViewSet(TrialViewSet):
    write_permission = Permission.SCAN

    @extend_schema(
        operation_id="policy_drafts_preview", request=AskPreviewSerializer, responses=PreviewSerializer
    )
    def create(self, request: Request) -> Response:
        """What the next full scan would change were this definition saved; nothing is."""
        return Response(asdict(preview_policy(**self.validated(AskPreviewSerializer))))


class StoredPreviewViewSet(TrialViewSet):
    write_permission = Permission.SCAN

    @extend_schema(request=AskStoredPreviewSerializer, responses=PreviewSerializer)
    def create(self, request: Request, **kwargs: Any) -> Response:
        """What the next full scan would change of this policy, under these parameters; nothing is saved."""
        policy = self.found(Policy, "policy_id")
        asked = self.validated(AskStoredPreviewSerializer)
        return Response(asdict(preview_policy(policy=policy, parameters=asked.get("parameters"))))


class PairExplanationViewSet(TrialViewSet):
    write_permission = Permission.VIEW

    @extend_schema(request=AskExplanationSerializer, responses=ExplainedSerializer)
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Why the policy says what it says of a resource now, which need not break it."""
        policy = self.found(Policy, "policy_id")
        asked = self.validated(AskExplanationSerializer)["resource_id"]
        return Response(asdict(explain_pair(policy=policy, resource=get_object_or_404(Resource, pk=asked))))


class CompiledViewSet(TrialViewSet):
    permission = Permission.MANAGE

    @extend_schema(responses=CompiledSerializer)
    def list(self, request: Request, **kwargs: Any) -> Response:
        """The SQL that the policy becomes, and PostgreSQL's plan for it; nothing is executed."""
        return Response(asdict(compiled_of(policy=self.found(Policy, "policy_id"))))


class ViolationExplanationViewSet(TrialViewSet):
    @extend_schema(responses=ExplainedSerializer)
    def list(self, request: Request, **kwargs: Any) -> Response:
        """Which conditions decided, with the values seen, as of now."""
        rows = Violation.objects.select_related("policy", "resource")
        violation = get_object_or_404(rows, pk=self.kwargs["violation_id"])
        return Response(asdict(explain_violation(violation=violation)))
