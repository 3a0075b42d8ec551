"""What the catalog does: imports of inventory and policies, changes of a policy, connected clouds."""

from .clouds import check_account, cloud_of
from .discoveries import start_discovery
from .framework_import import import_framework_file
from .frameworks import evidence_years, install_framework, save_framework, set_retention
from .importing import ImportLog
from .inventory import import_inventory
from .mappings import map_policy, sync_mappings, unmap_policy
from .policies import import_policies, set_policy_parameters, set_policy_severity, set_policy_status
from .secret_marks import mask_documents

__all__ = [
    "ImportLog",
    "check_account",
    "cloud_of",
    "evidence_years",
    "import_framework_file",
    "import_inventory",
    "import_policies",
    "install_framework",
    "map_policy",
    "mask_documents",
    "save_framework",
    "set_policy_parameters",
    "set_policy_severity",
    "set_policy_status",
    "set_retention",
    "start_discovery",
    "sync_mappings",
    "unmap_policy",
]
