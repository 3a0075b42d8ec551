"""What the catalog does: imports of inventory and policies, and changes of a policy."""

from .importing import ImportLog
from .inventory import import_inventory
from .policies import import_policies, set_policy_parameters, set_policy_severity, set_policy_status

__all__ = [
    "ImportLog",
    "import_inventory",
    "import_policies",
    "set_policy_parameters",
    "set_policy_severity",
    "set_policy_status",
]
