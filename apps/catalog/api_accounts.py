"""Cloud accounts on the API: which there are, why there is no data, and their discovery."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ReadSerializer, RoomViewSet
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.jobs.api import JobSerializer
from apps.tenancy.idempotency import Answer, once
from apps.tenancy.models import CloudAccount
from apps.tenancy.throttling import WorkThrottle

from .services import start_discovery
from .services.discoveries import why_no_data


class CloudAccountSerializer(ReadSerializer):
    why_no_data = serializers.SerializerMethodField(
        help_text="In words; empty where the data is there and fresh"
    )
    last_result = serializers.DictField(help_text="Counts of the last discovery")

    class Meta:
        model = CloudAccount
        fields = (
            "id",
            "provider",
            "account",
            "name",
            "status",
            "reference",
            "regions",
            "discover_every_minutes",
            "proven_at",
            "tested_at",
            "discovered_at",
            "last_result",
            "why_no_data",
            "created_at",
        )

    def get_why_no_data(self, account: CloudAccount) -> str:
        return why_no_data(account)


class CloudAccountViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """The cloud accounts of the tenant. A reference says where credentials are; none is ever shown."""

    queryset = CloudAccount.objects.all()
    serializer_class = CloudAccountSerializer
    orderings = {"account": Keyset("provider", "account", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.IMPORT
    throttle_classes = [WorkThrottle]

    @extend_schema(request=None, responses={202: JobSerializer})
    @action(detail=True, methods=["post"])
    def discover(self, request: Request, **kwargs: Any) -> Response:
        """Start a discovery; one that is under way is given back instead."""
        account = self.get_object()
        return once(request, {"account": str(account.pk)}, lambda: _start(account)).as_response()


def _start(account: CloudAccount) -> Answer:
    job = start_discovery(account=account)
    location = reverse("api:job-detail", kwargs={"pk": job.pk})
    return Answer(status.HTTP_202_ACCEPTED, dict(JobSerializer(job).data), location)
