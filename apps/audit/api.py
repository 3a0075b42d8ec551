"""The audit trail on the API, to read."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ReadSerializer, RoomViewSet
from apps.core.errors import InvalidInput
from apps.core.pagination import Keyset
from apps.core.permissions import Permission

from .filters import AuditFilter, CheckpointFilter
from .jobs import request_verification
from .models import Audit, AuditCheckpoint
from .proofs import prove_consistency, prove_inclusion


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


class ProofSerializer(serializers.Serializer):
    leaf = serializers.CharField(help_text="RFC 6962 leaf hash of the row, in hexadecimal")
    index = serializers.IntegerField(help_text="The leaf's place in the tree, from 0")
    path = serializers.ListField(
        child=serializers.CharField(), help_text="Hashes from the leaf upwards, in hexadecimal"
    )
    size = serializers.IntegerField(help_text="Leaves in the tree of the checkpoint")
    checkpoint = serializers.CharField(help_text="The signed checkpoint (C2SP tlog-checkpoint)")


class ConsistencySerializer(serializers.Serializer):
    path = serializers.ListField(child=serializers.CharField(), help_text="Hashes in hexadecimal")
    first = serializers.CharField(help_text="The earlier signed checkpoint")
    second = serializers.CharField(help_text="The later signed checkpoint")


class CheckpointSerializer(ReadSerializer):
    root_hash = serializers.SerializerMethodField(help_text="Root of the tree, in hexadecimal")

    class Meta:
        model = AuditCheckpoint
        fields: tuple[str, ...] = (
            "size",
            "root_hash",
            "note",
            "object_key",
            "version_id",
            "sealed_at",
            "anchored_at",
            "platform_size",
        )

    def get_root_hash(self, checkpoint: AuditCheckpoint) -> str:
        return bytes(checkpoint.root).hex()


class VerificationSerializer(serializers.Serializer):
    job = serializers.UUIDField(help_text="The job; its result names what is wrong, and where")
    status = serializers.CharField()


SIZE = OpenApiParameter("size", int, description="Of the checkpoint; the first that has the row unless given")
ENDS = [
    OpenApiParameter(name, int, required=True, description=f"Size of the {which} checkpoint")
    for name, which in (("first", "earlier"), ("second", "later"))
]


class AuditViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Who did what, when, to which object."""

    queryset = Audit.objects.defer("canonical", "leaf")
    filterset_class = AuditFilter
    orderings = {"-created_at": Keyset("-created_at", "-id"), "created_at": Keyset("created_at", "id")}
    lookup_value_converter = "uuid"

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return AuditDetailSerializer if self.action == "retrieve" else AuditSerializer

    @extend_schema(parameters=[SIZE], responses=ProofSerializer)
    @action(detail=True, filterset_class=None, query_parameters=("size",))
    def proof(self, request: Request, **kwargs: Any) -> Response:
        """That the row is in a signed checkpoint: its leaf, its place and the hashes up to the root (RFC 6962)."""
        size = _number(request, "size")
        proof = prove_inclusion(audit_id=self.get_object().pk, size=size)
        return Response(
            {
                "leaf": proof.leaf.hex(),
                "index": proof.index,
                "path": [node.hex() for node in proof.path],
                "size": proof.checkpoint.size,
                "checkpoint": proof.checkpoint.note,
            }
        )


class CheckpointViewSet(mixins.ListModelMixin, RoomViewSet):
    """The signed checkpoints of the tenant's audit trail that the store has."""

    queryset = AuditCheckpoint.objects.filter(anchored_at__isnull=False)
    serializer_class = CheckpointSerializer
    filterset_class = CheckpointFilter
    orderings = {"-size": Keyset("-size"), "size": Keyset("size")}

    @extend_schema(parameters=ENDS, responses=ConsistencySerializer)
    @action(detail=False, filterset_class=None, pagination_class=None, query_parameters=("first", "second"))
    def consistency(self, request: Request) -> Response:
        """That the later of two trees begins with the earlier one (RFC 6962)."""
        sizes = {name: _number(request, name) for name in ("first", "second")}
        for name, size in sizes.items():
            if size is None:
                raise InvalidInput("Name the size of a checkpoint.", field=name)
        proof = prove_consistency(first=sizes["first"] or 0, second=sizes["second"] or 0)
        return Response(
            {
                "path": [node.hex() for node in proof.path],
                "first": proof.first.note,
                "second": proof.second.note,
            }
        )


class VerificationViewSet(RoomViewSet):
    """Verifying the tenant's audit trail."""

    queryset = AuditCheckpoint.objects.none()
    write_permission = Permission.EXPORT

    @extend_schema(request=None, responses={202: VerificationSerializer})
    def create(self, request: Request) -> Response:
        """Have a job verify every row, place and checkpoint; its result names what is wrong."""
        job = request_verification()
        return Response({"job": job.pk, "status": job.status}, status=status.HTTP_202_ACCEPTED)


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise InvalidInput(f"{name} must be a whole number.", field=name)
    return int(text)
