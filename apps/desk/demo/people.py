"""Who is in the demo. One password for all, made once for this installation and kept under `var/`."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from apps.tenancy.roles import Role


@dataclass(frozen=True)
class DemoTenant:
    name: str
    slug: str
    domain: str
    seed: int
    resources: int


@dataclass(frozen=True)
class DemoUser:
    name: str
    display_name: str
    role: Role


TENANTS = (
    DemoTenant("Northwind Bank", "northwind", "northwind.example", seed=11, resources=420),
    DemoTenant("Fabrikam Energy", "fabrikam", "fabrikam.example", seed=23, resources=260),
)

USERS = (
    DemoUser("olga", "Olga Operator", Role.OPERATOR),
    DemoUser("anton", "Anton Approver", Role.APPROVER),
    DemoUser("ada", "Ada Admin", Role.ADMIN),
    DemoUser("vera", "Vera Viewer", Role.VIEWER),
    DemoUser("arthur", "Arthur Auditor", Role.VIEWER),
)


def upn(user: DemoUser, tenant: DemoTenant) -> str:
    return f"{user.name}@{tenant.domain}"


def demo_password(folder: Path) -> str:
    """The demo's password; made by whichever process asks first."""
    path = folder / "demo.json"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return str(json.loads(path.read_text())["password"])
    password = f"demo-{secrets.token_urlsafe(9)}"
    with os.fdopen(descriptor, "w") as file:
        json.dump({"password": password}, file)
    return password
