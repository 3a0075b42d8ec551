"""The audit trail on the API, to read."""

from __future__ import annotations

from rest_framework import mixins, serializers

from apps.core.api import ReadSerializer, RoomViewSet
from apps.core.pagination import Keyset

from .filters import AuditFilter
from .models import Audit


class AuditSerializer(ReadSerializer):
    class Meta:
        model = Audit
        fields: tuple[str, ...] = (
            "id",
            "actor",
            "action",
            "target_id",
            "target_type",
            "payload",
            "created_at",
        )


class AuditDetailSerializer(AuditSerializer):
    leaf = serializers.SerializerMethodField(help_text="RFC 6962 leaf hash of the row, in hexadecimal")

    class Meta(AuditSerializer.Meta):
        fields: tuple[str, ...] = (*AuditSerializer.Meta.fields, "leaf")

    def get_leaf(self, audit: Audit) -> str:
        return bytes(audit.leaf).hex()


class AuditViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Who did what, when, to which object."""

    queryset = Audit.objects.defer("canonical", "leaf")
    filterset_class = AuditFilter
    orderings = {"-created_at": Keyset("-created_at", "-id"), "created_at": Keyset("created_at", "id")}
    lookup_value_converter = "uuid"

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return AuditDetailSerializer if self.action == "retrieve" else AuditSerializer
