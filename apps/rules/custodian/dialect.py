"""The vocabulary of Cloud Custodian: every operator and function that its front end puts into a tree."""

from __future__ import annotations

from apps.rules.custodian import (
    aging,
    conversions,
    dates,
    equality,
    items,
    jmes_functions,
    jmes_operators,
    jmes_steps,
    membership,
    network_groups,
    networks,
    ordering,
    policy_documents,
    presence,
    tags,
    templates,
    texts,
)
from apps.rules.dialect import Dialect

NAME = "custodian"

DIALECT = Dialect(
    NAME,
    {
        **equality.OPERATORS,
        **ordering.OPERATORS,
        **membership.OPERATORS,
        **presence.OPERATORS,
        **texts.OPERATORS,
        **dates.OPERATORS,
        **networks.OPERATORS,
        **jmes_operators.OPERATORS,
        **policy_documents.OPERATORS,
    },
    {
        **conversions.FUNCTIONS,
        **dates.FUNCTIONS,
        **tags.FUNCTIONS,
        **networks.FUNCTIONS,
        **templates.FUNCTIONS,
        **aging.FUNCTIONS,
        **items.FUNCTIONS,
        **policy_documents.FUNCTIONS,
        **network_groups.FUNCTIONS,
        **jmes_functions.FUNCTIONS,
        **jmes_steps.FUNCTIONS,
    },
)
