"""Frameworks, controls and mappings on the API, with their posture now or as of a past day."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.filters import MappingFilter
from apps.catalog.framework_drafts import MAX_CONTROLS
from apps.catalog.models import Control, Framework, Policy, PolicyControl
from apps.catalog.models_frameworks import RETENTION_YEARS
from apps.catalog.services.frameworks import install_framework, set_retention
from apps.catalog.services.mappings import map_policy, unmap_policy
from apps.core.api import InputSerializer, PartViewSet, ReadSerializer, RoomViewSet, reference
from apps.core.pagination import Keyset
from apps.core.permissions import Permission

from .as_of import AsOfPage, asked_day
from .filters import ControlFilter, FrameworkFilter
from .posture import ControlPosture, FrameworkPosture, control_postures, framework_postures, trend_of
from .posture.standing import controls_in_force
from .posture.trend import days_back

AS_OF = OpenApiParameter(
    "as_of", {"type": "string", "format": "date"}, description="As of the end of this day, UTC"
)


class StatesSerializer(serializers.Serializer):
    satisfied = serializers.IntegerField()
    not_satisfied = serializers.IntegerField()
    excepted = serializers.IntegerField()
    not_assessed = serializers.IntegerField()


class FrameworkSerializer(ReadSerializer):
    controls = serializers.IntegerField(source="posture.controls")
    by_state = StatesSerializer(source="posture.by_state")
    failing = serializers.IntegerField(
        source="posture.failing", help_text="Checks: one policy over one resource"
    )
    excepted = serializers.IntegerField(source="posture.excepted", help_text="Checks under an exception")

    class Meta:
        model = Framework
        fields: tuple[str, ...] = (
            "id", "key", "title", "version", "publisher", "description", "source", "retention_years", "created_at",
            "controls", "by_state", "failing", "excepted",
        )  # fmt: skip


class VerdictSerializer(serializers.Serializer):
    policy_id = serializers.CharField()
    state = serializers.CharField(help_text="failing, excepted, passing, no_resources or not_assessed")
    reason = serializers.CharField(help_text="Why it is not assessed")
    evaluated = serializers.IntegerField(help_text="Resources that it was held against")
    failing = serializers.IntegerField()
    excepted = serializers.IntegerField()
    undecided = serializers.IntegerField(help_text="Resources for which it had no answer")


class ControlPostureSerializer(serializers.Serializer):
    state = serializers.CharField(help_text="satisfied, not_satisfied, excepted or not_assessed")
    reason = serializers.CharField(help_text="Why it is not assessed")
    policies = serializers.IntegerField()
    not_assessed = serializers.IntegerField(help_text="Policies that are not assessed")
    resources = serializers.IntegerField(help_text="Distinct resources that its policies looked at")
    checks = serializers.IntegerField(help_text="One policy over one resource")
    failing = serializers.IntegerField()
    excepted = serializers.IntegerField()
    undecided = serializers.IntegerField()


class ControlSerializer(ReadSerializer):
    framework = serializers.CharField(source="framework.key")
    group = serializers.CharField(source="parent.title", allow_null=True, default=None)
    posture = ControlPostureSerializer()

    class Meta:
        model = Control
        fields: tuple[str, ...] = (
            "id",
            "framework",
            "code",
            "label",
            "title",
            "description",
            "group",
            "posture",
        )


class ControlDetailSerializer(ControlSerializer):
    verdicts = VerdictSerializer(source="posture.verdicts", many=True)

    class Meta(ControlSerializer.Meta):
        fields: tuple[str, ...] = (*ControlSerializer.Meta.fields, "verdicts")


class DaySerializer(serializers.Serializer):
    day = serializers.DateField()
    by_state = StatesSerializer()
    failing = serializers.IntegerField()
    excepted = serializers.IntegerField()


class TrendSerializer(serializers.Serializer):
    days = DaySerializer(many=True)


class InstallSerializer(InputSerializer):
    key = serializers.CharField(max_length=80, help_text="Of the library, such as nist-800-53-r5")


class InstalledSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    key = serializers.CharField()


class RetentionSerializer(InputSerializer):
    retention_years = serializers.ChoiceField(choices=RETENTION_YEARS)


class AsOfViewSet(AsOfPage, RoomViewSet):
    """An endpoint that takes `as_of`, on one object too. An impossible day is an error, never now."""

    as_of_actions: tuple[str, ...] = ("retrieve",)

    def _known_parameters(self) -> set[str]:
        return super()._known_parameters() | ({"as_of"} if self.action in self.as_of_actions else set())

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action in (*self.as_of_actions, "list"):
            self.as_of = asked_day(request.query_params.get("as_of"))


class FrameworkViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, AsOfViewSet):
    """What the tenant is held to, with how many controls are in each state."""

    queryset = Framework.objects.none()
    serializer_class = FrameworkSerializer
    filterset_class = FrameworkFilter
    orderings = {"title": Keyset("title", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.MANAGE

    def get_queryset(self) -> QuerySet[Framework]:
        kept = Q(retired_at=None) | Q(retired_at__gte=self.before)
        return Framework.objects.filter(kept, created_at__lt=self.before)

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset)
        self._judge(rows)
        return rows

    def get_object(self) -> Framework:
        framework: Framework = super().get_object()
        if self.action == "retrieve":
            self._judge([framework])
        return framework

    def _judge(self, rows: Any) -> None:
        found = {p.framework.pk: p for p in framework_postures(self.before, is_now=self.is_now)}
        for row in rows or ():
            row.posture = found.get(row.pk) or FrameworkPosture(row)

    @extend_schema(parameters=[AS_OF])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One framework."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(responses=TrendSerializer)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def trend(self, request: Request, **kwargs: Any) -> Response:
        """Controls by state at the end of each of the last 90 days."""
        controls = list(Control.objects.filter(framework=self.get_object(), is_group=False))
        return Response({"days": [asdict(day) for day in trend_of(controls, *days_back(90))]})

    @extend_schema(request=InstallSerializer, responses={200: InstalledSerializer})
    @action(detail=False, methods=["post"], write_permission=Permission.MANAGE)
    def install(self, request: Request) -> Response:
        """Take a framework of the library, or bring it up to date."""
        framework = install_framework(key=self.validated(InstallSerializer)["key"])
        return Response({"id": framework.pk, "key": framework.key})

    @extend_schema(request=RetentionSerializer, responses={200: RetentionSerializer})
    @action(detail=True, methods=["put"], write_permission=Permission.MANAGE, url_path="retention")
    def retention(self, request: Request, **kwargs: Any) -> Response:
        """For how many years evidence for this framework is kept."""
        framework = set_retention(
            framework=self.get_object(), years=int(self.validated(RetentionSerializer)["retention_years"])
        )
        return Response({"retention_years": framework.retention_years})


class ControlsViewSet(AsOfPage, PartViewSet):
    """The controls of a framework, in its order, with their posture."""

    whole = Framework
    by = "framework_id"
    queryset = Control.objects.none()
    serializer_class = ControlSerializer
    filterset_class = ControlFilter
    orderings = {"position": Keyset("position", "id")}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.as_of = asked_day(request.query_params.get("as_of"))

    def get_queryset(self) -> QuerySet[Control]:
        super().get_queryset()  # 404 where the framework is not there
        if getattr(self, "swagger_fake_view", False):
            return Control.objects.none()
        controls = controls_in_force(self.before).filter(framework=self.kwargs["framework_id"])
        self._postures: dict[UUID, ControlPosture] = dict(
            control_postures(list(controls[:MAX_CONTROLS]), self.before, is_now=self.is_now)
        )
        wanted = set(self.request.query_params.getlist("state"))
        if wanted:
            controls = controls.filter(pk__in=[pk for pk, p in self._postures.items() if p.state in wanted])
        return controls.select_related("parent", "framework")

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset)
        for row in rows or ():
            row.posture = self._postures[row.pk]
        return rows


class ControlViewSet(mixins.RetrieveModelMixin, AsOfViewSet):
    """One control with the verdict of each policy that serves it."""

    queryset = Control.objects.select_related("framework", "parent")
    serializer_class = ControlDetailSerializer
    lookup_value_converter = "uuid"

    @extend_schema(parameters=[AS_OF])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One control."""
        control: Any = self.get_object()
        control.posture = control_postures([control], self.before, is_now=self.is_now)[control.pk]
        return Response(self.get_serializer(control).data)


class MappingSerializer(ReadSerializer):
    framework = serializers.CharField(source="control.framework.key")
    control = serializers.CharField(source="control.code")
    control_id = serializers.UUIDField()
    policy_id = serializers.CharField()
    policy_name = serializers.CharField(source="policy.name")

    class Meta:
        model = PolicyControl
        fields = (
            "id", "framework", "control", "control_id", "policy_id", "policy_name", "source", "added_at", "added_by",
            "removed_at", "removed_by",
        )  # fmt: skip


class NewMappingSerializer(InputSerializer):
    control_id = serializers.UUIDField()
    policy_id = serializers.CharField(max_length=200)


class MappingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Which policies serve which controls, those that have ended too."""

    queryset = PolicyControl.objects.select_related("control__framework", "policy")
    serializer_class = MappingSerializer
    filterset_class = MappingFilter
    orderings = {"-added_at": Keyset("-added_at", "-id"), "added_at": Keyset("added_at", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.MANAGE

    @extend_schema(request=NewMappingSerializer, responses={201: MappingSerializer})
    def create(self, request: Request) -> Response:
        """Say that a policy serves a control."""
        asked = self.validated(NewMappingSerializer)
        control = reference(Control.objects.select_related("framework"), asked["control_id"], "control_id")
        policy = reference(Policy.objects.all(), asked["policy_id"], "policy_id")
        mapping = map_policy(control=control, policy=policy)
        mapping.refresh_from_db()
        return Response(MappingSerializer(mapping).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=MappingSerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.MANAGE)
    def end(self, request: Request, **kwargs: Any) -> Response:
        """Say that the policy serves the control no more; imports don't bring it back."""
        mapping = self.get_object()
        unmap_policy(mapping=mapping)
        mapping.refresh_from_db()
        return Response(MappingSerializer(mapping).data)
