from typing import ClassVar

from apps.catalog.management.import_command import ImportCommand
from apps.connectors.findings import FORMATS


class Command(ImportCommand):
    help = (
        "Import findings of other tools: OCSF (Prowler), ASFF (Security Hub) or SARIF, plain or gzip. What fails is "
        "opened as a violation with its source, what passes closes it; a finding older than what is stored changes "
        "nothing."
    )
    job_type: ClassVar[str] = "findings.import"
    formats: ClassVar[tuple[str, ...]] = tuple(FORMATS)
