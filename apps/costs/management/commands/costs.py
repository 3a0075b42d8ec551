from typing import ClassVar

from apps.catalog.management.import_command import ImportCommand
from apps.connectors.billing import FORMATS


class Command(ImportCommand):
    help = (
        "Import a billing export: FOCUS 1.0 to 1.4, AWS CUR, Azure cost details, Google Cloud's billing export; CSV "
        "or Parquet, plain or gzip. A folder is taken as the parts of one delivery. What a file says of a billing "
        "period replaces what was there; a file that says the same again changes nothing."
    )
    job_type: ClassVar[str] = "costs.import"
    formats: ClassVar[tuple[str, ...]] = tuple(FORMATS)
