"""The actions room in the admin: the approval queue, and the rules of approval."""

from . import queue, rules  # noqa: F401
