"""Filters of resources, policies and import runs."""

from __future__ import annotations

from apps.core.filters import (
    ChoicesFilter,
    PrefixFilter,
    SearchFilter,
    StrictFilterSet,
    TagFilter,
    TextFilter,
    at_or_after,
    before,
)

from .import_kinds import IMPORT_KINDS
from .models import PROVIDERS, SEVERITIES, ImportRun, Policy, PolicyControl, Resource
from .models_frameworks import MAPPING_SOURCES

POLICY_STATES = ("active", "draft", "disabled", "needs_parameters", "unsupported", "invalid", "external")
LANGUAGES = ("azure", "custodian", "external")
RUN_STATES = ("running", "succeeded", "failed", "cancelled")


class ResourceFilter(StrictFilterSet):
    provider = ChoicesFilter(PROVIDERS, field_name="provider")
    type = TextFilter("type", help_text="The cloud's type, whole, as shown in the list")
    location = TextFilter("location")
    account = TextFilter("account", help_text="Subscription, account or project id")
    group_name = TextFilter("group_name")
    status = TextFilter("status")
    name = PrefixFilter("name", help_text="The name begins with this; case counts")
    native_id = PrefixFilter("native_id", help_text="The cloud's own id begins with this; case counts")
    search = SearchFilter(("name", "native_id"), help_text="The name or the cloud's own id contains this")
    tag = TagFilter("tags", help_text="key=value, or a key alone; repeated, all must hold")
    updated_after = at_or_after("updated_at")
    updated_before = before("updated_at")

    class Meta:
        model = Resource
        fields: list[str] = []


class PolicyFilter(StrictFilterSet):
    status = ChoicesFilter(POLICY_STATES, field_name="status")
    provider = TextFilter("provider")
    language = ChoicesFilter(LANGUAGES, field_name="language")
    severity = ChoicesFilter(SEVERITIES, field_name="severity")
    name = PrefixFilter("name", help_text="The name begins with this; case counts")
    search = SearchFilter(("name",), help_text="The name contains this")

    class Meta:
        model = Policy
        fields: list[str] = []


class ImportRunFilter(StrictFilterSet):
    kind = ChoicesFilter(tuple(IMPORT_KINDS), field_name="kind")
    status = ChoicesFilter(RUN_STATES, field_name="status")
    started_after = at_or_after("started_at")
    started_before = before("started_at")

    class Meta:
        model = ImportRun
        fields: list[str] = []


class MappingFilter(StrictFilterSet):
    framework = TextFilter("control__framework__key", help_text="Key of a framework")
    control = TextFilter("control__code", help_text="Code of a control, such as ac-2.1")
    policy = TextFilter("policy_id", help_text="Id of a policy")
    source = ChoicesFilter(MAPPING_SOURCES, field_name="source", help_text="Who says it")

    class Meta:
        model = PolicyControl
        fields: list[str] = []
