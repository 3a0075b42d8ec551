"""IBM Cloud: rows whose document is an item of Global Search, `doc` holding what the service says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.connectors.sample.dice import Dice, Owner, Row

Builder = Callable[[Dice, Owner], Row]

ACCOUNTS = ("0a1b2c3d4e5f60718293a4b5c6d7e8f9", "1b2c3d4e5f60718293a4b5c6d7e8f90a")
REGIONS = ("eu-de", "eu-de", "us-south")


def _row(
    dice: Dice,
    owner: Owner,
    service: str,
    kind: str,
    name: str,
    doc: dict[str, Any],
    place: str | None = None,
) -> Row:
    crn_kind = f":{kind}:{dice.guid()}" if kind else "::"
    crn = f"crn:v1:bluemix:public:{service}:{place or owner.region}:a/{owner.account}:{dice.guid()}{crn_kind}"
    tags = dice.tags(owner, ("environment", "owner", "cost-center", "application"))
    document = {
        "crn": crn,
        "name": name,
        "family": "is" if service == "is" else "resource_controller",
        "type": kind or "resource-instance",
        "region": owner.region,
        "account_id": owner.account,
        "service_name": service,
        "resource_group_id": f"rg-{owner.stem}",
        "creation_date": dice.moment(5, 900, "Z"),
        "tags": [f"{key}:{value}" for key, value in tags.items()],
        "doc": doc,
    }
    return {
        "id": crn,
        "provider": "ibm",
        "account": owner.account,
        "type": f"ibm.{service}" + (f"-{kind}" if kind else ""),
        "name": name,
        "location": place or owner.region,
        "tags": tags,
        "properties": document,
    }


def instance(dice: Dice, owner: Owner) -> Row:
    """A virtual server; some stopped, some answering metadata requests over plain HTTP."""
    zone = f"{owner.region}-{dice.randint(1, 3)}"
    doc: dict[str, Any] = {
        "status": "stopped" if dice.fault(0.25) else "running",
        "profile": {"name": dice.choice(("bx2-2x8", "bx2-4x16", "cx2-8x16"))},
        "zone": {"name": zone},
        "metadata_service": {"enabled": True, "protocol": "http" if dice.fault(0.35) else "https"},
        "enable_secure_boot": not dice.fault(0.5),
        "created_at": dice.moment(5, 900, "Z"),
    }
    return _row(dice, owner, "is", "instance", f"vsi-{owner.stem}-{owner.number:03}", doc, zone)


def volume(dice: Dice, owner: Owner) -> Row:
    """A block volume; some without a key of one's own, some attached to nothing."""
    zone = f"{owner.region}-{dice.randint(1, 3)}"
    doc = {
        "status": "available",
        "capacity": dice.choice((50, 100, 500)),
        "encryption": "provider_managed" if dice.fault(0.5) else "user_managed",
        "attachment_state": "unattached" if dice.fault(0.3) else "attached",
        "profile": {"name": "general-purpose"},
    }
    return _row(dice, owner, "is", "volume", f"vol-{owner.stem}-{owner.number:03}", doc, zone)


def security_group(dice: Dice, owner: Owner) -> Row:
    """A security group; some let the world in."""
    world = dice.fault(0.35)
    port = dice.choice((22, 3389, 443))
    remote = {"cidr_block": "0.0.0.0/0"} if world else {"cidr_block": "10.0.0.0/8"}
    rules = [
        {"direction": "inbound", "protocol": "tcp", "port_min": port, "port_max": port, "remote": remote}
    ]
    return _row(dice, owner, "is", "security-group", f"sg-{owner.stem}-{owner.number:03}", {"rules": rules})


def floating_address(dice: Dice, owner: Owner) -> Row:
    """A floating address; some are bound to nothing."""
    doc: dict[str, Any] = {"address": dice.address(), "status": "available"}
    if not dice.fault(0.35):
        doc["target"] = {"id": dice.guid(), "resource_type": "network_interface"}
    return _row(dice, owner, "is", "floating-ip", f"fip-{owner.stem}-{owner.number:03}", doc)


def bucket(dice: Dice, owner: Owner) -> Row:
    """An object storage bucket; some without a firewall, activity tracking or a key of one's own."""
    name = f"{owner.stem}-{dice.hex(6)}"
    doc: dict[str, Any] = {"name": name, "time_created": dice.moment(10, 900, "Z"), "hard_quota": 0}
    if not dice.fault(0.4):
        doc["firewall"] = {"allowed_ip": ["10.0.0.0/8"]}
    if not dice.fault(0.4):
        doc["activity_tracking"] = {"read_data_events": not dice.fault(0.3), "write_data_events": True}
    if not dice.fault(0.4):
        doc["metrics_monitoring"] = {"usage_metrics_enabled": True}
    if not dice.fault(0.5):
        doc["kms_key_crn"] = (
            f"crn:v1:bluemix:public:kms:{owner.region}:a/{owner.account}:{dice.guid()}:key:{dice.guid()}"
        )
    return _row(dice, owner, "cloud-object-storage", "bucket", name, doc)


def database(dice: Dice, owner: Owner) -> Row:
    """A PostgreSQL deployment; some with a public endpoint or without a key of one's own."""
    parameters: dict[str, Any] = {
        "service-endpoints": dice.choice(("public", "private", "private", "public-and-private")),
        "version": dice.choice(("13", "15", "16")),
    }
    if not dice.fault(0.5):
        parameters["disk_encryption_key_crn"] = (
            f"crn:v1:bluemix:public:kms:{owner.region}:a/{owner.account}:x:key:y"
        )
    doc = {"state": "active", "parameters": parameters, "locked": not dice.fault(0.4)}
    return _row(dice, owner, "databases-for-postgresql", "", f"pg-{owner.stem}-{owner.number:03}", doc)


def key_protect(dice: Dice, owner: Owner) -> Row:
    """A Key Protect instance; some reachable from public networks."""
    network = "public-and-private" if dice.fault(0.4) else "private-only"
    doc = {"state": "active", "parameters": {"allowed_network": network}, "locked": not dice.fault(0.4)}
    return _row(dice, owner, "kms", "", f"keys-{owner.stem}-{owner.number:03}", doc)


def cluster(dice: Dice, owner: Owner) -> Row:
    """A Kubernetes cluster; some with a public endpoint or without Key Protect."""
    doc = {
        "state": "normal",
        "masterKubeVersion": dice.choice(("1.30.8_1545", "1.31.5_1540")),
        "workerCount": dice.choice((0, 2, 3, 6)),
        "publicServiceEndpointEnabled": dice.fault(0.4),
        "privateServiceEndpointEnabled": True,
        "keyProtectEnabled": not dice.fault(0.4),
    }
    return _row(dice, owner, "containers-kubernetes", "cluster", f"iks-{owner.stem}-{owner.number:03}", doc)


BUILDERS: tuple[Builder, ...] = (
    instance, bucket, volume, security_group, instance, database, key_protect, floating_address, cluster,
)  # fmt: skip
