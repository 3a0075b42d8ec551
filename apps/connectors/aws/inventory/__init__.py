"""An account's inventory by describe and list calls, in the shapes that Cloud Custodian's policies are written for.

A scope is a type of resource in a region (`global` for what has none): the unit that is listed, gone on from
and, once it is complete, the unit of which absence means that a thing is gone.
"""

from .rows import GLOBAL
from .scopes import Scope, page_of, scopes_of

__all__ = ["GLOBAL", "Scope", "page_of", "scopes_of"]
