"""Anomalies and budgets on the API."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, PartViewSet, ReadSerializer, RoomViewSet
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.tenancy.idempotency import Answer, once

from .filters import AnomalyFilter, BudgetFilter
from .models import Budget, BudgetAlert, CostAnomaly, CostAnomalyEvent
from .models.budgets import BUDGET_PERIODS, BUDGET_SCOPES
from .services.anomalies import DECISIONS, MAX_REASON, decide_anomaly
from .services.budgets import create_budget, end_budget, standing


class AnomalySerializer(ReadSerializer):
    class Meta:
        model = CostAnomaly
        exclude = ("tenant",)


class DecideAnomalySerializer(InputSerializer):
    status = serializers.ChoiceField(choices=sorted(DECISIONS))
    reason = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=MAX_REASON,
        help_text="Needed to dismiss it and to call it expected",
    )


class AnomalyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Days on which a service cost what its own weekdays do not explain; causes ranked, the likeliest first."""

    queryset = CostAnomaly.objects.all()
    serializer_class = AnomalySerializer
    filterset_class = AnomalyFilter
    orderings = {"-last_day": Keyset("-last_day", "-id"), "last_day": Keyset("last_day", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.REQUEST

    @extend_schema(request=DecideAnomalySerializer, responses=AnomalySerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, **kwargs: Any) -> Response:
        """Acknowledge it, dismiss it, call it expected, or open it again."""
        anomaly = decide_anomaly(anomaly=self.get_object(), **self.validated(DecideAnomalySerializer))
        return Response(AnomalySerializer(anomaly).data)


class AnomalyEventSerializer(ReadSerializer):
    id = serializers.CharField()

    class Meta:
        model = CostAnomalyEvent
        fields = ("id", "ts", "actor", "from_status", "to_status", "note")


class AnomalyEventViewSet(PartViewSet):
    """What happened to an anomaly, the oldest first."""

    whole = CostAnomaly
    by = "anomaly_id"
    queryset = CostAnomalyEvent.objects.all()
    serializer_class = AnomalyEventSerializer
    orderings = {"id": Keyset("id")}


class BudgetSerializer(ReadSerializer):
    class Meta:
        model = Budget
        exclude = ("tenant",)


class NewBudgetSerializer(InputSerializer):
    name = serializers.CharField(max_length=200)
    amount = serializers.DecimalField(max_digits=30, decimal_places=6)
    scope = serializers.ChoiceField(choices=BUDGET_SCOPES, default="tenant")
    scope_key = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    scope_value = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)
    period = serializers.ChoiceField(choices=BUDGET_PERIODS, default="month")
    thresholds = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1000), default=[80, 100], max_length=20
    )
    on_forecast = serializers.BooleanField(default=True)


class StandingSerializer(serializers.Serializer):
    start = serializers.DateField()
    end = serializers.DateField(help_text="The first day of the next period")
    spent = serializers.CharField()
    amount = serializers.CharField()
    expected = serializers.CharField(allow_null=True, help_text="At the period's end, by the forecast")
    low = serializers.CharField(allow_null=True)
    high = serializers.CharField(allow_null=True)


class BudgetViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """How much a part of the bill may be."""

    queryset = Budget.objects.all()
    serializer_class = BudgetSerializer
    filterset_class = BudgetFilter
    orderings = {"name": Keyset("name", "id"), "-name": Keyset("-name", "-id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.REQUEST

    @extend_schema(request=NewBudgetSerializer, responses={201: BudgetSerializer})
    def create(self, request: Request) -> Response:
        """Set a budget."""
        asked = self.validated(NewBudgetSerializer)
        return once(request, asked, lambda: self._create(asked)).as_response()

    @staticmethod
    def _create(asked: dict[str, Any]) -> Answer:
        budget = create_budget(**asked)
        budget.refresh_from_db()
        location = reverse("api:budget-detail", kwargs={"pk": budget.pk})
        return Answer(status.HTTP_201_CREATED, dict(BudgetSerializer(budget).data), location)

    @extend_schema(request=None, responses=BudgetSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, **kwargs: Any) -> Response:
        """It alerts no more."""
        return Response(BudgetSerializer(end_budget(budget=self.get_object())).data)

    @extend_schema(responses=StandingSerializer)
    @action(detail=True)
    def standing(self, request: Request, **kwargs: Any) -> Response:
        """Where it stands in the period that runs."""
        now = standing(self.get_object())
        money = ("spent", "amount", "expected", "low", "high")
        shown = {n: None if getattr(now, n) is None else format(getattr(now, n), "f") for n in money}
        return Response({"start": now.start, "end": now.end, **shown})


class BudgetAlertSerializer(ReadSerializer):
    class Meta:
        model = BudgetAlert
        fields = ("id", "period_start", "kind", "threshold", "amount", "created_at")


class BudgetAlertViewSet(PartViewSet):
    """The thresholds that were passed, the latest first."""

    whole = Budget
    by = "budget_id"
    queryset = BudgetAlert.objects.all()
    serializer_class = BudgetAlertSerializer
    orderings = {"-created_at": Keyset("-created_at", "-id")}
