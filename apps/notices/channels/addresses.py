"""Where a webhook may go. A name is resolved once, each of its addresses judged, and one of those connected to.

A URL comes from a tenant's admin, and our network is not his: without this he could make us call the cloud's
metadata service, the database, or a neighbour (server-side request forgery).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.errors import InvalidInput

URL_LIMIT = 2000
# Refused although some of them are globally routable: wrapped IPv4 that nobody would judge, and Azure's
# platform address, which every virtual machine there reaches.
REFUSED = tuple(
    ip_network(text)
    for text in (
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "100::/64",
        "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32",
    )
)  # fmt: skip


class ForbiddenAddress(Exception):
    """The name leads to an address that the platform does not call."""


def checked_url(text: str) -> str:
    """The URL as it is stored. Raises InvalidInput naming `url` for anything but a plain https address."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"This is no URL: {error}.", field="url") from error
    for wrong, why in (
        (len(text) > URL_LIMIT, f"A URL has at most {URL_LIMIT} characters."),
        (any(c.isspace() or ord(c) < 32 for c in text), "A URL has no spaces or control characters."),
        (parts.scheme != "https", "The URL must begin with https://."),
        (not host, "The URL names no host."),
        (bool(parts.username or parts.password), "The URL carries a user name or password."),
        (bool(parts.fragment), "The URL has a fragment (#…), which is never sent."),
        (port == 0, "0 is no port."),
    ):
        if wrong:
            raise InvalidInput(why, field="url")
    try:
        resolve(str(host), port or 443)
    except ForbiddenAddress as error:
        raise InvalidInput(str(error), field="url") from error
    except OSError:
        pass  # it need not answer yet: each delivery asks again
    return text


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, all of them allowed. Raises ForbiddenAddress, or OSError where there are none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host} is no host name") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_allowed(address):
            raise ForbiddenAddress(
                f"{host} leads to {address}, which is not a public address: webhooks are not sent there."
            )
    return addresses


def is_allowed(text: str) -> bool:
    """A public unicast address, or one in the networks that the platform's operator allows."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in settings.WEBHOOKS["allowed_networks"]):
        return True
    return _is_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if any(address in network for network in REFUSED):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
