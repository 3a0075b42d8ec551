"""Azure's data services and web applications, and the list of everything Azure in the sample."""

from __future__ import annotations

from typing import Any

from apps.connectors.sample.azure_machines import MACHINES
from apps.connectors.sample.azure_shape import DIRECTORY, Builder, arm_row, group_id
from apps.connectors.sample.dice import Dice, Owner, Row

ACCOUNTS = (
    "6f1c1f0a-1111-4d2a-9c11-0a0a0a0a0a01",
    "6f1c1f0a-2222-4d2a-9c22-0a0a0a0a0a02",
    "6f1c1f0a-3333-4d2a-9c33-0a0a0a0a0a03",
)
REGIONS = ("westeurope", "westeurope", "northeurope", "eastus2")


def storage_account(dice: Dice, owner: Owner) -> Row:
    """A storage account; some open to the world, to old TLS or to plain HTTP."""
    name = f"st{owner.application}{owner.environment}{dice.hex(6)}"
    own_key = not dice.fault(0.6)
    tier = dice.choice(("Standard_LRS", "Standard_ZRS", "Standard_GRS", "Premium_LRS"))
    properties: dict[str, Any] = {
        "minimumTlsVersion": dice.choice(("TLS1_0", "TLS1_2", "TLS1_2", "TLS1_2")),
        "supportsHttpsTrafficOnly": not dice.fault(0.15),
        "allowBlobPublicAccess": dice.fault(0.25),
        "allowSharedKeyAccess": dice.fault(0.5),
        "allowCrossTenantReplication": dice.fault(0.3),
        "publicNetworkAccess": "Enabled" if dice.fault(0.5) else "Disabled",
        "networkAcls": {
            "bypass": "AzureServices",
            "defaultAction": "Allow" if dice.fault(0.35) else "Deny",
            "ipRules": [],
            "virtualNetworkRules": [],
        },
        "encryption": {
            "keySource": "Microsoft.Keyvault" if own_key else "Microsoft.Storage",
            "requireInfrastructureEncryption": not dice.fault(0.4),
            "services": {"blob": {"enabled": True, "keyType": "Account"}, "file": {"enabled": True}},
        },
        "accessTier": "Hot",
        "creationTime": dice.moment(10, 1200),
    }
    envelope: dict[str, Any] = {"kind": "StorageV2", "sku": {"name": tier, "tier": tier.split("_")[0]}}
    return arm_row(dice, owner, "Microsoft.Storage/storageAccounts", name, properties, envelope=envelope)


def key_vault(dice: Dice, owner: Owner) -> Row:
    """A key vault; some can be purged, or are reached by anyone."""
    name = f"kv-{owner.stem}-{dice.hex(4)}"
    properties: dict[str, Any] = {
        "tenantId": DIRECTORY,
        "sku": {"family": "A", "name": "standard"},
        "enableSoftDelete": not dice.fault(0.1),
        "softDeleteRetentionInDays": dice.choice((7, 30, 90)),
        "enableRbacAuthorization": not dice.fault(0.3),
        "publicNetworkAccess": "Enabled" if dice.fault(0.4) else "Disabled",
        "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow" if dice.fault(0.3) else "Deny"},
        "accessPolicies": [],
        "vaultUri": f"https://{name}.vault.azure.net/",
    }
    if not dice.fault(0.3):  # the service leaves it out where it is off
        properties["enablePurgeProtection"] = True
    return arm_row(dice, owner, "Microsoft.KeyVault/vaults", name, properties)


def sql_server(dice: Dice, owner: Owner) -> Row:
    """A SQL server; some public, some with old TLS, some without a directory administrator."""
    name = f"sql-{owner.stem}-{owner.number:03}"
    properties: dict[str, Any] = {
        "administratorLogin": "sqladmin",
        "version": "12.0",
        "state": "Ready",
        "fullyQualifiedDomainName": f"{name}.database.windows.net",
        "minimalTlsVersion": dice.choice(("1.0", "1.2", "1.2")),
        "publicNetworkAccess": "Enabled" if dice.fault(0.35) else "Disabled",
        "restrictOutboundNetworkAccess": "Disabled",
    }
    if not dice.fault(0.35):
        properties["administrators"] = {
            "administratorType": "ActiveDirectory",
            "login": "dba-team",
            "sid": dice.guid(),
            "azureADOnlyAuthentication": not dice.fault(0.4),
        }
    return arm_row(dice, owner, "Microsoft.Sql/servers", name, properties, envelope={"kind": "v12.0"})


def sql_database(dice: Dice, owner: Owner) -> Row:
    """A SQL database; some not zone redundant, some with local backups only."""
    parent = f"{group_id(owner)}/providers/Microsoft.Sql/servers/sql-{owner.stem}-{owner.number:03}"
    properties = {
        "status": "Paused" if dice.fault(0.1) else "Online",
        "maxSizeBytes": 34359738368,
        "zoneRedundant": not dice.fault(0.4),
        "requestedBackupStorageRedundancy": dice.choice(("Local", "Zone", "Geo")),
        "isLedgerOn": False,
        "creationDate": dice.moment(5, 900),
    }
    sku = {"name": "GP_Gen5", "tier": "GeneralPurpose", "capacity": dice.choice((2, 4, 8))}
    type_ = "Microsoft.Sql/servers/databases"
    return arm_row(dice, owner, type_, owner.application, properties, parent=parent, envelope={"sku": sku})


def postgres(dice: Dice, owner: Owner) -> Row:
    """A flexible PostgreSQL server; some public, some hardly backed up."""
    name = f"psql-{owner.stem}-{owner.number:03}"
    properties = {
        "version": dice.choice(("13", "15", "16")),
        "state": "Ready",
        "storage": {"storageSizeGB": 128, "autoGrow": "Enabled"},
        "authConfig": {
            "activeDirectoryAuth": "Enabled",
            "passwordAuth": "Enabled" if dice.fault(0.5) else "Disabled",
        },
        "backup": {
            "backupRetentionDays": dice.choice((7, 14, 35)),
            "geoRedundantBackup": "Disabled" if dice.fault(0.5) else "Enabled",
        },
        "network": {"publicNetworkAccess": "Enabled" if dice.fault(0.35) else "Disabled"},
        "highAvailability": {"mode": "Disabled" if dice.fault(0.5) else "ZoneRedundant"},
    }
    sku = {"name": "Standard_D4s_v3", "tier": "GeneralPurpose"}
    return arm_row(
        dice, owner, "Microsoft.DBforPostgreSQL/flexibleServers", name, properties, envelope={"sku": sku}
    )


def web_app(dice: Dice, owner: Owner) -> Row:
    """A web application; some without HTTPS only, some without an identity."""
    name = f"app-{owner.stem}-{owner.number:03}"
    plan = f"{group_id(owner)}/providers/Microsoft.Web/serverfarms/plan-{owner.stem}"
    properties: dict[str, Any] = {
        "state": "Stopped" if dice.fault(0.15) else "Running",
        "enabled": True,
        "defaultHostName": f"{name}.azurewebsites.net",
        "serverFarmId": plan,
        "httpsOnly": not dice.fault(0.25),
        "clientCertEnabled": not dice.fault(0.6),
        "publicNetworkAccess": "Enabled" if dice.fault(0.5) else "Disabled",
        "siteConfig": {
            "minTlsVersion": dice.choice(("1.0", "1.2", "1.2", "1.3")),
            "ftpsState": dice.choice(("AllAllowed", "FtpsOnly", "Disabled")),
            "remoteDebuggingEnabled": dice.fault(0.15),
            "http20Enabled": not dice.fault(0.4),
        },
    }
    if not dice.fault(0.5):
        properties["virtualNetworkSubnetId"] = f"{group_id(owner)}/subnets/web"
    envelope: dict[str, Any] = {"kind": "app,linux"}
    if not dice.fault(0.3):
        envelope["identity"] = {"type": "SystemAssigned", "principalId": dice.guid()}
    return arm_row(dice, owner, "Microsoft.Web/sites", name, properties, envelope=envelope)


def app_plan(dice: Dice, owner: Owner) -> Row:
    """An App Service plan; some carry no application and are paid for all the same."""
    name = f"plan-{owner.stem}-{owner.number:03}"
    size, tier = dice.choice((("B1", "Basic"), ("S1", "Standard"), ("P1v3", "PremiumV3")))
    sites = 0 if dice.fault(0.25) else dice.randint(1, 6)
    properties = {
        "numberOfSites": sites,
        "status": "Ready",
        "zoneRedundant": not dice.fault(0.5),
        "reserved": True,
    }
    sku = {"name": size, "tier": tier, "capacity": dice.choice((1, 1, 2, 3))}
    return arm_row(
        dice, owner, "Microsoft.Web/serverFarms", name, properties, envelope={"kind": "linux", "sku": sku}
    )


def redis(dice: Dice, owner: Owner) -> Row:
    """A cache; some with a plain port or old TLS."""
    name = f"redis-{owner.stem}-{owner.number:03}"
    properties: dict[str, Any] = {
        "redisVersion": "6.0",
        "enableNonSslPort": dice.fault(0.2),
        "publicNetworkAccess": "Enabled" if dice.fault(0.4) else "Disabled",
        "sku": {"name": "Premium", "family": "P", "capacity": 1},
    }
    if not dice.fault(0.3):
        properties["minimumTlsVersion"] = dice.choice(("1.0", "1.2", "1.2"))
    return arm_row(dice, owner, "Microsoft.Cache/Redis", name, properties)


def cosmos(dice: Dice, owner: Owner) -> Row:
    """A document database; some reachable from anywhere or by key."""
    name = f"cosmos-{owner.stem}-{owner.number:03}"
    properties: dict[str, Any] = {
        "databaseAccountOfferType": "Standard",
        "publicNetworkAccess": "Enabled" if dice.fault(0.4) else "Disabled",
        "isVirtualNetworkFilterEnabled": not dice.fault(0.4),
        "disableLocalAuth": not dice.fault(0.5),
        "disableKeyBasedMetadataWriteAccess": not dice.fault(0.5),
        "enableAutomaticFailover": not dice.fault(0.4),
        "ipRules": [],
        "backupPolicy": {"type": "Periodic" if dice.fault(0.5) else "Continuous"},
    }
    return arm_row(
        dice,
        owner,
        "Microsoft.DocumentDB/databaseAccounts",
        name,
        properties,
        envelope={"kind": "GlobalDocumentDB"},
    )


def registry(dice: Dice, owner: Owner) -> Row:
    """A container registry; some with the administrator's password on, or open to anonymous pulls."""
    name = f"cr{owner.application}{owner.environment}{dice.hex(4)}"
    properties = {
        "loginServer": f"{name}.azurecr.io",
        "adminUserEnabled": dice.fault(0.3),
        "anonymousPullEnabled": dice.fault(0.15),
        "publicNetworkAccess": "Enabled" if dice.fault(0.4) else "Disabled",
        "zoneRedundancy": "Disabled" if dice.fault(0.5) else "Enabled",
    }
    tier = dice.choice(("Basic", "Standard", "Premium"))
    type_ = "Microsoft.ContainerRegistry/registries"
    return arm_row(dice, owner, type_, name, properties, envelope={"sku": {"name": tier, "tier": tier}})


BUILDERS: tuple[Builder, ...] = (
    *MACHINES, storage_account, key_vault, sql_server, web_app, storage_account, sql_database, app_plan,
    postgres, redis, cosmos, registry,
)  # fmt: skip
