"""One import with its refusals, and the upload of a file."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.connectors.billing import FORMATS as BILLING_FORMATS
from apps.connectors.files import FORMATS
from apps.core import cells
from apps.core.columns import Column
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.emptiness import Emptiness
from apps.core.errors import GovernanceError
from apps.core.pages import Sort
from apps.core.pagination import Keyset
from apps.core.requests import non_atomic
from apps.jobs.services import enqueue
from apps.tenancy.pages import FormPage, ListPage, show_on_form
from apps.tenancy.roles import Permission

from ..models import ImportRefusal, ImportRun
from ..sources import stage

JOB_TYPES = {"inventory": "inventory.import", "policies": "policies.import", "costs": "costs.import"}
FORMATS_OF = {"inventory": tuple(FORMATS), "costs": tuple(BILLING_FORMATS), "policies": ()}


class ImportDetail(ListPage):
    """An import's outcome above the list of the rows that it refused."""

    name = "catalog.import_refusals"
    title = "Import"
    template_name = "catalog/import_detail.html"
    sorts = (Sort("line", "In the file's order", Keyset("id")),)
    columns = (
        Column("line", "Line", css="num"),
        Column("native_id", "Cloud id", cell=lambda r: cells.code(r.native_id)),
        Column("field", "Field", cell=lambda r: cells.code(r.field)),
        Column("reason", "Why it was refused", css="main"),
    )

    @property
    def run(self) -> ImportRun:
        if not hasattr(self, "_run"):
            self._run = get_object_or_404(ImportRun, pk=self.kwargs["pk"])
        return self._run

    def rows(self) -> QuerySet[Any]:
        return ImportRefusal.objects.filter(run=self.run)

    def empty(self) -> Emptiness:
        if self.run.status == "running":
            return Emptiness("Nothing refused so far", "The import is still running.")
        return Emptiness("Nothing was refused", "Every row of the file that was read has landed.")

    def extra_context(self) -> dict[str, Any]:
        return {"run": self.run, "title": self.run.source}


class UploadForm(forms.Form):
    kind = forms.ChoiceField(
        choices=[
            ("inventory", "Inventory: resources of a cloud"),
            ("costs", "Costs: a billing export"),
            ("policies", "Policies"),
        ],
        widget=forms.RadioSelect,
        initial="inventory",
        label="What is in the file?",
    )
    file = forms.FileField(
        label="File",
        help_text=(
            "Inventory: JSON, NDJSON or CSV. Costs: FOCUS, AWS CUR, Azure cost details or Google Cloud's billing "
            "export, as CSV or Parquet, also gzip. Policies: Azure Policy JSON, Cloud Custodian YAML, or a ZIP."
        ),
    )
    format = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Tell it from the file"),
            ("Inventory", [(name, name) for name in FORMATS]),
            ("Costs", [(name, layout.title) for name, layout in BILLING_FORMATS.items()]),
        ],
        label="Format",
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("format") and data["format"] not in FORMATS_OF.get(data.get("kind", ""), ()):
            self.add_error("format", "This is no format of what you say is in the file.")
        return data


@non_atomic
class ImportCreate(FormPage):
    """Stage the file first, with no transaction open; then one short transaction writes the job."""

    permission = Permission.IMPORT
    template_name = "catalog/import_create.html"
    form_class = UploadForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Import a file", **kwargs)

    def get_initial(self) -> dict[str, Any]:
        kind = self.request.GET.get("kind", "")
        return {"kind": kind if kind in JOB_TYPES else "inventory"}

    def form_valid(self, form: UploadForm) -> HttpResponse:
        data = form.cleaned_data
        name = PurePath(data["file"].name).name
        format_ = data["format"]
        try:
            key = stage(name, data["file"])
            params = {"object_key": key, "name": name, "format": format_ or None}
            with tenant_transaction(current_tenant_id()):
                job = enqueue(JOB_TYPES[data["kind"]], params)
        except GovernanceError as error:
            show_on_form(form, error)
            return self.form_invalid(form)
        messages.success(self.request, f"{name} is being imported.")
        return HttpResponseRedirect(reverse("jobs:job-detail", args=[job.pk]))
