"""Why there are no violations to see: the first reason that holds, and the step that mends it."""

from __future__ import annotations

from apps.catalog.models import Policy, Resource
from apps.core.emptiness import Emptiness

from .models import ScanRun


def why_no_violations() -> Emptiness:
    """At most four cheap queries, and only for a page that is empty."""
    if not Resource.objects.exists():
        return Emptiness(
            "Nothing has been imported",
            "There are no resources to check. Upload an inventory file of your cloud.",
            "catalog:import-create",
            "Import an inventory",
            "import",
        )
    if not Policy.objects.exists():
        return Emptiness(
            "There are no policies",
            "Resources are here, but no rule to hold them to. Import Azure Policy or Cloud Custodian files.",
            "catalog:import-create",
            "Import policies",
            "import",
        )
    if not Policy.objects.filter(status="active").exists():
        return Emptiness(
            "No policy is active",
            "Policies were imported, but each is disabled, waits for parameters or was refused.",
            "catalog:policy-list",
            "Look at the policies",
        )
    last = ScanRun.objects.filter(kind="policy").order_by("-started_at", "-id").first()
    if last is None:
        return Emptiness(
            "Never scanned",
            "Resources and active policies are here; a scan compares them.",
            "findings:scan-create",
            "Start a scan",
            "scan",
        )
    if last.status == "running":
        return Emptiness("A scan is running", "What it finds appears here when it is done.")
    if last.status != "succeeded":
        return Emptiness(
            "The last scan did not finish",
            f"It {'was cancelled' if last.status == 'cancelled' else 'failed'}: {last.error or 'no reason was kept'}",
            "findings:scan-list",
            "Look at the scans",
        )
    return Emptiness(
        "No violations",
        f"The scan of {last.started_at:%Y-%m-%d %H:%M} UTC checked {last.resources:,} resources against "
        f"{last.policies:,} policies and all of them comply.",
    )
