"""How a view tells the request's middleware what it needs."""

from collections.abc import Callable
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])


def non_atomic(view: View) -> View:
    """Mark a view for which no transaction is held: it touches the object store, a cloud or an upload.

    It opens short transactions of its own. Health checks are marked too: they answer without a database.
    """
    view.non_atomic = True  # type: ignore[attr-defined]
    return view
