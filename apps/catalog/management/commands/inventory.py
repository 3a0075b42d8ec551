from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, ClassVar

from apps.catalog.management.import_command import ImportCommand
from apps.catalog.services import mask_documents, start_discovery
from apps.connectors.files import FORMATS
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import NotFound
from apps.jobs.commands import add_queue_argument, result_of, run_here
from apps.tenancy.cloud_accounts import find_account
from apps.tenancy.models import CloudAccount
from apps.tenancy.models_clouds import CONNECTED


class Command(ImportCommand):
    help = "Import an inventory file of resources, or discover what connected cloud accounts hold."
    job_type: ClassVar[str] = "inventory.import"
    formats: ClassVar[tuple[str, ...]] = tuple(FORMATS)

    def add_verbs(self, sub: Any) -> None:
        command: ArgumentParser = sub.add_parser("discover", help="list cloud accounts through their APIs")
        self.add_common_arguments(command)
        command.add_argument(
            "--account", metavar="A", help="its id, ours or the cloud's; without it all of them"
        )
        add_queue_argument(command)
        self.add_common_arguments(
            sub.add_parser("mask", help="mask values that may be secret in documents of earlier versions")
        )

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["verb"] == "mask":
            return {"documents_masked": mask_documents()}
        if options["verb"] != "discover":
            return super().run_for_tenant(options)
        results = [
            {"account": account.account, **self._discover(account, queue=options["queue"])}
            for account in self._accounts(options["account"])
        ]
        if len(results) == 1:
            return results[0]
        return {"accounts": results} | ({"failed": True} if any(r.get("failed") for r in results) else {})

    @staticmethod
    def _accounts(handle: str | None) -> list[CloudAccount]:
        with tenant_transaction(current_tenant_id()):
            if handle:
                return [find_account(handle)]
            rows = list(CloudAccount.objects.filter(status=CONNECTED).order_by("provider", "account"))
        if not rows:
            raise NotFound("No cloud account is connected.")
        return rows

    @staticmethod
    def _discover(account: CloudAccount, *, queue: bool) -> dict[str, Any]:
        with tenant_transaction(current_tenant_id()):
            job = start_discovery(account=account, send=queue)
        if queue:
            return {"job": str(job.pk), "status": job.status}
        return result_of(run_here(job))

    def describe(self, result: Mapping[str, Any]) -> str:
        if "documents_masked" in result:
            return f"{result['documents_masked']:,} documents masked"
        if "accounts" in result:
            return "\n".join(f"{r['account']}: {self.describe(r)}" for r in result["accounts"])
        said = super().describe(result)
        if "gone" in result:
            said += f"\nresources {result['resources']}, gone {result['gone']}"
            if result["scopes_failed"]:
                said += f"; {result['scopes_failed']} of {result['scopes']} parts could not be read"
        return said
