"""A small rule may ask for a large statement: it is refused when it is compiled, not when it is scanned for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.rules.compile import compile_policy
from apps.rules.errors import Unsupported


def test_functions_within_functions_that_grow_beyond_bounds_are_refused() -> None:
    address = "[ipRangeContains('10.0.0.0/8', substring(resourceGroup().location, 0))]"
    rules = "Microsoft.Storage/storageAccounts/networkAcls.ipRules[*]"
    condition = {"count": {"field": rules, "where": {"value": address, "less": ""}}, "equals": 0}
    document = {"name": "x", "properties": {"policyRule": {"if": condition, "then": {"effect": "audit"}}}}
    with pytest.raises(Unsupported, match="too large"):
        compile_policy(document, language="azure", now=datetime(2026, 11, 27, tzinfo=UTC))
