"""Oneself on the API: who one is, and one's own tokens."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, ReadSerializer, RoomViewSet
from apps.core.errors import Refused
from apps.core.pagination import Keyset
from apps.core.permissions import Permission

from .authentication import holds
from .filters import TokenFilter
from .idempotency import Answer, once
from .models import ApiToken, User
from .services import create_token, revoke_token
from .tokens import SCOPES


class MeSerializer(serializers.Serializer):
    id = serializers.CharField()
    upn = serializers.CharField()
    display_name = serializers.CharField()
    role = serializers.CharField()
    tenant_id = serializers.CharField()
    tenant = serializers.CharField(help_text="The tenant's name")
    permissions = serializers.ListField(
        child=serializers.CharField(), help_text="What this request's credentials may do"
    )


class MeViewSet(RoomViewSet):
    @extend_schema(responses=MeSerializer)
    def retrieve(self, request: Request) -> Response:
        """Who the credentials of this request belong to, and what they may do."""
        user = cast(User, request.user)
        return Response(
            {
                "id": str(user.pk),
                "upn": user.upn,
                "display_name": user.display_name,
                "role": user.role,
                "tenant_id": str(user.tenant_id),
                "tenant": user.tenant.name,
                "permissions": [p.value for p in Permission if holds(user, request.auth, p)],
            }
        )


class TokenSerializer(ReadSerializer):
    class Meta:
        model = ApiToken
        fields: tuple[str, ...] = (
            "id",
            "name",
            "scopes",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "created_at",
        )


class NewTokenSerializer(TokenSerializer):
    text = serializers.CharField(
        allow_null=True, help_text="The token itself, shown this once; null in a replayed answer"
    )

    class Meta(TokenSerializer.Meta):
        fields: tuple[str, ...] = (*TokenSerializer.Meta.fields, "text")


class CreateTokenSerializer(InputSerializer):
    name = serializers.CharField(max_length=200)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=tuple(SCOPES)), allow_empty=False, max_length=len(SCOPES)
    )
    expires_at = serializers.DateTimeField()

    def validate_expires_at(self, value: Any) -> Any:
        if value <= timezone.now():
            raise serializers.ValidationError("This is past.")
        return value


class TokenViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """One's own API tokens. A token acts as its user, within its scopes."""

    serializer_class = TokenSerializer
    filterset_class = TokenFilter
    write_permission = Permission.VIEW  # whatever a token is given, its user's role still bounds it
    orderings = {"-created_at": Keyset("-created_at", "-id"), "created_at": Keyset("created_at", "id")}
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[ApiToken]:
        return ApiToken.objects.filter(user=self.request.user.pk)

    @extend_schema(request=CreateTokenSerializer, responses={201: NewTokenSerializer})
    def create(self, request: Request) -> Response:
        """Make a token. Only a signed-in person does: a token can't make tokens that outlive it."""
        if isinstance(request.auth, ApiToken):
            raise Refused("A token can't make tokens: sign in.")
        asked = self.validated(CreateTokenSerializer)
        return once(request, asked, lambda: self._create(asked), withheld=("text",)).as_response()

    @extend_schema(request=None, responses=TokenSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, **kwargs: Any) -> Response:
        """End a token. With a token one can end that token only."""
        token = self.get_object()
        if isinstance(request.auth, ApiToken) and request.auth.pk != token.pk:
            raise Refused("A token can end itself only: sign in.")
        return Response(TokenSerializer(revoke_token(token=token)).data)

    def _create(self, asked: dict[str, Any]) -> Answer:
        made = create_token(user=cast(User, self.request.user), **asked)
        made.token.refresh_from_db()
        body = {**TokenSerializer(made.token).data, "text": made.text}
        location = reverse("api:token-detail", kwargs={"pk": made.token.pk})
        return Answer(status.HTTP_201_CREATED, body, location)
