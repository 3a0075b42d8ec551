"""Lists of actions: all of them, and those that wait for approval."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.pages import ListPage

from ..filters import ActionFilter
from ..models import Action, ActionTarget
from ..ports import find_executor
from ..queries import actions_needing_approval


def title_of(action: Action) -> str:
    """The kind in words; what an older release called it where there is no such kind any more."""
    executor = find_executor(action.type)
    title = executor.kind.title if executor is not None else action.type
    return f"Undo: {title}" if action.reverses_id else title


def _outcome(action: Action) -> str:
    return str((action.result or {}).get("outcome") or "").replace("_", " ")


def _saved(action: Action) -> str | None:
    saving: str | None = (action.plan or {}).get("monthly_saving")
    return saving


class ActionList(ListPage):
    name = "actions.actions"
    title = "Actions"
    lead = "Changes of the cloud that somebody asked for, and how far they are."
    step = Step("actions:propose", "Ask for a change", "request")
    filterset_class = ActionFilter
    primary = ("status", "type")
    unlisted = ("resource", "requester")
    sorts = (
        Sort("recent", "Moved last first", Keyset("-updated_at", "-id")),
        Sort("oldest", "Longest unmoved first", Keyset("updated_at", "id")),
    )
    columns = (
        Column("title", "Action", value=title_of, css="main",
               cell=lambda a: cells.link(title_of(a), "actions:action-detail", a.pk, note=getattr(a, "on", ""))),
        Column("status", "State", cell=lambda a: cells.status(a.status)),
        Column("outcome", "Outcome", value=_outcome),
        Column("resources", "Resources", value=lambda a: getattr(a, "resources", None), css="num"),
        Column("requested_by", "Asked by", value=lambda a: a.requested_by and str(a.requested_by)),
        Column("saving", "Saves a month", value=_saved, css="num"),
        Column("created_at", "Asked", cell=lambda a: cells.moment(a.created_at), css="when"),
        Column("updated_at", "Moved", cell=lambda a: cells.moment(a.updated_at), sort="recent", css="when"),
        Column("type", "Type", shown=False),
        Column("resource_id", "Resource id", shown=False),
        Column("approvals_needed", "Approvals needed", shown=False),
        Column("plan_sha256", "Digest of the plan", shown=False),
        Column("message", "Message", shown=False, value=lambda a: (a.result or {}).get("message")),
        Column("id", "Id", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return Action.objects.select_related("requested_by")

    def decorate(self, rows: list[Any]) -> None:
        """The resources of each, by one query."""
        names: dict[Any, list[str]] = {}
        found = ActionTarget.objects.filter(action__in=[row.pk for row in rows]).order_by(
            "action_id", "ordinal"
        )
        for action_id, name in found.values_list("action_id", "name"):
            names.setdefault(action_id, []).append(name)
        for row in rows:
            on = names.get(row.pk, [])
            row.resources = len(on) or (1 if row.resource_id else 0)
            row.on = (
                ", ".join(on[:3]) + (f" and {len(on) - 3} more" if len(on) > 3 else "")
                or row.resource_id
                or ""
            )

    def empty(self) -> Emptiness:
        return Emptiness(
            "No actions",
            "Nobody has asked for a change of the cloud. Open a violation whose policy names one, or a resource.",
            "findings:violation-list",
            "Look at the violations",
        )


class NeedingApproval(ActionList):
    """Specification 3.5, the second sample query."""

    name = "actions.needing_approval"
    title = "Actions needing approval"
    lead = "Planned, and waiting for somebody other than who asked."

    def rows(self) -> QuerySet[Any]:
        return actions_needing_approval().select_related("requested_by")

    def empty(self) -> Emptiness:
        return Emptiness("Nothing waits for approval", "Every planned action has been decided.")
