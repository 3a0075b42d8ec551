from typing import ClassVar

from apps.catalog.management.import_command import ImportCommand


class Command(ImportCommand):
    help = (
        "Import policies: Azure Policy JSON or Cloud Custodian YAML, a file, a folder (a git checkout: .git is "
        "passed over, links are refused) or a ZIP. Each definition is in one count: compiled, or unsupported, "
        "which includes invalid ones; reasons sums up to unsupported. failed is 0 unless the engine broke. Files "
        "that hold no policy are among the refusals, not the definitions."
    )
    job_type: ClassVar[str] = "policies.import"
