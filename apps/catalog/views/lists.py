"""The lists of the catalog."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.html import format_html

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.pages import ListPage

from ..filters import ImportRunFilter, PolicyFilter, ResourceFilter
from ..models import ImportRun, Policy, Resource


def _resource_link(row: Resource) -> str:
    link = cells.link(row.name, "catalog:resource-detail", row.pk, note=row.display_id)
    # What is not there, or known from another tool alone, must not look like the rest.
    return (
        format_html("{} {}", link, cells.status(row.status))
        if row.status in ("deleted", "reported")
        else link
    )


class ResourceList(ListPage):
    name = "catalog.resources"
    title = "Resources"
    step = Step("catalog:import-create", "Import an inventory", "import")
    lead = "What your clouds hold, as last imported."
    filterset_class = ResourceFilter
    primary = ("search", "provider", "type")
    unlisted = ("name", "native_id")
    labels = {
        "search": "Name or cloud id contains",
        "group_name": "Group",
        "tag": "Tag",
        "updated_after": "Changed after",
        "updated_before": "Changed before",
    }
    sorts = (
        Sort("recent", "Last changed first", Keyset("-updated_at", "-id")),
        Sort("oldest", "Longest unchanged first", Keyset("updated_at", "id")),
        Sort("type", "By cloud and type", Keyset("provider", "type", "id")),
    )
    columns = (
        Column("name", "Resource", cell=_resource_link, css="main"),
        Column("native_id", "Cloud id", shown=False, value=lambda r: r.display_id),
        Column("id", "Id", shown=False),
        Column("provider", "Cloud", cell=lambda r: cells.coded(r.provider), sort="type"),
        Column("type", "Type", sort="type", css="wide"),
        Column("location", "Location"),
        Column("account", "Account", css="id", cell=lambda r: cells.code(r.account)),
        Column("group_name", "Group", shown=False),
        Column("tags", "Tags", cell=lambda r: cells.tags(r.tags)),
        Column("status", "Status", shown=False),
        Column("updated_at", "Changed", cell=lambda r: cells.moment(r.updated_at), sort="recent", css="when"),
    )

    def rows(self) -> QuerySet[Any]:
        return Resource.objects.all()

    def empty(self) -> Emptiness:
        return Emptiness(
            "No resources yet",
            "Nothing has been imported. Upload an inventory file of your cloud: an Azure Resource Graph answer, "
            "AWS Config, Google Cloud Asset Inventory, IBM Global Search, NDJSON or CSV.",
            "catalog:import-create",
            "Import an inventory",
            "import",
        )


class PolicyList(ListPage):
    name = "catalog.policies"
    title = "Policies"
    step = Step("catalog:import-create", "Import policies", "import", "?kind=policies")
    lead = "The rules that each scan holds your resources to. Only active ones are scanned."
    filterset_class = PolicyFilter
    primary = ("search", "status", "severity")
    unlisted = ("name",)
    labels = {"search": "Name contains"}
    sorts = (
        Sort("name", "By name", Keyset("name", "id")),
        Sort("status", "By status", Keyset("status", "id")),
    )
    columns = (
        Column("name", "Policy", sort="name", css="main",
               cell=lambda p: cells.link(p.name, "catalog:policy-detail", p.pk)),
        Column("id", "Id", shown=False),
        Column("severity", "Severity", cell=lambda p: cells.severity(p.severity)),
        Column("status", "Status", cell=lambda p: cells.status(p.status), sort="status"),
        Column("provider", "Cloud", cell=lambda p: cells.coded(p.provider)),
        Column("type", "Resource type", css="wide"),
        Column("language", "Written in"),
        Column("effect", "Effect"),
        Column("current_version", "Version", css="num"),
        Column("updated_at", "Changed", cell=lambda p: cells.moment(p.updated_at), css="when"),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return Policy.objects.all()

    def empty(self) -> Emptiness:
        return Emptiness(
            "No policies yet",
            "Without an active policy a scan has nothing to check. Import Azure Policy definitions or Cloud "
            "Custodian files.",
            "catalog:import-create",
            "Import policies",
            "import",
        )


class ImportList(ListPage):
    name = "catalog.imports"
    title = "Imports"
    step = Step("catalog:import-create", "Import a file", "import")
    lead = "Every file that came in, with what was written and what was refused."
    filterset_class = ImportRunFilter
    primary = ("kind", "status")
    sorts = (
        Sort("recent", "Latest first", Keyset("-started_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("started_at", "id")),
    )
    columns = (
        Column("source", "File", cell=lambda i: cells.link(i.source, "catalog:import-detail", i.pk), css="main"),
        Column("id", "Id", shown=False),
        Column("kind", "Kind"),
        Column("format", "Format"),
        Column("status", "Outcome", cell=lambda i: cells.status(i.status)),
        Column("rows_read", "Read", cell=lambda i: cells.number(i.rows_read), css="num"),
        Column("rows_written", "Written", cell=lambda i: cells.number(i.rows_written), css="num"),
        Column("rows_unchanged", "Unchanged", cell=lambda i: cells.number(i.rows_unchanged), css="num"),
        Column("rows_refused", "Refused", cell=lambda i: cells.number(i.rows_refused), css="num"),
        Column("error", "Error", shown=False),
        Column("started_at", "Started", cell=lambda i: cells.moment(i.started_at), sort="recent", css="when"),
        Column("finished_at", "Finished", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return ImportRun.objects.all()

    def empty(self) -> Emptiness:
        return Emptiness(
            "Nothing has been imported",
            "Start with an inventory file, then bring the policies it should be held to.",
            "catalog:import-create",
            "Import a file",
            "import",
        )
