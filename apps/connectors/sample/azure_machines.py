"""Azure machines and their surroundings: disks, snapshots, networks, clusters."""

from __future__ import annotations

from typing import Any

from apps.connectors.sample.azure_shape import Builder, arm_row, group_id
from apps.connectors.sample.dice import Dice, Owner, Row

_SIZES = ("Standard_B2s", "Standard_D2s_v5", "Standard_D4s_v5", "Standard_E4s_v5", "Standard_D2_v2")
_OPEN_PORTS = ("22", "3389", "1433", "*")


def virtual_machine(dice: Dice, owner: Owner) -> Row:
    """A machine; some take passwords, some run on old sizes, some are stopped and still paid for."""
    name = f"vm-{owner.stem}-{owner.number:03}"
    disk = f"{group_id(owner)}/providers/Microsoft.Compute/disks/{name}-os"
    power = dice.choice(("running", "running", "running", "stopped", "deallocated"))
    profile = f"https://diag{dice.hex(6)}.blob.core.windows.net/"
    properties: dict[str, Any] = {
        "vmId": dice.guid(),
        "hardwareProfile": {"vmSize": dice.choice(_SIZES)},
        "storageProfile": {
            "imageReference": {
                "publisher": "Canonical",
                "offer": "ubuntu-24_04-lts",
                "sku": "server",
                "version": "latest",
            },
            "osDisk": {"osType": "Linux", "name": f"{name}-os", "caching": "ReadWrite", "diskSizeGB": 64},
            "dataDisks": [],
        },
        "osProfile": {
            "computerName": name,
            "adminUsername": "azureadmin",
            "linuxConfiguration": {
                "disablePasswordAuthentication": not dice.fault(0.25),
                "provisionVMAgent": True,
            },
        },
        "networkProfile": {
            "networkInterfaces": [
                {"id": f"{group_id(owner)}/providers/Microsoft.Network/networkInterfaces/{name}-nic"}
            ]
        },
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": not dice.fault(0.3), "storageUri": profile}},
        "timeCreated": dice.moment(5, 900),
        "extended": {"instanceView": {"powerState": {"code": f"PowerState/{power}"}}},
    }
    properties["storageProfile"]["osDisk"] |= (
        {"vhd": {"uri": f"{profile}vhds/{name}.vhd"}} if dice.fault(0.1) else {"managedDisk": {"id": disk}}
    )
    if not dice.fault(0.35):
        properties["securityProfile"] = {
            "encryptionAtHost": not dice.fault(0.3),
            "securityType": "TrustedLaunch",
            "uefiSettings": {"secureBootEnabled": not dice.fault(0.2), "vTpmEnabled": True},
        }
    identity = {"type": "SystemAssigned", "principalId": dice.guid()}
    envelope = {} if dice.fault(0.35) else {"identity": identity}
    return arm_row(dice, owner, "Microsoft.Compute/virtualMachines", name, properties, envelope=envelope)


def disk(dice: Dice, owner: Owner) -> Row:
    """A managed disk; some belong to no machine, some are open to the network."""
    name = f"disk-{owner.stem}-{owner.number:03}"
    machine = (
        f"{group_id(owner)}/providers/Microsoft.Compute/virtualMachines/vm-{owner.stem}-{owner.number:03}"
    )
    loose = dice.fault(0.25)
    own_key = not dice.fault(0.5)
    tier = dice.choice(("Premium_LRS", "Standard_LRS", "StandardSSD_LRS"))
    encryption = {"type": "EncryptionAtRestWithCustomerKey" if own_key else "EncryptionAtRestWithPlatformKey"}
    properties = {
        "diskSizeGB": dice.choice((32, 64, 128, 512, 1024)),
        "diskState": "Unattached" if loose else "Attached",
        "encryption": encryption,
        "networkAccessPolicy": "AllowAll" if dice.fault(0.4) else "DenyAll",
        "publicNetworkAccess": "Enabled" if dice.fault(0.4) else "Disabled",
        "creationData": {"createOption": "Empty"},
        "timeCreated": dice.moment(5, 900),
    }
    envelope: dict[str, Any] = {"sku": {"name": tier, "tier": tier.split("_")[0]}}
    if not loose:
        envelope["managedBy"] = machine
    return arm_row(dice, owner, "Microsoft.Compute/disks", name, properties, envelope=envelope)


def snapshot(dice: Dice, owner: Owner) -> Row:
    """A disk snapshot; many are full and old."""
    name = f"snap-{owner.stem}-{owner.number:03}"
    tier = "Premium_LRS" if dice.fault(0.3) else "Standard_LRS"
    properties = {
        "diskSizeGB": dice.choice((32, 64, 128)),
        "incremental": not dice.fault(0.5),
        "networkAccessPolicy": "AllowAll" if dice.fault(0.5) else "DenyAll",
        "timeCreated": dice.moment(1, 700),
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
    }
    return arm_row(
        dice, owner, "Microsoft.Compute/snapshots", name, properties, envelope={"sku": {"name": tier}}
    )


def security_group(dice: Dice, owner: Owner) -> Row:
    """A network security group; some let the internet reach a management port."""
    name = f"nsg-{owner.stem}-{owner.number:03}"
    rules = [_rule(100, "allow-https", "VirtualNetwork", "443")]
    if dice.fault(0.35):
        rules.append(
            _rule(200, "allow-admin", dice.choice(("*", "Internet", "0.0.0.0/0")), dice.choice(_OPEN_PORTS))
        )
    subnet = (
        f"{group_id(owner)}/providers/Microsoft.Network/virtualNetworks/vnet-{owner.stem}/subnets/default"
    )
    properties: dict[str, Any] = {"securityRules": rules, "defaultSecurityRules": []}
    if not dice.fault(0.25):
        properties["subnets"] = [{"id": subnet}]
    if not dice.fault(0.4):
        properties["flowLogs"] = [{"id": f"{group_id(owner)}/flowLogs/{name}"}]
    return arm_row(dice, owner, "Microsoft.Network/networkSecurityGroups", name, properties)


def _rule(priority: int, name: str, source: str, port: str) -> dict[str, Any]:
    return {
        "name": name,
        "properties": {
            "protocol": "Tcp",
            "sourcePortRange": "*",
            "destinationPortRange": port,
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": "*",
            "access": "Allow",
            "priority": priority,
            "direction": "Inbound",
            "provisioningState": "Succeeded",
        },
    }


def network_interface(dice: Dice, owner: Owner) -> Row:
    """A network interface; some have a public address or forward packets."""
    name = f"nic-{owner.stem}-{owner.number:03}"
    configuration: dict[str, Any] = {"privateIPAddress": f"10.1.0.{dice.randint(4, 250)}", "primary": True}
    if dice.fault(0.3):
        address = f"{group_id(owner)}/providers/Microsoft.Network/publicIPAddresses/pip-{owner.number:03}"
        configuration["publicIPAddress"] = {"id": address}
    properties: dict[str, Any] = {
        "ipConfigurations": [{"name": "ipconfig1", "properties": configuration}],
        "enableIPForwarding": dice.fault(0.15),
        "enableAcceleratedNetworking": True,
    }
    if not dice.fault(0.25):
        group = f"{group_id(owner)}/providers/Microsoft.Network/networkSecurityGroups/nsg-{owner.stem}"
        properties["networkSecurityGroup"] = {"id": group}
    return arm_row(dice, owner, "Microsoft.Network/networkInterfaces", name, properties)


def public_address(dice: Dice, owner: Owner) -> Row:
    """A public address; some are bound to nothing."""
    name = f"pip-{owner.stem}-{owner.number:03}"
    properties: dict[str, Any] = {
        "ipAddress": dice.address(),
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Static",
        "idleTimeoutInMinutes": 4,
    }
    if not dice.fault(0.35):
        nic = f"{group_id(owner)}/providers/Microsoft.Network/networkInterfaces/nic-{owner.number:03}"
        properties["ipConfiguration"] = {"id": f"{nic}/ipConfigurations/ipconfig1"}
    tier = "Basic" if dice.fault(0.3) else "Standard"
    return arm_row(
        dice, owner, "Microsoft.Network/publicIPAddresses", name, properties, envelope={"sku": {"name": tier}}
    )


def kubernetes(dice: Dice, owner: Owner) -> Row:
    """A managed cluster; some with local accounts, an open API server or without role-based access."""
    name = f"aks-{owner.stem}-{owner.number:03}"
    properties: dict[str, Any] = {
        "kubernetesVersion": dice.choice(("1.31.2", "1.32.1", "1.33.0")),
        "dnsPrefix": name,
        "enableRBAC": not dice.fault(0.2),
        "disableLocalAccounts": not dice.fault(0.4),
        "powerState": {"code": "Running"},
        "agentPoolProfiles": [{"name": "system", "count": 3, "vmSize": "Standard_D4s_v5", "mode": "System"}],
        "networkProfile": {"networkPlugin": "azure"}
        | ({} if dice.fault(0.35) else {"networkPolicy": "cilium"}),
        "apiServerAccessProfile": {"enablePrivateCluster": not dice.fault(0.4)},
        "addonProfiles": {"azurepolicy": {"enabled": not dice.fault(0.4)}},
    }
    if not dice.fault(0.5):
        properties["securityProfile"] = {"defender": {"securityMonitoring": {"enabled": True}}}
    tier = "Free" if dice.fault(0.3) else "Standard"
    envelope = {"sku": {"name": "Base", "tier": tier}, "identity": {"type": "SystemAssigned"}}
    return arm_row(
        dice, owner, "Microsoft.ContainerService/managedClusters", name, properties, envelope=envelope
    )


MACHINES: tuple[Builder, ...] = (
    virtual_machine, disk, security_group, virtual_machine, network_interface, public_address, snapshot,
    kubernetes,
)  # fmt: skip
