"""People with mail addresses, and endpoints of this test's own receivers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.notices.models import WebhookEndpoint
from apps.notices.services.endpoints import create_endpoint
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role

from .receivers import HookReceiver, MailReceiver, allow_loopback

Users = dict[Role, User]


@pytest.fixture
def people(in_tenant: Tenant, users: Users) -> Users:
    """The tenant's users, each with an address."""
    for role, user in users.items():
        user.email = f"{role}@example.org"
        user.save(update_fields=["email"])
    return users


@pytest.fixture
def mails(settings: Any) -> Iterator[MailReceiver]:
    """An SMTP server that keeps what it is sent; Django's mail goes there."""
    receiver = MailReceiver()
    receiver.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = receiver.address
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for localhost and hooks.example.org: cert.pem, key.pem."""
    from .receivers import write_certificate

    folder = tmp_path_factory.mktemp("certificates")
    write_certificate(folder)
    return folder


@pytest.fixture
def hooks(certificates: Path, settings: Any) -> Iterator[HookReceiver]:
    """An https server that keeps what it is sent, trusted, and on an address that the platform allows."""
    allow_loopback(settings, certificates / "cert.pem")
    receiver = HookReceiver(certificates)
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def endpoint(hooks: HookReceiver, in_tenant: Tenant) -> tuple[WebhookEndpoint, str]:
    """An endpoint at that server, and its secret."""
    made = create_endpoint(name="chat", url=hooks.url("/hook?room=1"))
    return made.endpoint, made.secret
