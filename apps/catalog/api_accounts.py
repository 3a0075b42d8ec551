"""Cloud accounts on the API: which there are, why there is no data, and their discovery."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, ReadSerializer, RoomViewSet
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.jobs.api import JobSerializer
from apps.tenancy.cloud_accounts import change_account, create_account, disconnect_account
from apps.tenancy.idempotency import Answer, once
from apps.tenancy.models import CloudAccount
from apps.tenancy.models_clouds import LISTINGS, PROVIDERS
from apps.tenancy.throttling import WorkThrottle

from .services import check_account, start_discovery
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
            "external_id",
            "regions",
            "listing",
            "discover_every_minutes",
            "proven_at",
            "tested_at",
            "discovered_at",
            "discovery_due_at",
            "discovery_job_id",
            "last_result",
            "why_no_data",
            "created_at",
        )

    def get_why_no_data(self, account: CloudAccount) -> str:
        return why_no_data(account)


class ChangeAccountSerializer(InputSerializer):
    """What is left out stays as it is."""

    credential = serializers.CharField(
        max_length=1100, required=False, help_text="Where the credentials are, as KIND:…; never a secret"
    )
    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    regions = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=100,
        help_text="Of AWS; none means all that are enabled",
    )  # fmt: skip
    listing = serializers.ChoiceField(
        choices=LISTINGS, required=False,
        help_text="Of AWS: describe (each service's calls), config (AWS Config's aggregator), explorer (describe, and "
        "Resource Explorer for what else there is)",
    )  # fmt: skip
    discover_every_minutes = serializers.IntegerField(
        required=False, allow_null=True, help_text="null: by hand only"
    )


class CreateAccountSerializer(ChangeAccountSerializer):
    provider = serializers.ChoiceField(choices=PROVIDERS)
    account = serializers.CharField(max_length=100, help_text="The cloud's own id")
    credential = serializers.CharField(
        max_length=1100, help_text="Where the credentials are, as KIND:…; never a secret"
    )


class CloudAccountViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """The cloud accounts of the tenant. A reference says where credentials are; none is ever shown."""

    queryset = CloudAccount.objects.all()
    serializer_class = CloudAccountSerializer
    orderings = {"account": Keyset("provider", "account", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.MANAGE
    throttle_classes = [WorkThrottle]

    @extend_schema(request=CreateAccountSerializer, responses={201: CloudAccountSerializer})
    def create(self, request: Request) -> Response:
        """Write an account down; a test of its credentials connects it."""
        asked = self.validated(CreateAccountSerializer)
        return once(request, asked, lambda: _create(asked)).as_response()

    @extend_schema(request=ChangeAccountSerializer, responses=CloudAccountSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change what is given; another credential has to prove the account anew."""
        changed = change_account(account=self.get_object(), **self.validated(ChangeAccountSerializer))
        return Response(CloudAccountSerializer(changed).data)

    @extend_schema(request=None, responses={202: JobSerializer})
    @action(detail=True, methods=["post"], write_permission=Permission.IMPORT)
    def discover(self, request: Request, **kwargs: Any) -> Response:
        """Start a discovery; one that is under way is given back instead."""
        account = self.get_object()
        return once(request, {"account": str(account.pk)}, lambda: _start(account)).as_response()

    @extend_schema(request=None, responses=CloudAccountSerializer)
    @action(detail=True, methods=["post"])
    def disconnect(self, request: Request, **kwargs: Any) -> Response:
        """Nothing is read from it or done to it any more. What was discovered stays."""
        return Response(CloudAccountSerializer(disconnect_account(account=self.get_object())).data)


class AccountTestViewSet(RoomViewSet):
    """The test of an account's credentials."""

    queryset = CloudAccount.objects.all()
    serializer_class = CloudAccountSerializer
    write_permission = Permission.MANAGE
    throttle_classes = [WorkThrottle]
    non_atomic = True
    untransacted = ("POST",)  # no transaction is open while the cloud is asked

    @extend_schema(request=None, responses=CloudAccountSerializer)
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Ask the cloud whose the credentials are; connects the account where they are its own.

        What went wrong is in `why_no_data`.
        """
        account = check_account(account_id=kwargs["account_id"])
        with tenant_transaction(current_tenant_id()):
            return Response(CloudAccountSerializer(account).data)


def _create(asked: dict[str, Any]) -> Answer:
    made = create_account(**asked)
    location = reverse("api:account-detail", kwargs={"pk": made.pk})
    return Answer(status.HTTP_201_CREATED, dict(CloudAccountSerializer(made).data), location)


def _start(account: CloudAccount) -> Answer:
    job = start_discovery(account=account)
    location = reverse("api:job-detail", kwargs={"pk": job.pk})
    return Answer(status.HTTP_202_ACCEPTED, dict(JobSerializer(job).data), location)
