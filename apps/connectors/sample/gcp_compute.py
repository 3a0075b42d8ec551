"""Google's Compute Engine: machines, disks, networks, in the shape of its REST resources."""

from __future__ import annotations

from typing import Any

from apps.connectors.sample.dice import Dice, Owner, Row
from apps.connectors.sample.gcp_shape import Builder, labels, row

_MACHINES = ("e2-medium", "e2-standard-4", "n1-standard-4", "n2-standard-8")
_COMPUTE = "https://www.googleapis.com/compute/v1/"


def _compute(
    dice: Dice, owner: Owner, type_: str, collection: str, document: dict[str, Any], scope: str
) -> Row:
    """A resource of Compute Engine; `scope` is `zone`, `region` or `global`."""
    place = {"zone": f"{owner.region}-{dice.choice('bcd')}", "region": owner.region, "global": "global"}[
        scope
    ]
    inside = f"{scope}s/{place}" if scope != "global" else "global"
    path = f"{inside}/{collection}/{document['name']}"
    link = f"{_COMPUTE}projects/{owner.account}/"
    told = {} if scope == "global" else {scope: f"{link}{inside}"}
    full = {**document, **told, "selfLink": f"{link}{path}", "id": str(dice.getrandbits(62))}
    return row(owner, type_, path, place, full)


def instance(dice: Dice, owner: Owner) -> Row:
    """A machine; some public, stopped, with the default account or an open serial port."""
    default = dice.fault(0.25)
    account = "123456789012-compute@developer" if default else f"{owner.application}@{owner.account}.iam"
    scope = "cloud-platform" if default or dice.fault(0.2) else "logging.write"
    metadata = [{"key": "enable-oslogin", "value": "FALSE" if dice.fault(0.3) else "TRUE"}]
    if dice.fault(0.15):
        metadata.append({"key": "serial-port-enable", "value": "true"})
    interface: dict[str, Any] = {"name": "nic0", "networkIP": f"10.132.0.{dice.randint(2, 250)}"}
    if dice.fault(0.3):
        interface["accessConfigs"] = [
            {"type": "ONE_TO_ONE_NAT", "name": "External NAT", "natIP": dice.address()}
        ]
    secure = not dice.fault(0.3)
    document = {
        "kind": "compute#instance",
        "name": f"{owner.stem}-{owner.number:03}",
        "machineType": f"machineTypes/{dice.choice(_MACHINES)}",
        "status": "TERMINATED" if dice.fault(0.2) else "RUNNING",
        "creationTimestamp": dice.moment(3, 900),
        "canIpForward": dice.fault(0.12),
        "deletionProtection": not dice.fault(0.5),
        "networkInterfaces": [interface],
        "disks": [{"boot": True, "autoDelete": True, "deviceName": "boot", "diskSizeGb": "50"}],
        "metadata": {"items": metadata},
        "serviceAccounts": [
            {
                "email": f"{account}.gserviceaccount.com",
                "scopes": [f"https://www.googleapis.com/auth/{scope}"],
            }
        ],
        "shieldedInstanceConfig": {
            "enableSecureBoot": secure,
            "enableVtpm": True,
            "enableIntegrityMonitoring": secure,
        },
        "scheduling": {"preemptible": False, "automaticRestart": True, "onHostMaintenance": "MIGRATE"},
        "labels": labels(dice, owner),
    }
    return _compute(dice, owner, "gcp.instance", "instances", document, "zone")


def disk(dice: Dice, owner: Owner) -> Row:
    """A disk; some are used by nothing."""
    document: dict[str, Any] = {
        "kind": "compute#disk",
        "name": f"disk-{owner.stem}-{owner.number:03}",
        "sizeGb": dice.choice(("10", "50", "200", "1000")),
        "status": "READY",
        "type": f"diskTypes/{dice.choice(('pd-standard', 'pd-balanced', 'pd-ssd'))}",
        "creationTimestamp": dice.moment(3, 900),
        "physicalBlockSizeBytes": "4096",
        "labels": labels(dice, owner),
    }
    if not dice.fault(0.25):
        document["users"] = [f"{_COMPUTE}projects/{owner.account}/instances/{owner.stem}"]
    if not dice.fault(0.5):
        key = f"projects/{owner.account}/locations/{owner.region}/keyRings/main/cryptoKeys/disks"
        document["diskEncryptionKey"] = {"kmsKeyName": key}
    return _compute(dice, owner, "gcp.disk", "disks", document, "zone")


def snapshot(dice: Dice, owner: Owner) -> Row:
    """A disk snapshot; many are old."""
    document = {
        "kind": "compute#snapshot",
        "name": f"snap-{owner.stem}-{owner.number:03}",
        "status": "READY",
        "diskSizeGb": dice.choice(("10", "50", "200")),
        "storageBytes": str(dice.randint(0, 10**10)),
        "creationTimestamp": dice.moment(1, 700),
        "storageLocations": [owner.region],
        "labels": labels(dice, owner),
    }
    return _compute(dice, owner, "gcp.snapshot", "snapshots", document, "global")


def firewall(dice: Dice, owner: Owner) -> Row:
    """A firewall rule; some let the world in, some log nothing."""
    world = dice.fault(0.4)
    allowed: dict[str, Any] = {"IPProtocol": "tcp", "ports": [dice.choice(("22", "3389", "443", "5432"))]}
    if dice.fault(0.1):
        allowed = {"IPProtocol": "all"}
    document = {
        "kind": "compute#firewall",
        "name": f"allow-{owner.stem}-{owner.number:03}",
        "network": f"{_COMPUTE}projects/{owner.account}/global/networks/main",
        "direction": "INGRESS",
        "priority": 1000,
        "disabled": dice.fault(0.1),
        "sourceRanges": ["0.0.0.0/0"] if world else [f"10.{dice.randint(0, 200)}.0.0/16"],
        "allowed": [allowed],
        "logConfig": {"enable": not dice.fault(0.5)},
        "creationTimestamp": dice.moment(10, 900),
    }
    return _compute(dice, owner, "gcp.firewall", "firewalls", document, "global")


def subnet(dice: Dice, owner: Owner) -> Row:
    """A subnetwork; some without flow logs or private access to Google's services."""
    document = {
        "kind": "compute#subnetwork",
        "name": f"subnet-{owner.stem}-{owner.number:03}",
        "ipCidrRange": f"10.{dice.randint(0, 250)}.0.0/20",
        "purpose": "PRIVATE",
        "enableFlowLogs": not dice.fault(0.4),
        "privateIpGoogleAccess": not dice.fault(0.35),
        "creationTimestamp": dice.moment(10, 900),
    }
    return _compute(dice, owner, "gcp.subnet", "subnetworks", document, "region")


def address(dice: Dice, owner: Owner) -> Row:
    """A reserved address; some are used by nothing."""
    document = {
        "kind": "compute#address",
        "name": f"ip-{owner.stem}-{owner.number:03}",
        "address": dice.address(),
        "addressType": "EXTERNAL",
        "networkTier": "PREMIUM",
        "status": "RESERVED" if dice.fault(0.35) else "IN_USE",
        "creationTimestamp": dice.moment(2, 600),
        "labels": labels(dice, owner),
    }
    return _compute(dice, owner, "gcp.loadbalancer-address", "addresses", document, "region")


COMPUTE: tuple[Builder, ...] = (instance, disk, firewall, instance, subnet, snapshot, address)
