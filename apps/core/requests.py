"""What holds for a request before its view: what a view may say of itself, and what no address may hold."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase

View = TypeVar("View", bound=Callable[..., Any])


def non_atomic(view: View) -> View:
    """Mark a view for which no transaction is held: it touches the object store, a cloud or an upload.

    It opens short transactions of its own. Health checks are marked too: they answer without a database.
    """
    view.non_atomic = True  # type: ignore[attr-defined]
    return view


def parameters_with_nul(parameters: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of those that hold a NUL, which PostgreSQL can neither store nor compare; sorted."""
    return sorted(
        name.replace("\x00", "")
        for name, values in parameters.items()
        if any("\x00" in text for text in (name, *values))
    )


class NoNulMiddleware:
    """A page's address with a NUL in it is answered with 400. An endpoint says so itself, by the parameter's name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> None:
        if not hasattr(view, "cls") and (names := parameters_with_nul(dict(request.GET.lists()))):
            raise BadRequest(f"NUL in {', '.join(names)}")
