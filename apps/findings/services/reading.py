"""Reading with a user's rule: it can change nothing and is cut short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection, transaction

from apps.core.errors import GovernanceError, InvalidInput

_BEGIN = (
    "SELECT set_config('transaction_read_only', 'on', true), set_config('statement_timeout', %s, true),"
    " set_config('jit', 'off', true)"
)
_CANCELLED, _AWAY = "57014", ("57P", "08")


class TookTooLong(GovernanceError):
    """A rule's statement was ended; the rule may still be right, and a scan has more time for it."""

    code = "took-too-long"


@contextmanager
def bounded_reading(milliseconds: int) -> Iterator[Any]:
    """A cursor that reads only, each statement for so long, inside the transaction that is open.

    Raises TookTooLong where a statement was ended, and InvalidInput for what PostgreSQL refuses in the rule
    itself. The surrounding transaction goes on afterwards as it was: the savepoint is always rolled back, and
    the settings with it.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_BEGIN, [str(milliseconds)])
                yield cursor
            transaction.set_rollback(True)
    except DatabaseError as error:
        state = getattr(error.__cause__, "sqlstate", None) or ""
        if state == _CANCELLED:
            raise TookTooLong(
                f"The database needed more than {milliseconds / 1000:g} seconds and was stopped. "
                "A regular expression may run away, or there is very much to look at; a scan has more time."
            ) from error
        if not state or state.startswith(_AWAY):
            raise
        raise InvalidInput(f"PostgreSQL refuses this rule: {str(error).splitlines()[0]}") from error
