"""The findings room in the admin: the approval queue, and what was found, to look at."""

from . import exceptions, lists  # noqa: F401
