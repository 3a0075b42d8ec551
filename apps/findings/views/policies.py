"""A policy tried out: its preview, its SQL, its versions compared, why it says what it says, and a new one pasted."""

from __future__ import annotations

import difflib
import io
import json
from typing import Any

from django import forms
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views import View

from apps.catalog.languages import PolicyDraft, PolicyFileRefusal, policy_language
from apps.catalog.models import Policy, Resource
from apps.catalog.services import import_policies
from apps.catalog.views.policies import ParametersForm
from apps.core.errors import GovernanceError, InvalidInput
from apps.tenancy.pages import CommandPage, DetailPage, FormPage
from apps.tenancy.permissions import RoleRequiredMixin
from apps.tenancy.roles import Permission

from ..services.compiled import compiled_of
from ..services.explaining import explain_pair
from ..services.preview import Preview, preview_policy
from ..services.scanning import start_policy_scan

LONGEST_PASTE = 1_000_000
MOST_PREVIEWS = 10


class PolicyPreview(RoleRequiredMixin, View):
    """A fragment: what a scan would change. With the fields of the parameters' form, under those values."""

    permission = Permission.SCAN
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        policy = get_object_or_404(Policy, pk=pk)
        preview, problem, parameters = None, "", None
        if "as_form" in request.POST:
            form = ParametersForm(request.POST, policy=policy)
            if not form.is_valid():
                problem = " ".join(
                    f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()
                )
            else:
                parameters = {k: v for k, v in form.cleaned_data.items() if v not in (None, "")}
        if not problem:
            try:
                preview = preview_policy(policy=policy, parameters=parameters)
            except GovernanceError as error:
                problem = str(error)
        return TemplateResponse(request, "findings/_preview.html", {"preview": preview, "problem": problem})


class PolicyCompiled(DetailPage):
    """The statement that a policy becomes, and PostgreSQL's plan for it."""

    permission = Permission.MANAGE
    template_name = "findings/policy_compiled.html"
    model = Policy

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        policy: Any = self.object
        compiled, problem = None, ""
        try:
            compiled = compiled_of(policy=policy)
        except GovernanceError as error:
            problem = str(error)
        return super().get_context_data(
            title=f"SQL of {policy.name}", compiled=compiled, problem=problem, **kwargs
        )


class PolicyCompare(DetailPage):
    """Two versions of a policy, line by line; the last two unless `from` and `to` say otherwise."""

    template_name = "findings/policy_compare.html"
    model = Policy

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        policy: Any = self.object
        versions = {version.number: version for version in policy.versions.order_by("-number")[:200]}
        after = self._number("to", policy.current_version)
        before = self._number("from", max(after - 1, 1))
        lines: list[tuple[str, str]] = []
        if before in versions and after in versions:
            old, new = (_as_text(versions[number].definition) for number in (before, after))
            names = (f"version {before}", f"version {after}")
            lines = [(_tone(line), line) for line in difflib.unified_diff(old, new, *names, lineterm="", n=5)]
        return super().get_context_data(
            title=f"Versions of {policy.name}",
            numbers=list(versions),
            before=before,
            after=after,
            known=before in versions and after in versions,
            lines=lines,
            **kwargs,
        )

    def _number(self, name: str, default: int) -> int:
        said = self.request.GET.get(name, "")
        return int(said) if said.isascii() and said.isdigit() and len(said) < 9 else default


def _as_text(definition: Any) -> list[str]:
    return json.dumps(definition, indent=2, ensure_ascii=False).splitlines()


def _tone(line: str) -> str:
    return {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "same")


class PolicyExplain(DetailPage):
    """Why a policy says what it says of a resource, which need not break it."""

    template_name = "findings/policy_explain.html"
    model = Policy

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        policy: Any = self.object
        asked = self.request.GET.get("resource", "").strip()[:1_000]
        resource = (
            Resource.objects.filter(Q(pk=asked) | Q(native_id=asked)).order_by("pk").first()
            if asked
            else None
        )
        return super().get_context_data(
            title=f"Why, or why not: {policy.name}",
            asked=asked,
            resource=resource,
            explained=explain_pair(policy=policy, resource=resource) if resource is not None else None,
            **kwargs,
        )


class PolicyScan(CommandPage):
    """Scan one policy now."""

    permission = Permission.SCAN

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        policy = get_object_or_404(Policy, pk=kwargs["pk"])
        return reverse("jobs:job-detail", args=[start_policy_scan(policy_id=policy.pk).pk])

    def fallback(self, **kwargs: Any) -> str:
        return reverse("catalog:policy-detail", args=[kwargs["pk"]])


class ResourceScan(CommandPage):
    """Scan one resource now."""

    permission = Permission.SCAN

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        resource = get_object_or_404(Resource, pk=kwargs["pk"])
        return reverse("jobs:job-detail", args=[start_policy_scan(resource_id=resource.pk).pk])

    def fallback(self, **kwargs: Any) -> str:
        return reverse("catalog:resource-detail", args=[kwargs["pk"]])


class PasteForm(forms.Form):
    text = forms.CharField(
        label="Policies",
        max_length=LONGEST_PASTE,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false", "class": "code"}),
        help_text="One or more Azure Policy definitions as JSON, or a Cloud Custodian file as YAML.",
    )


class PolicyPaste(FormPage):
    """Check first: what compiles, what is refused and why, what a scan would change. Then save."""

    permission = Permission.IMPORT
    template_name = "findings/policy_paste.html"
    form_class = PasteForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Paste a policy", **kwargs)

    def form_valid(self, form: PasteForm) -> HttpResponse:
        if "save" in self.request.POST:
            return super().form_valid(form)
        return self.render_to_response(
            self.get_context_data(form=form, checked=check_text(form.cleaned_data["text"]))
        )

    def act(self, form: PasteForm) -> str:
        run = import_policies(source=io.BytesIO(form.cleaned_data["text"].encode()), name="pasted text")
        if not run.summary.get("compiled") and not run.summary.get("unsupported"):
            raise InvalidInput("There is no policy in this text: check it to see why.", field="text")
        return reverse("catalog:import-detail", args=[run.pk])


def check_text(text: str) -> list[dict[str, Any]]:
    """What an import would make of a text: {"draft" | "refusal", "preview", "problem"} of each definition.

    The first ten that compile are previewed.
    """
    found: list[dict[str, Any]] = []
    for item in policy_language().read(text.encode("utf-8", "replace"), "pasted text"):
        if isinstance(item, PolicyFileRefusal):
            found.append({"refusal": item})
            continue
        entry: dict[str, Any] = {"draft": item}
        if not item.refusals and len(found) < MOST_PREVIEWS:
            entry["preview"], entry["problem"] = _tried(item)
        found.append(entry)
    return found


def _tried(draft: PolicyDraft) -> tuple[Preview | None, str]:
    try:
        return preview_policy(
            definition=draft.definition, language=draft.language, parameters=draft.parameters
        ), ""
    except GovernanceError as error:
        return None, str(error)
