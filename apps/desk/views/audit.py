"""The audit trail. Here because `apps.audit` stands below sign-in."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import QuerySet
from django.utils.html import format_html

from apps.audit.filters import AuditFilter
from apps.audit.models import Audit
from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.names import names_of_actors
from apps.tenancy.pages import ListPage


def _actor(row: Audit) -> str:
    return format_html('<span title="{}">{}</span>', row.actor, getattr(row, "actor_name", row.actor))


def _payload(row: Audit) -> str:
    if not row.payload:
        return cells.NOTHING
    text = json.dumps(row.payload, indent=2, ensure_ascii=False)
    return format_html(
        '<details class="inline"><summary>{}</summary><pre>{}</pre></details>', "Details", text
    )


class AuditList(ListPage):
    name = "audit.audits"
    title = "Audit trail"
    step = Step("audit:seal", "Seal and verify", "view")
    lead = "Who did what, and when: append-only, each row hashed as it is written."
    filterset_class = AuditFilter
    primary = ("action", "created_after", "created_before")
    labels = {"action": "Action begins with", "created_after": "From", "created_before": "Before"}
    sorts = (
        Sort("recent", "Latest first", Keyset("-created_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("created_at", "id")),
    )
    columns = (
        Column("created_at", "When", cell=lambda a: cells.moment(a.created_at), sort="recent", css="when"),
        Column("actor", "Who", cell=_actor),
        Column("action", "Did what", cell=lambda a: cells.code(a.action), css="main"),
        Column("target_type", "To what"),
        Column("target_id", "Id", cell=lambda a: cells.code(a.target_id), css="id"),
        Column("payload", "Details", cell=_payload, css="wide"),
        Column("id", "Row", shown=False),
        Column("leaf", "Leaf hash", shown=False, value=lambda a: bytes(a.leaf).hex()),
    )

    def rows(self) -> QuerySet[Any]:
        return Audit.objects.defer("canonical")

    def decorate(self, rows: list[Any]) -> None:
        names = names_of_actors(row.actor for row in rows)
        for row in rows:
            row.actor_name = names[row.actor]

    def empty(self) -> Emptiness:
        return Emptiness("Nothing recorded yet", "Whatever anybody does here leaves a row.")
