"""Webhook endpoints and the delivery log on the API, and what one gets mail about."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, ReadSerializer, RoomViewSet
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.tenancy.authentication import holds
from apps.tenancy.idempotency import Answer, once
from apps.tenancy.models import User

from .channels.addresses import URL_LIMIT
from .filters import DeliveryFilter, EndpointFilter
from .models import Delivery, DeliveryAttempt, WebhookEndpoint
from .queries import deliveries_for
from .services.endpoints import (
    NAME_LIMIT,
    NewSecret,
    change_endpoint,
    create_endpoint,
    renew_secret,
    send_again,
    try_endpoint,
)
from .services.preferences import muted_families, set_muted

RECENT = {"-created_at": Keyset("-created_at", "-id"), "created_at": Keyset("created_at", "id")}


class EndpointSerializer(ReadSerializer):
    created_by = serializers.CharField(source="created_by_id", allow_null=True, help_text="Id of a user")

    class Meta:
        model = WebhookEndpoint
        fields: tuple[str, ...] = (
            "id", "name", "url", "codes", "is_active", "inactive_reason", "former_until", "created_by",
            "created_at",
        )  # fmt: skip


class NewEndpointSerializer(EndpointSerializer):
    secret = serializers.CharField(
        allow_null=True, help_text="The signing secret, shown this once; null in a replayed answer"
    )

    class Meta(EndpointSerializer.Meta):
        fields: tuple[str, ...] = (*EndpointSerializer.Meta.fields, "secret")


class CreateEndpointSerializer(InputSerializer):
    name = serializers.CharField(max_length=NAME_LIMIT)
    url = serializers.CharField(max_length=URL_LIMIT, help_text="https, and a public address")
    codes = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, max_length=100,
        help_text="What it is told; without any: everything",
    )  # fmt: skip


class ChangeEndpointSerializer(InputSerializer):
    name = serializers.CharField(max_length=NAME_LIMIT, required=False)
    url = serializers.CharField(max_length=URL_LIMIT, required=False)
    codes = serializers.ListField(child=serializers.CharField(max_length=100), required=False, max_length=100)
    is_active = serializers.BooleanField(required=False)


class AttemptSerializer(ReadSerializer):
    class Meta:
        model = DeliveryAttempt
        fields = ("number", "at", "delivered", "code", "duration_ms", "error")


class DeliverySerializer(ReadSerializer):
    notice_id = serializers.UUIDField()
    code = serializers.CharField(source="notice.code")
    title = serializers.CharField(source="notice.title")
    user_id = serializers.UUIDField(allow_null=True)
    endpoint_id = serializers.UUIDField(allow_null=True)

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = (
            "id", "notice_id", "code", "title", "channel", "user_id", "endpoint_id", "address", "status",
            "attempts", "not_before", "error", "created_at", "finished_at",
        )  # fmt: skip


class DeliveryDetailSerializer(DeliverySerializer):
    text = serializers.CharField(source="notice.text")
    path = serializers.CharField(source="notice.path")
    log = AttemptSerializer(many=True)

    class Meta(DeliverySerializer.Meta):
        fields: tuple[str, ...] = (*DeliverySerializer.Meta.fields, "text", "path", "log")


class EndpointViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Addresses that are told of what happens, by signed requests in the manner of Standard Webhooks."""

    permission = Permission.MANAGE
    write_permission = Permission.MANAGE
    queryset = WebhookEndpoint.objects.all()
    serializer_class = EndpointSerializer
    filterset_class = EndpointFilter
    orderings = RECENT
    lookup_value_converter = "uuid"

    @extend_schema(request=CreateEndpointSerializer, responses={201: NewEndpointSerializer})
    def create(self, request: Request) -> Response:
        """Make an endpoint. Its signing secret is in the answer, this once."""
        asked = self.validated(CreateEndpointSerializer)
        return once(request, asked, lambda: self._create(asked), withheld=("secret",)).as_response()

    @extend_schema(request=ChangeEndpointSerializer, responses=EndpointSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change name, URL or what it is told, or switch it off or on."""
        endpoint = self.get_object()
        changed = change_endpoint(endpoint=endpoint, **self.validated(ChangeEndpointSerializer))
        return Response(EndpointSerializer(changed).data)

    @extend_schema(request=None, responses=NewEndpointSerializer)
    @action(detail=True, methods=["post"])
    def secret(self, request: Request, **kwargs: Any) -> Response:
        """A new signing secret, shown this once; the former one signs as well for a day."""
        return Response(self._with_secret(renew_secret(endpoint=self.get_object())))

    @extend_schema(request=None, responses={202: DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, **kwargs: Any) -> Response:
        """Send it a notice of the code `notices.test`; look at the delivery for how it went."""
        delivery = try_endpoint(endpoint=self.get_object())
        delivery.refresh_from_db()
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)

    @staticmethod
    def _with_secret(made: NewSecret) -> dict[str, Any]:
        return {**EndpointSerializer(made.endpoint).data, "secret": made.secret}

    def _create(self, asked: dict[str, Any]) -> Answer:
        made = create_endpoint(**asked)
        made.endpoint.refresh_from_db()
        location = reverse("api:webhook-detail", kwargs={"pk": made.endpoint.pk})
        return Answer(status.HTTP_201_CREATED, self._with_secret(made), location)


class DeliveryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """What was sent to oneself; to who manages, everything that was sent."""

    filterset_class = DeliveryFilter
    orderings = RECENT
    lookup_value_converter = "uuid"
    queryset = Delivery.objects.all()

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return DeliveryDetailSerializer if self.action == "retrieve" else DeliverySerializer

    def get_queryset(self) -> QuerySet[Delivery]:
        if getattr(self, "swagger_fake_view", False):
            return Delivery.objects.all()
        manages = holds(self.request.user, self.request.auth, Permission.MANAGE)
        rows = deliveries_for(cast(User, self.request.user), all_of_them=manages)
        return rows.prefetch_related("log") if self.action == "retrieve" else rows

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.MANAGE)
    def again(self, request: Request, **kwargs: Any) -> Response:
        """Try once more what has ended, from the first attempt."""
        return Response(DeliverySerializer(send_again(delivery=self.get_object())).data)


class PreferencesSerializer(serializers.Serializer):
    muted = serializers.ListField(
        child=serializers.CharField(max_length=100),
        max_length=100,
        help_text="Families of codes without mail",
    )


class PreferencesInput(InputSerializer, PreferencesSerializer):
    pass


class PreferencesViewSet(RoomViewSet):
    """What one gets mail about."""

    write_permission = Permission.VIEW

    @extend_schema(responses=PreferencesSerializer)
    def retrieve(self, request: Request) -> Response:
        """The families of notices that one gets no mail about."""
        return Response({"muted": muted_families(cast(User, request.user))})

    @extend_schema(request=PreferencesInput, responses=PreferencesSerializer)
    def update(self, request: Request) -> Response:
        """Mute these families and no others."""
        asked = self.validated(PreferencesInput)
        return Response({"muted": set_muted(user=cast(User, request.user), muted=asked["muted"])})
