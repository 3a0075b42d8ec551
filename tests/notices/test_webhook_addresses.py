"""Where a webhook can't go, whatever a tenant's admin types and whatever a name server says."""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import Any

import pytest

from apps.core.errors import InvalidInput
from apps.notices.channels import webhook
from apps.notices.channels.addresses import ForbiddenAddress, checked_url, is_allowed, resolve
from apps.notices.models import Delivery
from apps.notices.services import notify
from apps.notices.services.delivering import deliver
from apps.notices.services.endpoints import create_endpoint
from apps.tenancy.models import Tenant

from .receivers import HookReceiver

FORBIDDEN = (
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",  # noqa: S104
    "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:53aa:64c::1",
    "fec0::1",
)  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_allowed(address)


def test_the_operator_may_allow_a_private_network(settings: Any) -> None:
    settings.WEBHOOKS = {**settings.WEBHOOKS, "allowed_networks": [ipaddress.ip_network("10.1.0.0/16")]}
    assert is_allowed("10.1.2.3")
    assert is_allowed("::ffff:10.1.2.3")
    assert not is_allowed("10.2.0.1")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.org/", "https://"),
        ("ftp://example.org/", "https://"),
        ("https:///path", "no host"),
        ("https://user:pw@example.org/", "user name"),
        ("https://example.org/#x", "fragment"),
        ("https://example.org:99999/", "no URL"),
        ("https://exa mple.org/", "spaces"),
        ("https://example.org/" + "x" * 2000, "at most"),
        ("https://127.0.0.1/", "not a public address"),
        ("https://[::1]/", "not a public address"),
        ("https://2130706433/", "not a public address"),
        ("https://0x7f.1/", "not a public address"),
        ("https://localhost/", "not a public address"),
        ("https://169.254.169.254/latest/meta-data/", "not a public address"),
    ],
)
def test_a_url_that_must_not_be_is_refused_by_field(url: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as refused:
        checked_url(url)
    assert refused.value.field == "url"


def answering(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A name server that gives these answers in turn, the last one for ever; returns what was asked."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> Any:
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr("apps.notices.channels.addresses.socket.getaddrinfo", getaddrinfo)
    return asked


def test_a_name_with_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(ForbiddenAddress, match=r"10\.0\.0\.1"):
        resolve("hooks.example.org", 443)


@pytest.mark.django_db
def test_a_name_that_turns_private_after_it_was_saved_is_not_called(
    in_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ["8.8.8.8"], ["169.254.169.254"])
    create_endpoint(name="turns", url="https://hooks.example.org/")
    notify(code="jobs.failed", title="t", text="x", path="/")
    delivery = Delivery.objects.get()
    assert deliver(delivery.pk) is False
    delivery.refresh_from_db()
    assert (delivery.status, delivery.log.get().code) == ("failed", "forbidden")
    assert "169.254.169.254" in delivery.error


@pytest.mark.django_db
def test_the_name_is_asked_once_and_the_judged_address_is_called_under_the_name(
    in_tenant: Tenant, hooks: HookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    connected: list[Any] = []
    create_connection = socket.create_connection

    def connect(address: Any, *args: Any, **kwargs: Any) -> Any:
        connected.append(address)
        monkeypatch.setattr(socket, "getaddrinfo", real)
        return create_connection(address, *args, **kwargs)

    made = create_endpoint(name="pinned", url=hooks.url("/", host="localhost"))
    url = hooks.url("/pinned", host="hooks.example.org")
    type(made.endpoint).objects.filter(pk=made.endpoint.pk).update(url=url)
    notify(code="jobs.failed", title="t", text="x", path="/")
    asked = answering(monkeypatch, ["127.0.0.1"], ["8.8.8.8"])
    monkeypatch.setattr("apps.notices.channels.webhook.socket.create_connection", connect)
    assert deliver(Delivery.objects.get().pk) is True
    assert asked == ["hooks.example.org"]
    assert connected == [("127.0.0.1", hooks.port)]
    (hook,) = hooks.got
    assert (hook.server_name, hook.headers["host"]) == (
        "hooks.example.org", f"hooks.example.org:{hooks.port}",
    )  # fmt: skip


@pytest.mark.django_db
def test_a_certificate_of_another_name_is_refused(
    in_tenant: Tenant, hooks: HookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_endpoint(name="local", url=hooks.url("/", host="127.0.0.1"))
    notify(code="jobs.failed", title="t", text="x", path="/")
    delivery = Delivery.objects.get()
    assert deliver(delivery.pk) is False
    assert hooks.got == []
    assert delivery.log.get().code == "certificate"


@pytest.mark.django_db
def test_a_redirect_is_not_followed(in_tenant: Tenant, hooks: HookReceiver) -> None:
    create_endpoint(name="moves", url=hooks.url("/"))
    hooks.answers, hooks.headers = [302], {"Location": hooks.url("/elsewhere")}
    notify(code="jobs.failed", title="t", text="x", path="/")
    delivery = Delivery.objects.get()
    assert deliver(delivery.pk) is False
    assert [hook.path for hook in hooks.got] == ["/"]
    assert "redirect" in delivery.log.get().error


@pytest.mark.django_db
def test_an_answer_that_never_ends_and_one_that_drips_are_cut(
    in_tenant: Tenant, hooks: HookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "WHOLE_SECONDS", 1.0)
    create_endpoint(name="slow", url=hooks.url("/"))

    def drip(handler: Any) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 200:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def flood(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000)

    hooks.answer_with = drip
    notify(code="jobs.failed", title="t", text="x", path="/")
    delivery = Delivery.objects.get()
    began = time.monotonic()
    assert deliver(delivery.pk) is False
    assert time.monotonic() - began < 4
    assert delivery.log.get().code == "timeout"
    hooks.answer_with = flood
    Delivery.objects.update(not_before="2026-01-01T00:00:00Z")
    assert deliver(delivery.pk) is True


def test_a_proxy_of_the_environment_is_not_used(hooks: HookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert webhook.post(hooks.url("/"), b"{}", {}) == 200
