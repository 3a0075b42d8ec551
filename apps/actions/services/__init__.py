"""What can be done with an action: propose, decide, cancel, retry, roll back; and the rules of approval."""

from .deciding import approve_action, reject_action
from .ending import cancel_action, retry_action
from .proposing import propose_action
from .reversing import propose_rollback
from .rules import set_rule

__all__ = [
    "approve_action",
    "cancel_action",
    "propose_action",
    "propose_rollback",
    "reject_action",
    "retry_action",
    "set_rule",
]
