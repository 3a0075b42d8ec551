"""Resources and policies on the API."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, ObjectField, PartViewSet, ReadSerializer, RoomViewSet
from apps.core.pagination import Keyset
from apps.core.permissions import Permission

from .filters import PolicyFilter, ResourceFilter
from .models import Policy, PolicyVersion, Resource
from .services import set_policy_parameters, set_policy_status


class ResourceSerializer(ReadSerializer):
    class Meta:
        model = Resource
        fields: tuple[str, ...] = (
            "id",
            "native_id",
            "provider",
            "type",
            "name",
            "group_name",
            "location",
            "account",
            "tags",
            "status",
            "created_at",
            "updated_at",
        )


class ResourceDetailSerializer(ResourceSerializer):
    document = serializers.JSONField(
        source="document.properties", allow_null=True, help_text="The cloud's own document, whole"
    )

    class Meta(ResourceSerializer.Meta):
        fields: tuple[str, ...] = (*ResourceSerializer.Meta.fields, "document")


class ResourceTypeSerializer(serializers.Serializer):
    provider = serializers.CharField()
    type = serializers.CharField()
    resources = serializers.IntegerField()


class ResourceSummarySerializer(serializers.Serializer):
    total = serializers.IntegerField()
    types = ResourceTypeSerializer(many=True)


class ResourceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Cloud resources as last seen."""

    filterset_class = ResourceFilter
    orderings = {"-updated_at": Keyset("-updated_at", "-id"), "updated_at": Keyset("updated_at", "id")}
    lookup_value_converter = "str"

    def get_queryset(self) -> QuerySet[Resource]:
        rows = Resource.objects.all()
        return rows.select_related("document") if self.action == "retrieve" else rows

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return ResourceDetailSerializer if self.action == "retrieve" else ResourceSerializer

    @extend_schema(responses=ResourceSummarySerializer)
    @action(detail=False, filterset_class=None, pagination_class=None)
    def summary(self, request: Request) -> Response:
        """How many resources there are of each provider and type."""
        rows = Resource.objects.values("provider", "type").annotate(resources=Count("pk"))
        types = list(rows.order_by("provider", "type"))
        return Response({"total": sum(row["resources"] for row in types), "types": types})


class PolicySerializer(ReadSerializer):
    class Meta:
        model = Policy
        fields: tuple[str, ...] = (
            "id",
            "name",
            "provider",
            "type",
            "effect",
            "scope",
            "status",
            "language",
            "severity",
            "parameters",
            "metadata",
            "current_version",
            "created_at",
            "updated_at",
        )


class PolicyDetailSerializer(PolicySerializer):
    definition = serializers.SerializerMethodField(help_text="The current version's definition")

    class Meta(PolicySerializer.Meta):
        fields: tuple[str, ...] = (*PolicySerializer.Meta.fields, "definition")

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_definition(self, policy: Policy) -> Any:
        versions = PolicyVersion.objects.filter(policy=policy, number=policy.current_version)
        return versions.values_list("definition", flat=True).first()


class PolicyVersionSerializer(ReadSerializer):
    class Meta:
        model = PolicyVersion
        fields: tuple[str, ...] = ("id", "number", "definition", "sha256", "created_by", "created_at")


class PolicyStatusSerializer(InputSerializer):
    status = serializers.ChoiceField(choices=("active", "disabled"))


class PolicyParametersSerializer(InputSerializer):
    parameters = ObjectField(help_text="Values by the parameter's name")


class PolicyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Rules with their parameters and scope."""

    queryset = Policy.objects.all()
    filterset_class = PolicyFilter
    orderings = {"name": Keyset("name", "id"), "-name": Keyset("-name", "-id")}
    lookup_value_converter = "str"

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return PolicyDetailSerializer if self.action == "retrieve" else PolicySerializer

    @extend_schema(request=PolicyStatusSerializer, responses=PolicySerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.MANAGE, url_path="status")
    def set_status(self, request: Request, **kwargs: Any) -> Response:
        """Enable a policy or disable it; scans run active policies only."""
        policy = self.get_object()
        wanted = self.validated(PolicyStatusSerializer)["status"]
        set_policy_status(policy=policy, status=wanted)
        policy.refresh_from_db()
        return Response(PolicySerializer(policy).data)

    @extend_schema(request=PolicyParametersSerializer, responses=PolicySerializer)
    @action(detail=True, methods=["put"], write_permission=Permission.MANAGE, url_path="parameters")
    def set_parameters(self, request: Request, **kwargs: Any) -> Response:
        """Give values to a policy's parameters; it becomes active once none is missing."""
        policy = self.get_object()
        values = self.validated(PolicyParametersSerializer)["parameters"]
        return Response(PolicySerializer(set_policy_parameters(policy=policy, parameters=values)).data)


class PolicyVersionViewSet(PartViewSet):
    """The definitions that a policy has had, the newest first."""

    whole = Policy
    by = "policy_id"
    queryset = PolicyVersion.objects.all()
    serializer_class = PolicyVersionSerializer
    orderings = {"-number": Keyset("-number", "-id")}
