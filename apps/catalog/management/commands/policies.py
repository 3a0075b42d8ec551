from typing import ClassVar

from apps.catalog.management.import_command import ImportCommand


class Command(ImportCommand):
    help = "Import policies: Azure Policy JSON or Cloud Custodian YAML, a file, a folder or a ZIP."
    job_type: ClassVar[str] = "policies.import"
