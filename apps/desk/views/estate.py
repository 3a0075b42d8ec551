"""A resource and a policy with all that other rooms know of them."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import QuerySet

from apps.actions.models import Action, ActionTarget
from apps.actions.views.lists import title_of
from apps.catalog.models import Policy, Resource
from apps.catalog.services.controls import control_groups
from apps.catalog.views.policies import declared_parameters
from apps.core.json_tree import json_tree
from apps.costs.of_resource import costs_of_resource
from apps.findings.models import PolicyException, Recommendation, ViolationEvent
from apps.findings.queries import violation_counts, violation_records
from apps.tenancy.names import names_of_actors
from apps.tenancy.pages import DetailPage

LISTED = 50


class ResourceDetail(DetailPage):
    template_name = "desk/resource_detail.html"
    model = Resource

    def get_queryset(self) -> QuerySet[Any]:
        return Resource.objects.select_related("document")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        resource: Any = self.object
        document = getattr(resource, "document", None)
        found = violation_records().filter(resource=resource).select_related("policy")
        history = ViolationEvent.objects.filter(resource_id=resource.pk).order_by("-at", "-id")[:LISTED]
        events = list(history)
        policies = Policy.objects.in_bulk({e.policy_id for e in events if e.policy_id}) if events else {}
        return super().get_context_data(
            title=resource.name or resource.display_id,
            tree=json_tree(document.properties) if document is not None else None,
            violations=list(found.order_by("-severity_rank", "-last_seen", "-id")[: LISTED + 1]),
            listed=LISTED,
            exceptions=list(
                PolicyException.objects.filter(resource=resource)
                .select_related("policy", "created_by", "decided_by")
                .order_by("-created_at", "-id")[:LISTED]
            ),
            events=[(event, policies.get(event.policy_id or "")) for event in events],
            costs=costs_of_resource(resource.pk),
            recommendations=list(
                Recommendation.objects.filter(resource_id=resource.pk)
                .exclude(status="gone")
                .order_by("-savings_order", "-id")[: LISTED + 1]
            ),
            actions=_actions(resource),
            **kwargs,
        )


def _actions(resource: Resource) -> list[tuple[Action, str, ActionTarget]]:
    """(action, what it does, how far it is on this resource), the latest first."""
    targets = ActionTarget.objects.filter(resource_id=resource.pk).select_related("action")
    latest = targets.order_by("-action__created_at", "-action_id")[: LISTED + 1]
    return [(target.action, title_of(target.action), target) for target in latest]


class PolicyDetail(DetailPage):
    template_name = "desk/policy_detail.html"
    model = Policy

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        policy: Any = self.object
        versions = list(policy.versions.order_by("-number")[:20])
        names = names_of_actors(v.created_by for v in versions)
        counts: dict[str, int] = {}
        for row in violation_counts():
            if row.policy_id == policy.pk:
                counts[row.status] = counts.get(row.status, 0) + row.n
        definition = versions[0].definition if versions else None
        return super().get_context_data(
            title=policy.name,
            definition=json.dumps(definition, indent=2, ensure_ascii=False) if definition is not None else "",
            refusals=policy.metadata.get("refusals", []),
            parameters=self._parameters(policy),
            controls=control_groups(policy),
            counts=counts,
            versions=[(version, names[version.created_by]) for version in versions],
            exceptions=list(
                PolicyException.objects.filter(policy=policy)
                .select_related("resource", "created_by")
                .order_by("-created_at", "-id")[:LISTED]
            ),
            **kwargs,
        )

    @staticmethod
    def _parameters(policy: Policy) -> list[tuple[str, str, bool]]:
        """(name, value as JSON, whether it is the definition's default) of each declared parameter."""
        shown = []
        for name, declared in declared_parameters(policy).items():
            default = declared.get("defaultValue") if isinstance(declared, dict) else None
            given = name in policy.parameters
            value = policy.parameters[name] if given else default
            shown.append((name, "" if value is None else json.dumps(value, ensure_ascii=False), not given))
        return shown
