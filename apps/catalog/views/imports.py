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

from apps.core import cells
from apps.core.columns import Column
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.emptiness import Emptiness
from apps.core.errors import GovernanceError
from apps.core.pages import Sort
from apps.core.pagination import Keyset
from apps.core.requests import non_atomic
from apps.jobs.services import enqueue
from apps.tenancy.models_clouds import CONNECTED, CloudAccount
from apps.tenancy.pages import FormPage, ListPage, show_on_form
from apps.tenancy.roles import Permission

from ..import_kinds import IMPORT_KINDS, is_format_of, job_type
from ..models import ImportRefusal, ImportRun
from ..services.buckets import split_address
from ..sources import stage


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
        choices=[(name, kind.title) for name, kind in IMPORT_KINDS.items()],
        widget=forms.RadioSelect,
        initial="inventory",
        label="What is in the file?",
    )
    file = forms.FileField(
        required=False,
        label="File",
        help_text=" ".join(f"{kind.label}: {kind.hint}." for kind in IMPORT_KINDS.values()) + " Also gzip.",
    )
    address = forms.CharField(
        required=False,
        max_length=1100,
        label="Or an address in a bucket",
        help_text="s3://BUCKET/KEY, or s3://BUCKET/PREFIX/ for all under it: read by the connected AWS account",
    )
    account = forms.ChoiceField(required=False, label="AWS account of the bucket")
    format = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Tell it from the file"),
            *((kind.label, list(kind.formats.items())) for kind in IMPORT_KINDS.values() if kind.formats),
        ],
        label="Format",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with tenant_transaction(current_tenant_id()):
            there = CloudAccount.objects.filter(provider="aws", status=CONNECTED).order_by("name", "account")
            listed = [(row.account, f"{row.name} ({row.account})") for row in there]
        first = "The one that is connected" if listed else "None is connected"
        account: Any = self.fields["account"]
        account.choices = [("", first), *listed]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("format") and not is_format_of(data.get("kind", ""), data["format"]):
            self.add_error("format", "This is no format of what you say is in the file.")
        if not self.errors and bool(data.get("file")) == bool(data.get("address")):
            self.add_error("file", "Choose a file, or write an address.")
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
        return {"kind": kind if kind in IMPORT_KINDS else "inventory"}

    def form_valid(self, form: UploadForm) -> HttpResponse:
        data = form.cleaned_data
        try:
            params = self._source(data)
            params["format"] = data["format"] or None
            with tenant_transaction(current_tenant_id()):
                job = enqueue(job_type(data["kind"]), params)
        except GovernanceError as error:
            show_on_form(form, error)
            return self.form_invalid(form)
        messages.success(self.request, f"{params['name']} is being imported.")
        return HttpResponseRedirect(reverse("jobs:job-detail", args=[job.pk]))

    @staticmethod
    def _source(data: dict[str, Any]) -> dict[str, Any]:
        if address := data["address"].strip():
            split_address(address)
            return {"address": address, "account": data["account"] or None, "name": address}
        name = PurePath(data["file"].name).name
        return {"object_key": stage(name, data["file"]), "name": name}
