from typing import ClassVar

from apps.catalog.management.import_command import ImportCommand
from apps.connectors.files import FORMATS


class Command(ImportCommand):
    help = "Import an inventory file of resources."
    job_type: ClassVar[str] = "inventory.import"
    formats: ClassVar[tuple[str, ...]] = tuple(FORMATS)
