"""Addresses of the admin's own static files, which exist only once settings are read."""

from django.http import HttpRequest
from django.templatetags.static import static


def stylesheet(request: HttpRequest) -> str:
    return static("admin_desk/desk.css")
