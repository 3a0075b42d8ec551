"""What an administrator changes of frameworks: which there are, which policies serve which control, how long
evidence is kept. Posture, which needs findings, is shown by the room above."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.core import cells
from apps.core.columns import Column
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.emptiness import Emptiness
from apps.core.errors import GovernanceError, InvalidInput
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.core.requests import non_atomic
from apps.tenancy.pages import CommandPage, FormPage, ListPage, show_on_form
from apps.tenancy.roles import Permission

from ..filters import MappingFilter
from ..models import Control, Framework, Policy, PolicyControl
from ..services.framework_import import MAX_BYTES, import_framework_file
from ..services.frameworks import install_framework, set_retention
from ..services.mappings import map_policy, unmap_policy

SHOWN_REFUSALS = 20


class MappingList(ListPage):
    """Every mapping in force; its CSV and JSON come in again by import."""

    name = "catalog.mappings"
    title = "Mappings of policies to controls"
    lead = "Which policies serve which controls. An export of this list can be changed and imported again."
    step = Step("catalog:framework-import", "Import a mapping", "manage")
    filterset_class = MappingFilter
    primary = ("framework", "source")
    labels = {
        "framework": "Framework's key",
        "control": "Control's code",
        "policy": "Policy id",
        "source": "Said by",
    }
    sorts = (
        Sort("recent", "Added last first", Keyset("-added_at", "-id")),
        Sort("oldest", "Added first first", Keyset("added_at", "id")),
    )
    columns = (
        Column("framework", "Framework", value=lambda m: m.control.framework.key, shown=False),
        Column("control", "Control", value=lambda m: m.control.code, css="main",
               cell=lambda m: cells.link(m.control, "findings:control-detail", m.control_id,
                                         note=m.control.framework.title)),
        Column("policy", "Policy", value=lambda m: m.policy_id,
               cell=lambda m: cells.link(m.policy.name, "catalog:policy-detail", m.policy_id), css="wide"),
        Column("policy_name", "Policy's name", value=lambda m: m.policy.name, shown=False),
        Column("provider_id", "Provider's id", value=lambda m: m.policy.metadata.get("provider_id"), shown=False),
        Column("source", "Said by"),
        Column("added_at", "Since", cell=lambda m: cells.moment(m.added_at), sort="recent", css="when"),
        Column("id", "Id", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return PolicyControl.objects.filter(removed_at=None).select_related("control__framework", "policy")

    def empty(self) -> Emptiness:
        return Emptiness(
            "No mappings yet",
            "Policies that name their controls bring mappings along; administrators add others on a control's page.",
            "findings:framework-list",
            "Look at the frameworks",
        )


class FrameworkImportForm(forms.Form):
    file = forms.FileField(
        label="File",
        help_text="A framework (JSON, or an OSCAL catalogue), an Azure initiative with control groups, or a mapping "
        "(CSV or JSON with framework, control, policy).",
    )
    replace = forms.BooleanField(
        label="Of a mapping: end the mappings that were made by hand or file for its frameworks and that it does not "
        "hold",
        required=False,
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(f"The file is larger than {MAX_BYTES // 2**20} MiB.")
        return file


@non_atomic
class FrameworkImport(FormPage):
    """The file is read before the one transaction that imports it."""

    permission = Permission.MANAGE
    template_name = "catalog/framework_import.html"
    form_class = FrameworkImportForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Import a framework or a mapping", **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        file = form.cleaned_data["file"]
        raw, name = file.read(), PurePath(file.name).name
        try:
            with tenant_transaction(current_tenant_id()):
                done = import_framework_file(raw=raw, name=name, replace=form.cleaned_data["replace"])
        except GovernanceError as error:
            field = getattr(error, "field", None)
            if field not in form.fields and field:
                error = InvalidInput(f"{field}: {error}")
            show_on_form(form, error)
            return self.form_invalid(form)
        if done.get("refusals"):
            return self._refused(form, done)
        if "frameworks" in done:
            messages.success(self.request, f"Imported: {', '.join(done['frameworks'])}.")
            return HttpResponseRedirect(reverse("findings:framework-list"))
        messages.success(self.request, _counts(done))
        return HttpResponseRedirect(reverse("catalog:mapping-list"))

    def _refused(self, form: Any, done: dict[str, Any]) -> HttpResponse:
        context = self.get_context_data(
            form=form,
            counts=_counts(done),
            refusals=done["refusals"][:SHOWN_REFUSALS],
            refused=len(done["refusals"]),
        )
        return self.render_to_response(context, status=422)


def _counts(done: dict[str, Any]) -> str:
    return (
        f"{done['read']} rows read: {done['added']} added, {done['unchanged']} were there, {done['removed']} ended, "
        f"{len(done['refusals'])} refused."
    )


class FrameworkInstall(CommandPage):
    """Take a framework of the library."""

    permission = Permission.MANAGE

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        framework = install_framework(key=request.POST.get("key", ""))
        messages.success(request, f"{framework.title} is there now.")
        return reverse("findings:framework-detail", args=[framework.pk])

    def fallback(self, **kwargs: Any) -> str:
        return reverse("findings:framework-list")


class FrameworkRetention(CommandPage):
    permission = Permission.MANAGE
    done = "Evidence for this framework is kept for that long from now on."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        framework = get_object_or_404(Framework, pk=kwargs["pk"])
        raw = request.POST.get("retention_years", "")
        set_retention(framework=framework, years=int(raw) if raw.isdigit() and len(raw) < 3 else 0)
        return reverse("findings:framework-detail", args=[framework.pk])

    def fallback(self, **kwargs: Any) -> str:
        return reverse("findings:framework-detail", args=[kwargs["pk"]])


class ControlMap(CommandPage):
    """Say that a policy serves this control."""

    permission = Permission.MANAGE
    done = "The policy serves this control from now on."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        control = get_object_or_404(Control.objects.select_related("framework"), pk=kwargs["pk"])
        policy = Policy.objects.filter(pk=request.POST.get("policy", "").strip().replace("\x00", "")).first()
        if policy is None:
            raise InvalidInput("There is no policy with this id.", field="policy")
        map_policy(control=control, policy=policy)
        return self.fallback(**kwargs)

    def fallback(self, **kwargs: Any) -> str:
        return reverse("findings:control-detail", args=[kwargs["pk"]])


class MappingEnd(CommandPage):
    """Say that a policy serves a control no more."""

    permission = Permission.MANAGE
    done = "The mapping has ended. What it meant on the days before stays told."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        mapping = get_object_or_404(
            PolicyControl.objects.select_related("control__framework", "policy"), pk=kwargs["pk"]
        )
        unmap_policy(mapping=mapping)
        return reverse("findings:control-detail", args=[mapping.control_id])

    def fallback(self, **kwargs: Any) -> str:
        return reverse("catalog:mapping-list")
