"""Actions on the API, to read."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import mixins, serializers

from apps.core.api import PartViewSet, ReadSerializer, RoomViewSet
from apps.core.pagination import Keyset

from .filters import ActionFilter
from .models import Action, ActionEvent
from .queries import actions_needing_approval

NEWEST = Keyset("-updated_at", "-id")


class ActionSerializer(ReadSerializer):
    requested_by = serializers.CharField(source="requested_by_id", allow_null=True, help_text="Id of a user")

    class Meta:
        model = Action
        fields = (
            "id",
            "type",
            "resource_id",
            "requested_by",
            "status",
            "params",
            "result",
            "created_at",
            "updated_at",
        )


class ActionEventSerializer(ReadSerializer):
    id = serializers.CharField()

    class Meta:
        model = ActionEvent
        fields = ("id", "ts", "message")


class ActionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Changes of the cloud that somebody asked for."""

    queryset = Action.objects.all()
    serializer_class = ActionSerializer
    filterset_class = ActionFilter
    orderings = {"-updated_at": NEWEST, "updated_at": Keyset("updated_at", "id")}
    lookup_value_converter = "uuid"


class NeedingApprovalViewSet(mixins.ListModelMixin, RoomViewSet):
    """Actions that wait for somebody's approval, the newest first."""

    serializer_class = ActionSerializer
    filterset_class = ActionFilter
    orderings = {"-updated_at": NEWEST}

    def get_queryset(self) -> QuerySet[Action]:
        return actions_needing_approval()


class ActionEventViewSet(PartViewSet):
    """The history of an action, the oldest first."""

    whole = Action
    by = "action_id"
    queryset = ActionEvent.objects.all()
    serializer_class = ActionEventSerializer
    orderings = {"id": Keyset("id")}
