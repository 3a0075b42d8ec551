"""Asking for a change: of a resource, for one violation by one click, for a filtered set after a look at it."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property

from apps.catalog.models import Policy, Resource
from apps.core.errors import InvalidInput
from apps.findings.filters import ViolationFilter
from apps.findings.models import Violation
from apps.findings.queries import violations
from apps.tenancy.pages import CommandPage, FormPage
from apps.tenancy.roles import Permission

from ..forms import ConfirmForm, ProposeForm, RemediationForm, kinds_for
from ..models import MOST_TARGETS
from ..services import propose_action
from ..services.remediations import proposal_for, propose_for, remediation_of, set_remediation


class Propose(FormPage):
    permission = Permission.REQUEST
    template_name = "actions/propose.html"
    form_class = ProposeForm
    done = "It is being planned. You see the plan here in a moment."

    @cached_property
    def resource(self) -> Resource | None:
        pk = self.request.GET.get("resource", "")
        return Resource.objects.filter(pk=pk).first() if pk else None

    def get_form(self, form_class: Any = None) -> ProposeForm:
        return ProposeForm(resource=self.resource, **self.get_form_kwargs())

    def get_initial(self) -> dict[str, Any]:
        return {
            "resource_ids": self.resource.pk if self.resource is not None else "",
            "type": self.request.GET.get("type", ""),
            "params": "{}",
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kinds = [
            (type_, e.kind, json.dumps(dict(e.kind.params).get("properties", {}), indent=2))
            for type_, e in kinds_for(self.resource)
        ]
        return super().get_context_data(
            title="Ask for a change", resource=self.resource, kinds=kinds, **kwargs
        )

    def act(self, form: ProposeForm) -> str:
        data = form.cleaned_data
        try:
            action = propose_action(
                type=data["type"],
                resources=data["resource_ids"],
                params=data["params"],
                reason=data["reason"],
            )
        except InvalidInput as error:
            if (error.field or "").startswith("params"):
                raise InvalidInput(f"{error.field}: {error}", field="params") from error
            raise
        return reverse("actions:action-detail", args=[action.pk])


class ProposeForViolation(CommandPage):
    """One click: what the violation's policy names, on its resource."""

    permission = Permission.REQUEST
    done = "It is being planned. You see the plan here in a moment."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        violation = get_object_or_404(Violation.objects.select_related("policy", "resource"), pk=kwargs["pk"])
        (action,) = propose_for([violation], reason=request.POST.get("reason", ""))
        return reverse("actions:action-detail", args=[action.pk])

    def fallback(self, **kwargs: Any) -> str:
        return reverse("findings:violation-detail", args=[kwargs["pk"]])


class ProposeForViolations(FormPage):
    """What is touched stands on the page, and just that is asked for: a violation that came since is not swept
    along."""

    permission = Permission.REQUEST
    template_name = "actions/propose_violations.html"
    form_class = ConfirmForm

    @cached_property
    def listed(self) -> list[Violation]:
        rows = violations().select_related("policy", "resource")
        if self.request.method == "POST":
            return list(rows.filter(pk__in=_ids(self.request.POST.get("violations", ""))))
        known = {name: self.request.GET.getlist(name) for name in self.request.GET}
        filterset = ViolationFilter(self.request.GET, queryset=rows, request=self.request)
        if not known or not filterset.is_valid():
            return []
        return list(filterset.qs.order_by("-severity_rank", "-last_seen", "-id")[: MOST_TARGETS + 1])

    def get_initial(self) -> dict[str, Any]:
        return {"violations": " ".join(str(v.pk) for v in self.listed[:MOST_TARGETS])}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title="Ask for the remediation of these violations",
            proposal=proposal_for(self.listed[:MOST_TARGETS]),
            too_many=len(self.listed) > MOST_TARGETS,
            most=MOST_TARGETS,
            **kwargs,
        )

    def act(self, form: ConfirmForm) -> str:
        made = propose_for(self.listed, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"{len(made)} asked for; each is being planned.")
        if len(made) == 1:
            return reverse("actions:action-detail", args=[made[0].pk])
        return reverse("actions:action-list")


def _ids(text: str) -> list[uuid.UUID]:
    found = []
    for word in text.split()[:MOST_TARGETS]:
        try:
            found.append(uuid.UUID(word))
        except ValueError:
            continue
    return found


class PolicyRemediation(FormPage):
    """Which action a policy names for its violations."""

    permission = Permission.MANAGE
    template_name = "actions/policy_remediation.html"
    form_class = RemediationForm
    done = "Saved. Violations of this policy offer it from now."

    @cached_property
    def policy(self) -> Policy:
        return get_object_or_404(Policy, pk=self.kwargs["pk"])

    def get_initial(self) -> dict[str, Any]:
        named = remediation_of(self.policy)
        if named is None:
            return {"params": "{}"}
        return {"type": named.type, "params": json.dumps(dict(named.params), indent=2)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title="Remediation", policy=self.policy, named=remediation_of(self.policy), **kwargs
        )

    def act(self, form: RemediationForm) -> str:
        data = form.cleaned_data
        try:
            set_remediation(policy=self.policy, type=data["type"], params=data["params"])
        except InvalidInput as error:
            if (error.field or "").startswith("params"):
                raise InvalidInput(f"{error.field}: {error}", field="params") from error
            raise
        return reverse("catalog:policy-detail", args=[self.policy.pk])
