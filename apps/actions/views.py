"""Actions: all of them, those that wait for approval, and one with its plan and history."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from apps.catalog.models import Resource
from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.json_tree import json_tree
from apps.core.pages import Sort
from apps.core.pagination import Keyset
from apps.tenancy.pages import DetailPage, ListPage

from .filters import ActionFilter
from .models import Action
from .queries import actions_needing_approval


class ActionList(ListPage):
    name = "actions.actions"
    title = "Actions"
    lead = "Changes of the cloud that somebody asked for, and how far they are."
    filterset_class = ActionFilter
    primary = ("status", "type")
    unlisted = ("resource", "requester")
    sorts = (
        Sort("recent", "Moved last first", Keyset("-updated_at", "-id")),
        Sort("oldest", "Longest unmoved first", Keyset("updated_at", "id")),
    )
    columns = (
        Column(
            "type", "Action", cell=lambda a: cells.link(a.type, "actions:action-detail", a.pk), css="main"
        ),
        Column("status", "State", cell=lambda a: cells.status(a.status)),
        Column("resource_id", "Resource id", cell=lambda a: cells.code(a.resource_id), css="id"),
        Column("requested_by", "Asked by", value=lambda a: a.requested_by and str(a.requested_by)),
        Column("created_at", "Asked", cell=lambda a: cells.moment(a.created_at), css="when"),
        Column("updated_at", "Moved", cell=lambda a: cells.moment(a.updated_at), sort="recent", css="when"),
        Column("id", "Id", shown=False),
    )

    def rows(self) -> QuerySet[Any]:
        return Action.objects.select_related("requested_by")

    def empty(self) -> Emptiness:
        return Emptiness("No actions", "Nobody has asked for a change of the cloud.")


class NeedingApproval(ActionList):
    """Specification 3.5, the second sample query."""

    name = "actions.needing_approval"
    title = "Actions needing approval"
    lead = "Planned, and waiting for somebody other than who asked."

    def rows(self) -> QuerySet[Any]:
        return actions_needing_approval().select_related("requested_by")

    def empty(self) -> Emptiness:
        return Emptiness("Nothing waits for approval", "Every planned action has been decided.")


class ActionDetail(DetailPage):
    template_name = "actions/action_detail.html"
    queryset = Action.objects.select_related("requested_by")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        action: Any = self.object
        return super().get_context_data(
            title=action.type,
            params=json_tree(action.params),
            result=json_tree(action.result) if action.result is not None else None,
            resource=Resource.objects.filter(pk=action.resource_id).first() if action.resource_id else None,
            events=action.events.order_by("-ts", "-id")[:200],
            **kwargs,
        )
