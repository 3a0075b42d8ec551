"""The pages that the frame leads to, in groups."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A page of the navigation; `under` are the URL names that belong to it as well, for aria-current."""

    label: str
    view: str
    icon: str
    under: tuple[str, ...] = ()
    needs: str = "view"


@dataclass(frozen=True)
class Group:
    label: str
    places: tuple[Place, ...]


GROUPS = (
    Group("", (Place("Overview", "desk:home", "home"),)),
    Group(
        "Findings",
        (
            Place(
                "Frameworks",
                "findings:framework-list",
                "check",
                (
                    "findings:framework-detail",
                    "findings:control-detail",
                    "catalog:mapping-list",
                    "catalog:framework-import",
                ),
            ),
            Place("Violations", "findings:violation-list", "flag", ("findings:violation-detail",)),
            Place("Latest open", "findings:latest-open", "clock"),
            Place(
                "Exceptions",
                "findings:exception-list",
                "pause",
                ("findings:exception-detail", "findings:exception-create"),
            ),
            Place("Recommendations", "findings:recommendation-list", "bulb"),
            Place("Scans", "findings:scan-list", "radar", ("findings:scan-detail", "findings:scan-create")),
        ),
    ),
    Group(
        "Estate",
        (
            Place("Resources", "catalog:resource-list", "box", ("catalog:resource-detail",)),
            Place("Policies", "catalog:policy-list", "book", ("catalog:policy-detail", "catalog:policy-parameters")),
            Place(
                "Cloud accounts",
                "catalog:account-list",
                "plug",
                ("catalog:account-detail", "catalog:account-create"),
            ),
            Place("Imports", "catalog:import-list", "tray", ("catalog:import-detail", "catalog:import-create")),
        ),
    ),
    Group(
        "Costs",
        (
            Place("Explorer", "costs:explorer", "chart", ("costs:cost-list", "costs:period-list")),
            Place("Anomalies", "costs:anomaly-list", "spike", ("costs:anomaly-detail",)),
            Place("Budgets", "costs:budget-list", "purse", ("costs:budget-detail", "costs:budget-create")),
            Place("Forecast", "costs:forecast", "trend"),
            Place("Allocation", "costs:allocation", "tag"),
            Place("Unit cost", "costs:unit-costs", "scale"),
        ),
    ),
    Group(
        "Actions",
        (
            Place("All actions", "actions:action-list", "bolt", ("actions:action-detail",)),
            Place("Needing approval", "actions:needing-approval", "check"),
        ),
    ),
    Group(
        "Evidence",
        (
            Place("Reports", "reports:report-list", "file", ("reports:report-detail", "reports:report-create")),
            Place("Audit trail", "audit:audit-list", "list", ("audit:seal",)),
            Place(
                "Retention",
                "archive:retention",
                "tray",
                ("archive:hold-list", "archive:hold-create", "archive:hold-release", "archive:window"),
            ),
        ),
    ),
    Group(
        "System",
        (
            Place("Jobs", "jobs:job-list", "gear", ("jobs:job-detail",)),
            Place("Notices", "notices:delivery-list", "bell", ("notices:delivery-detail", "notices:preferences")),
            Place("API tokens", "tenancy:token-list", "key", ("tenancy:token-create", "tenancy:token-revoke")),
        ),
    ),
)  # fmt: skip
