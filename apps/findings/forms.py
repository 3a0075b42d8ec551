"""What somebody fills in to ask for an exception, to end one, to set the rules, and to start a scan."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone

from apps.catalog.models import SEVERITIES, Policy, Resource
from apps.core.errors import InvalidInput

from .models import PolicyException
from .scope import Scope, scope_of_filters
from .services.exception_rules import MOST_DAYS
from .services.exceptions import REASON_LIMIT

SCOPES = [
    ("both", "This policy on this resource"),
    ("policy", "This policy on every resource"),
    ("resource", "Every policy on this resource"),
]
FILTERS_LIMIT = 4_000


class ExceptionForm(forms.Form):
    """Policy and resource by id, of which `scope` keeps both or one; or `filters`, the query of the violation
    list; or `renews`, whose scope is taken over. The term as its last day, in UTC."""

    policy = forms.CharField(required=False, max_length=200, label="Policy id")
    resource = forms.CharField(required=False, max_length=200, label="Resource id")
    filters = forms.CharField(required=False, max_length=FILTERS_LIMIT, widget=forms.HiddenInput)
    renews = forms.UUIDField(required=False, widget=forms.HiddenInput)
    scope = forms.ChoiceField(
        choices=SCOPES, label="What should be excepted?", initial="both", required=False
    )
    later = forms.BooleanField(
        required=False,
        label="Also violations that come to match these filters later",
        help_text="Without it only those that have been seen by now are covered.",
    )
    reason = forms.CharField(
        max_length=REASON_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
        label="Why is this acceptable for a while?",
        help_text="The approver and the auditor read this.",
    )
    compensating_control = forms.CharField(
        required=False,
        max_length=REASON_LIMIT,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="What holds the risk meanwhile?",
        help_text="A compensating control, such as a firewall in front of it.",
    )
    expires_at = forms.DateField(
        required=False,
        label="Until the end of (UTC)",
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def __init__(self, *args: Any, endless: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["expires_at"].required = not endless

    def clean_policy(self) -> Policy | None:
        found: Policy | None = self._found(Policy, self.cleaned_data["policy"], "policy")
        return found

    def clean_resource(self) -> Resource | None:
        found: Resource | None = self._found(Resource, self.cleaned_data["resource"], "resource")
        return found

    def clean_renews(self) -> PolicyException | None:
        pk = self.cleaned_data["renews"]
        if pk is None:
            return None
        found = PolicyException.objects.select_related("policy", "resource").filter(pk=pk).first()
        if found is None:
            raise forms.ValidationError("There is no exception with this id.")
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
        if not self.errors:
            try:
                data["of"] = self._scope(data)
            except InvalidInput as error:
                raise forms.ValidationError(str(error)) from error
        return data

    @staticmethod
    def _scope(data: dict[str, Any]) -> Scope:
        if former := data.get("renews"):
            return Scope(former.policy, former.resource, former.selector)
        if data.get("filters"):
            return scope_of_filters(QueryDict(data["filters"]), later=bool(data.get("later")))
        kept = data.get("scope") or "both"
        policy = data.get("policy") if kept != "resource" else None
        resource = data.get("resource") if kept != "policy" else None
        if policy is None and resource is None:
            raise forms.ValidationError("Name a policy, a resource, or both.")
        return Scope(policy, resource)


class EndForm(forms.Form):
    """Why an exception is closed."""

    reason = forms.CharField(
        required=False,
        max_length=REASON_LIMIT,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Why is it not needed any more?",
    )


class RulesForm(forms.Form):
    """A tenant's rules for exceptions."""

    endless = forms.BooleanField(required=False, label="An exception may be asked for without an end")
    warn_days = forms.CharField(
        required=False,
        max_length=50,
        label="Warn how many days ahead of the end?",
        help_text="Whole numbers, separated by commas.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for severity in SEVERITIES:
            self.fields[severity] = forms.IntegerField(
                min_value=1, max_value=MOST_DAYS, label=f"Longest term at {severity} severity, in days"
            )
        self.order_fields([*reversed(SEVERITIES), "endless", "warn_days"])

    def clean_warn_days(self) -> list[int]:
        text: str = self.cleaned_data["warn_days"]
        try:
            return [int(part) for part in text.split(",") if part.strip()]
        except ValueError as error:
            raise forms.ValidationError("Write whole numbers, separated by commas.") from error

    def rules(self) -> dict[str, Any]:
        """The arguments of `set_exception_rules`."""
        data = self.cleaned_data
        return {
            "longest_days": {severity: data[severity] for severity in SEVERITIES},
            "endless": data["endless"],
            "warn_days": data["warn_days"],
        }


class ScanForm(forms.Form):
    kind = forms.ChoiceField(
        choices=[
            ("policy", "Policies: each resource against every active policy"),
            (
                "security",
                "Security: ways through several resources, old and unused credentials, secrets in texts",
            ),
        ],
        widget=forms.RadioSelect,
        initial="policy",
        label="What for?",
        required=False,
    )
    mode = forms.ChoiceField(
        choices=[
            ("full", "Full: looks at everything and notes what still holds as seen today"),
            ("incremental", "Incremental: writes only what has changed since the last scan"),
        ],
        widget=forms.RadioSelect,
        initial="full",
        label="How much?",
    )


class MappingForm(forms.Form):
    policy = forms.CharField(label="Policy id", max_length=200)
