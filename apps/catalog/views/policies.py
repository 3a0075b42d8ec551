"""What an administrator changes of a policy: whether it is scanned, and its parameters' values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.tenancy.pages import CommandPage, FormPage
from apps.tenancy.roles import Permission

from ..models import Policy
from ..services import set_policy_parameters, set_policy_status


def declared_parameters(policy: Policy) -> Mapping[str, Any]:
    """{name: {"type", "defaultValue", "allowedValues", "metadata"}} as Azure declares them, else what is set."""
    version = policy.versions.order_by("-number").first()
    definition = version.definition if version is not None else {}
    properties = definition.get("properties", definition) if isinstance(definition, dict) else {}
    declared = properties.get("parameters", {}) if isinstance(properties, dict) else {}
    named: dict[str, Any] = {name: {} for name in policy.parameters}
    return named | (declared if isinstance(declared, dict) else {})


class ParametersForm(forms.Form):
    """One field for each declared parameter; lists, objects, numbers and booleans are written as JSON."""

    def __init__(self, *args: Any, policy: Policy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, declared in declared_parameters(policy).items():
            self.fields[name] = self._field(name, declared if isinstance(declared, dict) else {}, policy)

    @staticmethod
    def _field(name: str, declared: Mapping[str, Any], policy: Policy) -> forms.Field:
        about = declared.get("metadata") or {}
        default = declared.get("defaultValue")
        current = policy.parameters.get(name, default)
        text = str(declared.get("type", "String")).lower() == "string"
        shown = (
            current
            if text and isinstance(current, str)
            else json.dumps(current)
            if current is not None
            else ""
        )
        hints = [str(about.get("description", ""))]
        hints += ["" if text else "As JSON."]
        hints += [f"Default: {json.dumps(default)}." if default is not None else ""]
        common: dict[str, Any] = {
            "label": about.get("displayName") or name,
            "required": False,
            "initial": shown,
            "help_text": " ".join(h for h in hints if h),
        }
        allowed = declared.get("allowedValues")
        if text and allowed and all(isinstance(value, str) for value in allowed):
            return forms.ChoiceField(choices=[("", "(not set)"), *((v, v) for v in allowed)], **common)
        return forms.CharField(**common) if text else JsonTextField(**common)


class JsonTextField(forms.CharField):
    """A JSON value written by hand; empty means not set."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise forms.ValidationError(f"This is no JSON: {error}") from error


class PolicyParameters(FormPage):
    permission = Permission.MANAGE
    template_name = "catalog/policy_parameters.html"
    done = "The parameters are saved; the next scan uses them."

    @property
    def policy(self) -> Policy:
        if not hasattr(self, "_policy"):
            self._policy = get_object_or_404(Policy, pk=self.kwargs["pk"])
        return self._policy

    def get_form(self, form_class: Any = None) -> ParametersForm:
        return ParametersForm(policy=self.policy, **self.get_form_kwargs())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            policy=self.policy, title=f"Parameters of {self.policy.name}", **kwargs
        )

    def act(self, form: ParametersForm) -> str:
        given = {name: value for name, value in form.cleaned_data.items() if value not in (None, "")}
        set_policy_parameters(policy=self.policy, parameters=given)
        return reverse("catalog:policy-detail", args=[self.policy.pk])


class PolicySwitch(CommandPage):
    """Enable or disable a policy."""

    permission = Permission.MANAGE

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        policy = get_object_or_404(Policy, pk=kwargs["pk"])
        set_policy_status(
            policy=policy, status="active" if request.POST.get("to") == "active" else "disabled"
        )
        return self.fallback(**kwargs)

    def fallback(self, **kwargs: Any) -> str:
        return reverse("catalog:policy-detail", args=[kwargs["pk"]])
