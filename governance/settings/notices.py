"""Mail, webhooks and the address under which people reach the desk, from the environment."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from .environment import Environment

SHORTEST_KEY = 32
SMTP = "django.core.mail.backends.smtp.EmailBackend"
# scheme → (STARTTLS, TLS from the start, port)
SMTP_SCHEMES = {"smtp": (False, False, 25), "smtp+starttls": (True, False, 587), "smtps": (False, True, 465)}


def notice_settings(environment: Environment) -> dict[str, Any]:
    """BASE_URL, EMAIL_URL, EMAIL_FROM and WEBHOOK_KEY are demanded by name; the rest has safe defaults."""
    return {
        "BASE_URL": _base_url(environment.text("BASE_URL")),
        "DEFAULT_FROM_EMAIL": environment.text("EMAIL_FROM"),
        "EMAIL_TIMEOUT": 10,
        "WEBHOOKS": {
            "key": _key(environment.text("WEBHOOK_KEY")),
            "allowed_networks": _networks(environment),
            "ca_file": environment.text("WEBHOOK_CA_FILE", "") or None,
        },
        **mail_settings(environment.text("EMAIL_URL")),
    }


def mail_settings(url: str) -> dict[str, Any]:
    """Django's settings of `smtp://`, `smtp+starttls://` or `smtps://user:password@host:port`, or of
    `file:///folder` (each message a file) and `console:`."""
    parts = urlsplit(url)
    if parts.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if parts.scheme == "file" and Path(parts.path).is_absolute():
        backend = "django.core.mail.backends.filebased.EmailBackend"
        return {"EMAIL_BACKEND": backend, "EMAIL_FILE_PATH": parts.path}
    if parts.scheme not in SMTP_SCHEMES or not parts.hostname:
        known = ", ".join([*SMTP_SCHEMES, "file", "console"])
        raise ImproperlyConfigured(f"EMAIL_URL must be a URL with one of the schemes {known}.")
    starttls, tls, port = SMTP_SCHEMES[parts.scheme]
    return {
        "EMAIL_BACKEND": SMTP,
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": starttls,
        "EMAIL_USE_SSL": tls,
    }


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise ImproperlyConfigured(f"BASE_URL must be like https://desk.example.org, not {url!r}.")
    return f"{parts.scheme}://{parts.netloc}"


def _key(key: str) -> str:
    if len(key) < SHORTEST_KEY:
        raise ImproperlyConfigured(f"WEBHOOK_KEY must have at least {SHORTEST_KEY} characters.")
    return key


def _networks(environment: Environment) -> list[Any]:
    """Networks that are not public and may be called all the same: the operator's word, not a tenant's."""
    try:
        return [ip_network(text) for text in environment.names("WEBHOOK_ALLOWED_NETWORKS")]
    except ValueError as error:
        raise ImproperlyConfigured(f"WEBHOOK_ALLOWED_NETWORKS: {error}.") from error
