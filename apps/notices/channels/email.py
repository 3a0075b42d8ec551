"""Mail, by the backend that the environment names (EMAIL_URL). Plain text: what people typed stays text."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from apps.tenancy.models import User

from ..models import Delivery
from .links import preferences_url, url_of
from .outcome import Outcome

PERMANENT = 500


def send_mail(delivery: Delivery) -> Outcome:
    """One message to one person. Its Message-ID is the delivery's: a repeated attempt is the same message."""
    user: User | None = delivery.user
    if user is None or not user.is_active:
        return Outcome(False, "inactive", "This account is switched off.", retry=False)
    message = EmailMessage(
        subject=f"[Governance desk] {delivery.notice.title}",
        body=_body(delivery),
        to=[delivery.address],
        headers={"Message-ID": f"<{delivery.pk}@{_domain()}>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(fail_silently=False),
    )
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        return _refused(code, _text(words))
    except smtplib.SMTPResponseException as error:
        return _refused(error.smtp_code, _text(error.smtp_error))
    except (smtplib.SMTPException, OSError) as error:
        return Outcome(False, "unreachable", f"The mail server did not answer: {error}")
    return Outcome(True, "250")


def _refused(code: int, words: str) -> Outcome:
    return Outcome(False, str(code), f"The mail server refused: {words}", retry=code < PERMANENT)


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words


def _body(delivery: Delivery) -> str:
    notice = delivery.notice
    return (
        f"{notice.text.strip()}\n\n{url_of(notice)}\n\n-- \n"
        f"You get this because of your role or because you asked for it. Choose what you get mail about: "
        f"{preferences_url()}\n"
    )


def _domain() -> str:
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost"
