"""Actions on the API: proposed, looked at, decided by somebody else, cancelled, tried again, undone."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.models import Resource
from apps.core.api import InputSerializer, ObjectField, PartViewSet, ReadSerializer, RoomViewSet
from apps.core.errors import InvalidInput, NotFound
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.findings.models import Violation
from apps.tenancy.idempotency import Answer, key_of, once
from apps.tenancy.models import User

from .evidence import manifest_of
from .filters import ActionFilter
from .models import MOST_TARGETS, Action, ActionApproval, ActionEventRecord, ActionTarget
from .permissions import refuse_unless_involved
from .ports import all_executors
from .queries import actions_needing_approval
from .services import (
    approve_action,
    cancel_action,
    propose_action,
    propose_rollback,
    reject_action,
    retry_action,
)
from .services.downloading import evidence_url
from .services.proposing import REASON_LIMIT
from .services.remediations import propose_for

NEWEST = Keyset("-updated_at", "-id")


class ActionSerializer(ReadSerializer):
    requested_by = serializers.CharField(source="requested_by_id", allow_null=True, help_text="Id of a user")
    reverses = serializers.CharField(
        source="reverses_id", allow_null=True, help_text="Id of the action it undoes"
    )

    class Meta:
        model = Action
        fields = (
            "id", "type", "resource_id", "requested_by", "status", "params", "result", "reason", "plan",
            "plan_sha256", "plan_revision", "approvals_needed", "waits_for", "reverses", "created_at", "updated_at",
        )  # fmt: skip


class ActionEventSerializer(ReadSerializer):
    id = serializers.CharField()

    class Meta:
        model = ActionEventRecord
        fields = ("id", "ts", "message")


class ActionTargetSerializer(ReadSerializer):
    id = serializers.CharField()

    class Meta:
        model = ActionTarget
        fields = (
            "id", "ordinal", "resource_id", "name", "native_id", "violation_id", "state", "note", "applied_at",
            "ended_at",
        )  # fmt: skip


class ActionApprovalSerializer(ReadSerializer):
    decided_by = serializers.CharField(source="decided_by_id", help_text="Id of a user")

    class Meta:
        model = ActionApproval
        fields = ("id", "decided_by", "decision", "reason", "plan_revision", "plan_sha256", "created_at")


class EvidenceSerializer(serializers.Serializer):
    """An entry of the manifest; `number` names it for download."""

    number = serializers.IntegerField()
    name = serializers.CharField()
    path = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()
    media_type = serializers.CharField()
    version_id = serializers.CharField()
    collector = serializers.CharField()
    source_api = serializers.CharField()
    collected_at = serializers.CharField()
    received_at = serializers.CharField()
    retention_class = serializers.CharField()
    retain_until = serializers.CharField(allow_null=True)


class EvidenceLinkSerializer(serializers.Serializer):
    url = serializers.URLField(help_text="Signed, for two minutes, for just this version")


class ProposeSerializer(InputSerializer):
    """Either `violation_ids`, whose policies name what is done, or `type` with `resource_ids` and `params`."""

    type = serializers.CharField(required=False, max_length=200)
    resource_ids = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, max_length=MOST_TARGETS
    )
    params = ObjectField(required=False)
    violation_ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=MOST_TARGETS
    )
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=REASON_LIMIT)


class ProposedSerializer(serializers.Serializer):
    actions = ActionSerializer(many=True)


class ReasonSerializer(InputSerializer):
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=REASON_LIMIT)


class ApproveSerializer(ReasonSerializer):
    """The digest of the plan that is approved: of what was seen, and nothing else."""

    plan_sha256 = serializers.CharField(max_length=64)


class RejectSerializer(InputSerializer):
    plan_sha256 = serializers.CharField(max_length=64)
    reason = serializers.CharField(max_length=REASON_LIMIT)


class ActionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Changes of the cloud that somebody asked for."""

    queryset = Action.objects.all()
    serializer_class = ActionSerializer
    filterset_class = ActionFilter
    orderings = {"-updated_at": NEWEST, "updated_at": Keyset("updated_at", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.REQUEST

    @extend_schema(request=ProposeSerializer, responses={201: ProposedSerializer})
    def create(self, request: Request) -> Response:
        """Ask for a change. It is planned at once, and waits for as many approvals as the tenant's rule says."""
        asked = self.validated(ProposeSerializer)
        body = {**asked, "violation_ids": [str(v) for v in asked.get("violation_ids", [])]}
        return once(request, body, lambda: self._propose(request, asked)).as_response()

    @extend_schema(request=ApproveSerializer, responses=ActionSerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.DECIDE)
    def approve(self, request: Request, **kwargs: Any) -> Response:
        """Approve just this plan. Never one's own."""
        found = self.get_object()
        return self._show(approve_action(action=found, **self.validated(ApproveSerializer)))

    @extend_schema(request=RejectSerializer, responses=ActionSerializer)
    @action(detail=True, methods=["post"], write_permission=Permission.DECIDE)
    def reject(self, request: Request, **kwargs: Any) -> Response:
        """Refuse it, saying why; it ends."""
        found = self.get_object()
        return self._show(reject_action(action=found, **self.validated(RejectSerializer)))

    @extend_schema(request=ReasonSerializer, responses=ActionSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Stop it: at once while nothing is changed, later before the next resource. By who asked, or an admin."""
        found = self.get_object()
        refuse_unless_involved(cast(User, request.user), found)
        return self._show(cancel_action(action=found, **self.validated(ReasonSerializer)))

    @extend_schema(request=None, responses=ActionSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, **kwargs: Any) -> Response:
        """Take up what has failed."""
        return self._show(retry_action(action=self.get_object()))

    @extend_schema(request=ReasonSerializer, responses={201: ActionSerializer})
    @action(detail=True, methods=["post"], url_path="roll-back", url_name="roll-back")
    def roll_back(self, request: Request, **kwargs: Any) -> Response:
        """Ask for an action that undoes this one; it has its own plan and needs its own approval."""
        found, asked = self.get_object(), self.validated(ReasonSerializer)
        return once(
            request, {**asked, "action": str(found.pk)}, lambda: self._undo(found, asked)
        ).as_response()

    def _propose(self, request: Request, asked: dict[str, Any]) -> Answer:
        key = key_of(request)
        key = f"{request.user.pk}:{key}" if key else None
        if asked.get("violation_ids"):
            if "type" in asked or "resource_ids" in asked or "params" in asked:
                raise InvalidInput("The policies of the violations name what is done.", field="violation_ids")
            violations = _all_of(
                Violation.objects.select_related("policy", "resource"), asked, "violation_ids"
            )
            made = propose_for(violations, reason=asked["reason"], idempotency_key=key)
        else:
            if not asked.get("type"):
                raise InvalidInput("Name the kind of action, or violations.", field="type")
            resources = _all_of(Resource.objects.all(), asked, "resource_ids")
            made = [
                propose_action(
                    type=asked["type"], resources=resources, params=asked.get("params"),
                    reason=asked["reason"], idempotency_key=key,
                )
            ]  # fmt: skip
        rows = [Action.objects.get(pk=row.pk) for row in made]
        location = reverse("api:action-detail", kwargs={"pk": rows[0].pk})
        return Answer(
            status.HTTP_201_CREATED, {"actions": [dict(ActionSerializer(r).data) for r in rows]}, location
        )

    @staticmethod
    def _undo(found: Action, asked: dict[str, Any]) -> Answer:
        made = propose_rollback(action=found, reason=asked["reason"])
        made.refresh_from_db()
        location = reverse("api:action-detail", kwargs={"pk": made.pk})
        return Answer(status.HTTP_201_CREATED, dict(ActionSerializer(made).data), location)

    @staticmethod
    def _show(found: Action) -> Response:
        found.refresh_from_db()
        return Response(ActionSerializer(found).data)


def _all_of(rows: QuerySet[Any], asked: dict[str, Any], name: str) -> list[Any]:
    """The rows that a body names; raises InvalidInput, the same for another tenant's as for none."""
    ids = asked.get(name) or []
    found = rows.in_bulk(ids)
    for pk in ids:
        if pk not in found:
            raise InvalidInput(f"There is no {rows.model._meta.verbose_name} {pk}.", field=name)
    return [found[pk] for pk in dict.fromkeys(ids)]


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
    queryset = ActionEventRecord.objects.all()
    serializer_class = ActionEventSerializer
    orderings = {"id": Keyset("id")}


class ActionTargetViewSet(PartViewSet):
    """The resources of an action, and how far it is on each."""

    whole = Action
    by = "action_id"
    queryset = ActionTarget.objects.all()
    serializer_class = ActionTargetSerializer
    orderings = {"ordinal": Keyset("ordinal", "id")}


class ActionApprovalViewSet(PartViewSet):
    """Decisions on an action's plans, the oldest first."""

    whole = Action
    by = "action_id"
    queryset = ActionApproval.objects.all()
    serializer_class = ActionApprovalSerializer
    orderings = {"created_at": Keyset("created_at", "id")}


class ActionEvidenceViewSet(RoomViewSet):
    """The evidence of an action."""

    queryset = Action.objects.all()
    serializer_class = EvidenceSerializer
    permission = Permission.VIEW

    @extend_schema(responses=EvidenceSerializer(many=True))
    def list(self, request: Request, **kwargs: Any) -> Response:
        """The manifest, in the order of the steps."""
        found = Action.objects.filter(pk=kwargs["action_id"]).first()
        if found is None:
            raise NotFound("There is no such action.")
        entries = manifest_of(found.result)
        return Response([{"number": n, **entry} for n, entry in enumerate(entries, start=1)])


class EvidenceDownloadViewSet(RoomViewSet):
    """One artifact."""

    queryset = Action.objects.all()
    permission = Permission.EXPORT
    non_atomic = True
    untransacted = ("GET",)

    serializer_class = EvidenceLinkSerializer

    @extend_schema(responses=EvidenceLinkSerializer)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """Read and compared with its hash; then a link that holds for two minutes. Audited."""
        return Response({"url": evidence_url(action_id=kwargs["action_id"], number=kwargs["number"])})


class KindSerializer(serializers.Serializer):
    type = serializers.CharField()
    title = serializers.CharField()
    provider = serializers.CharField()
    resource_types = serializers.ListField(child=serializers.CharField())
    risk = serializers.CharField()
    reversible = serializers.BooleanField()
    description = serializers.CharField()
    params = serializers.JSONField(help_text="JSON Schema of what a requester gives")


class ActionKindViewSet(RoomViewSet):
    """What can be done."""

    queryset = Action.objects.none()
    serializer_class = KindSerializer
    pagination_class = None

    @extend_schema(responses=KindSerializer(many=True))
    def list(self, request: Request, **kwargs: Any) -> Response:
        """Every kind of action there is, by its type."""
        kinds = [executor.kind for _, executor in sorted(all_executors().items())]
        return Response(KindSerializer(kinds, many=True).data)
