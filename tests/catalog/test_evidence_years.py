"""Evidence is kept by the longest class of the frameworks that its policies are mapped to."""

from __future__ import annotations

import pytest
from django.utils import timezone

from apps.catalog.models import Control, Framework, PolicyControl
from apps.catalog.services import evidence_years
from apps.tenancy.models import Tenant
from tests.fixtures.rows import make_policy

pytestmark = pytest.mark.django_db


def test_the_longest_class_of_what_a_policy_is_mapped_to(in_tenant: Tenant) -> None:
    one, both, none = (make_policy(name) for name in ("one", "both", "none"))
    mappings = {}
    for years, policies in ((1, (one, both)), (2, (both,))):
        framework = Framework.objects.create(key=f"f{years}", title=f"F{years}", retention_years=years)
        control = Control.objects.create(framework=framework, code="c-1", label="C-1")
        for policy in policies:
            mappings[years, policy.pk] = PolicyControl.objects.create(control=control, policy=policy)
    assert evidence_years([one.pk]) == 1
    assert evidence_years([both.pk]) == evidence_years([one.pk, both.pk]) == 2
    assert evidence_years([none.pk]) == evidence_years([]) == 3
    PolicyControl.objects.filter(pk=mappings[2, both.pk].pk).update(
        removed_at=timezone.now(), removed_by="x", removal="x"
    )
    assert evidence_years([both.pk]) == 1
