from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from apps.catalog.management.import_command import ImportCommand
from apps.connectors.billing import FORMATS
from apps.core.context import current_tenant_id, tenant_transaction
from apps.costs.services.reconciling import rebuild_sums, verify_sums


class Command(ImportCommand):
    help = (
        "Import a billing export: FOCUS 1.0 to 1.4, AWS CUR, Azure cost details, Google Cloud's billing export; CSV "
        "or Parquet, plain or gzip. A folder is taken as the parts of one delivery. What a file says of a billing "
        "period replaces what was there; a file that says the same again changes nothing."
    )

    def add_verbs(self, sub: Any) -> None:
        for verb, help_ in (
            ("verify", "name every sum that is not what its lines add up to; exits with 1 where one is not"),
            ("rebuild", "make every sum again from the lines"),
        ):
            self.add_common_arguments(sub.add_parser(verb, help=help_, description=help_))

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["verb"] == "import":
            return super().run_for_tenant(options)
        with tenant_transaction(current_tenant_id()):
            if options["verb"] == "rebuild":
                return rebuild_sums()
            found = verify_sums()
        return {
            "differences": len(found),
            "first": [asdict(one) for one in found[:20]],
            "failed": bool(found),
        }

    job_type: ClassVar[str] = "costs.import"
    formats: ClassVar[tuple[str, ...]] = tuple(FORMATS)
