"""What somebody fills in to ask for a change, and to name the remediation of a policy."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from apps.catalog.models import Resource

from .executors.base import Executor
from .ports import all_executors
from .services.proposing import REASON_LIMIT

PARAMS_LIMIT = 20_000


def kinds_for(resource: Resource | None) -> list[tuple[str, Executor]]:
    """The kinds that fit a resource, all of them without one; by title."""
    found = [
        (type_, executor)
        for type_, executor in all_executors().items()
        if resource is None
        or (
            executor.kind.provider == resource.provider
            and resource.type.lower() in executor.kind.resource_types
        )
    ]
    return sorted(found, key=lambda item: item[1].kind.title)


def _choices(kinds: list[tuple[str, Executor]]) -> list[tuple[str, str]]:
    return [(type_, f"{e.kind.title} ({e.kind.risk} risk)") for type_, e in kinds]


class ParamsField(forms.CharField):
    """A JSON object, written by hand; empty is {}."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})

    def __init__(self, **kwargs: Any) -> None:
        options: dict[str, Any] = {
            "required": False,
            "max_length": PARAMS_LIMIT,
            "label": "Parameters, as JSON",
        }
        super().__init__(**(options | kwargs))

    def clean(self, value: Any) -> dict[str, Any]:
        text = super().clean(value)
        if not text:
            return {}
        try:
            given = json.loads(text)
        except ValueError as error:
            raise forms.ValidationError(f"This is no JSON: {error}") from error
        if not isinstance(given, dict):
            raise forms.ValidationError("The parameters are an object: {…}.")
        return given


class ProposeForm(forms.Form):
    """A kind, the resource or resources (ids, one a line), its parameters."""

    type = forms.ChoiceField(label="What should be done?")
    resource_ids = forms.CharField(
        label="On which resources? Ids, one a line",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=20_000,
    )
    params = ParamsField()
    reason = forms.CharField(
        required=False, max_length=REASON_LIMIT, widget=forms.Textarea(attrs={"rows": 2}), label="Why?",
        help_text="The approver and the auditor read this.",
    )  # fmt: skip

    def __init__(self, *args: Any, resource: Resource | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["type"].choices = _choices(kinds_for(resource))  # type: ignore[attr-defined]

    def clean_resource_ids(self) -> list[Resource]:
        ids = list(dict.fromkeys(self.cleaned_data["resource_ids"].split()))
        found = Resource.objects.in_bulk(ids)
        missing = [pk for pk in ids if pk not in found]
        if missing:
            raise forms.ValidationError(f"There is no resource {missing[0]}.")
        return [found[pk] for pk in ids]


class ConfirmForm(forms.Form):
    """The violations that were listed, and why."""

    violations = forms.CharField(widget=forms.HiddenInput, max_length=20_000)
    reason = forms.CharField(
        required=False, max_length=REASON_LIMIT, widget=forms.Textarea(attrs={"rows": 2}), label="Why?",
        help_text="The approver and the auditor read this.",
    )  # fmt: skip


class RemediationForm(forms.Form):
    type = forms.ChoiceField(required=False, label="Kind of action")
    params = ParamsField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        empty = ("", "What the policy's file names, if anything")
        self.fields["type"].choices = [empty, *_choices(kinds_for(None))]  # type: ignore[attr-defined]
