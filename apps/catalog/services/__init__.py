"""What the catalog does: imports of inventory and policies, changes of a policy, connected clouds."""

from .clouds import check_account, cloud_of
from .importing import ImportLog
from .inventory import import_inventory
from .policies import import_policies, set_policy_parameters, set_policy_severity, set_policy_status

__all__ = [
    "ImportLog",
    "check_account",
    "cloud_of",
    "import_inventory",
    "import_policies",
    "set_policy_parameters",
    "set_policy_severity",
    "set_policy_status",
]
