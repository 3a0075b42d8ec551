"""What somebody fills in to ask for an exception, and to start a scan."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone

from apps.catalog.models import Policy, Resource

from .services.exceptions import REASON_LIMIT

SCOPES = [
    ("both", "This policy on this resource"),
    ("policy", "This policy on every resource"),
    ("resource", "Every policy on this resource"),
]


class ExceptionForm(forms.Form):
    """Policy and resource by id, of which `scope` keeps both or one; the term as its last day, in UTC."""

    policy = forms.CharField(required=False, max_length=200, label="Policy id")
    resource = forms.CharField(required=False, max_length=200, label="Resource id")
    scope = forms.ChoiceField(choices=SCOPES, label="What should be excepted?", initial="both")
    reason = forms.CharField(
        max_length=REASON_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
        label="Why is this acceptable for a while?",
        help_text="The approver and the auditor read this.",
    )
    expires_at = forms.DateField(
        required=False,
        label="Until the end of (UTC)",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty means without an end: say why in the reason.",
    )

    def clean_policy(self) -> Policy | None:
        found: Policy | None = self._found(Policy, self.cleaned_data["policy"], "policy")
        return found

    def clean_resource(self) -> Resource | None:
        found: Resource | None = self._found(Resource, self.cleaned_data["resource"], "resource")
        return found

    @staticmethod
    def _found(model: Any, ident: str, what: str) -> Any:
        if not ident:
            return None
        found = model.objects.filter(pk=ident).first()
        if found is None:
            raise forms.ValidationError(f"There is no {what} with this id.")
        return found

    def clean_expires_at(self) -> dt.datetime | None:
        day: dt.date | None = self.cleaned_data["expires_at"]
        if day is None:
            return None
        if day < timezone.now().date():
            raise forms.ValidationError("The last day is in the past.")
        return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        scope = data.get("scope") or "both"
        if scope == "policy":
            data["resource"] = None
        elif scope == "resource":
            data["policy"] = None
        if not self.errors and data.get("policy") is None and data.get("resource") is None:
            raise forms.ValidationError("Name a policy, a resource, or both.")
        return data


class ScanForm(forms.Form):
    mode = forms.ChoiceField(
        choices=[
            ("full", "Full: every resource against every active policy"),
            ("incremental", "Incremental: only what changed since the last scan"),
        ],
        widget=forms.RadioSelect,
        initial="full",
        label="How much?",
    )


class MappingForm(forms.Form):
    policy = forms.CharField(label="Policy id", max_length=200)
