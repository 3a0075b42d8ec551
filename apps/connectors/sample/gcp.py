"""Google Cloud's managed services: storage, databases, clusters, keys, functions."""

from __future__ import annotations

from typing import Any

from apps.connectors.sample.dice import Dice, Owner, Row
from apps.connectors.sample.gcp_compute import COMPUTE
from apps.connectors.sample.gcp_shape import Builder, labels, row

ACCOUNTS = ("acme-prod-4711", "acme-test-4712", "acme-data-4713")
REGIONS = ("europe-west1", "europe-west1", "europe-west4", "us-central1")


def bucket(dice: Dice, owner: Owner) -> Row:
    """A bucket; some without uniform access or public access prevention, and some public by policy."""
    name = f"{owner.account}-{owner.stem}-{dice.hex(6)}"
    prevented = not dice.fault(0.35)
    document: dict[str, Any] = {
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "location": owner.region.upper(),
        "locationType": "region",
        "storageClass": "STANDARD",
        "timeCreated": dice.moment(10, 1200, ".000Z"),
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": not dice.fault(0.3)},
            "publicAccessPrevention": "enforced" if prevented else "inherited",
        },
        "versioning": {"enabled": not dice.fault(0.4)},
        "labels": labels(dice, owner),
    }
    if not dice.fault(0.4):
        document["logging"] = {"logBucket": f"{owner.account}-logs", "logObjectPrefix": name}
    if not dice.fault(0.5):
        document["encryption"] = {
            "defaultKmsKeyName": f"projects/{owner.account}/keyRings/main/cryptoKeys/buckets"
        }
    if not dice.fault(0.4):
        document["lifecycle"] = {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 365}}]}
    if not prevented and dice.fault(0.4):
        grant = {"role": "roles/storage.objectViewer", "members": ["allUsers"]}
        document["iamPolicy"] = {"bindings": [grant]}
    return row(owner, "gcp.bucket", f"buckets/{name}", owner.region, document)


def sql_instance(dice: Dice, owner: Owner) -> Row:
    """A Cloud SQL instance; some public, unencrypted on the wire or never backed up."""
    name = f"sql-{owner.stem}-{owner.number:03}"
    networks = [{"name": "world", "value": "0.0.0.0/0"}] if dice.fault(0.2) else []
    document = {
        "kind": "sql#instance",
        "name": name,
        "databaseVersion": dice.choice(("POSTGRES_16", "POSTGRES_12", "MYSQL_8_0", "MYSQL_5_7")),
        "region": owner.region,
        "state": "RUNNABLE",
        "backendType": "SECOND_GEN",
        "createTime": dice.moment(5, 900, ".000Z"),
        "settings": {
            "tier": "db-custom-2-7680",
            "activationPolicy": "NEVER" if dice.fault(0.12) else "ALWAYS",
            "availabilityType": "ZONAL" if dice.fault(0.5) else "REGIONAL",
            "deletionProtectionEnabled": not dice.fault(0.4),
            "ipConfiguration": {
                "ipv4Enabled": dice.fault(0.35),
                "requireSsl": not dice.fault(0.4),
                "sslMode": "ENCRYPTED_ONLY",
                "authorizedNetworks": networks,
            },
            "backupConfiguration": {
                "enabled": not dice.fault(0.25),
                "pointInTimeRecoveryEnabled": not dice.fault(0.4),
            },
            "userLabels": labels(dice, owner),
        },
    }
    return row(owner, "gcp.sql-instance", f"instances/{name}", owner.region, document)


def cluster(dice: Dice, owner: Owner) -> Row:
    """A Kubernetes cluster; some public, with legacy authorisation or without network policy."""
    name = f"gke-{owner.stem}-{owner.number:03}"
    document: dict[str, Any] = {
        "name": name,
        "location": owner.region,
        "status": "RUNNING",
        "currentMasterVersion": dice.choice(("1.31.5-gke.100", "1.32.2-gke.200")),
        "createTime": dice.moment(5, 900),
        "legacyAbac": {"enabled": True} if dice.fault(0.15) else {},
        "networkPolicy": {} if dice.fault(0.35) else {"enabled": True, "provider": "CALICO"},
        "masterAuthorizedNetworksConfig": {} if dice.fault(0.4) else {"enabled": True},
        "privateClusterConfig": {} if dice.fault(0.4) else {"enablePrivateNodes": True},
        "loggingService": "none" if dice.fault(0.15) else "logging.googleapis.com/kubernetes",
        "shieldedNodes": {} if dice.fault(0.3) else {"enabled": True},
        "databaseEncryption": {"state": "DECRYPTED" if dice.fault(0.5) else "ENCRYPTED"},
        "nodeConfig": {
            "serviceAccount": "default" if dice.fault(0.4) else f"gke@{owner.account}.iam.gserviceaccount.com"
        },
        "labels": labels(dice, owner),
    }
    if not dice.fault(0.4):
        document["workloadIdentityConfig"] = {"workloadPool": f"{owner.account}.svc.id.goog"}
    document["resourceLabels"] = document["labels"]
    return row(owner, "gcp.gke-cluster", f"locations/{owner.region}/clusters/{name}", owner.region, document)


def crypto_key(dice: Dice, owner: Owner) -> Row:
    """A key; some never rotate."""
    path = f"locations/{owner.region}/keyRings/main/cryptoKeys/{owner.stem}-{owner.number:03}"
    document: dict[str, Any] = {
        "name": f"projects/{owner.account}/{path}",
        "purpose": "ENCRYPT_DECRYPT",
        "createTime": dice.moment(10, 900, "Z"),
        "primary": {
            "state": "DESTROY_SCHEDULED" if dice.fault(0.12) else "ENABLED",
            "protectionLevel": "SOFTWARE" if dice.fault(0.6) else "HSM",
            "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION",
        },
        "destroyScheduledDuration": dice.choice(("86400s", "2592000s")),
        "labels": labels(dice, owner),
    }
    if not dice.fault(0.35):
        document["rotationPeriod"] = dice.choice(("7776000s", "31536000s"))
    return row(owner, "gcp.kms-cryptokey", path, owner.region, document)


def cloud_function(dice: Dice, owner: Owner) -> Row:
    """A function; some on an old runtime, some open to all traffic."""
    path = f"locations/{owner.region}/functions/{owner.stem}-{owner.number:03}"
    document: dict[str, Any] = {
        "name": f"projects/{owner.account}/{path}",
        "status": "ACTIVE",
        "runtime": dice.choice(("python37", "nodejs14", "python312", "python313")),
        "entryPoint": "handle",
        "availableMemoryMb": dice.choice((256, 2048, 8192)),
        "timeout": "60s",
        "ingressSettings": dice.choice(("ALLOW_ALL", "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB")),
        "serviceAccountEmail": (
            f"{owner.account}@appspot.gserviceaccount.com"
            if dice.fault(0.35)
            else f"{owner.application}@{owner.account}.iam.gserviceaccount.com"
        ),
        "httpsTrigger": {"securityLevel": "SECURE_OPTIONAL" if dice.fault(0.35) else "SECURE_ALWAYS"},
        "updateTime": dice.moment(1, 800, "Z"),
        "labels": labels(dice, owner),
    }
    return row(owner, "gcp.function", path, owner.region, document)


def service_account(dice: Dice, owner: Owner) -> Row:
    """A service account; some are switched off and forgotten, some say nothing of their purpose."""
    email = f"{owner.application}-{owner.number:03}@{owner.account}.iam.gserviceaccount.com"
    document: dict[str, Any] = {
        "name": f"projects/{owner.account}/serviceAccounts/{email}",
        "projectId": owner.account,
        "uniqueId": str(dice.getrandbits(60)),
        "email": email,
        "displayName": f"{owner.application} {owner.environment}",
    }
    if dice.fault(0.15):
        document["disabled"] = True
    if not dice.fault(0.4):
        document["description"] = f"Runs {owner.application} in {owner.environment}"
    return row(owner, "gcp.service-account", f"serviceAccounts/{email}", "global", document)


def dns_zone(dice: Dice, owner: Owner) -> Row:
    """A DNS zone; some are not signed, some don't log."""
    name = f"zone-{owner.stem}-{owner.number:03}"
    document = {
        "kind": "dns#managedZone",
        "name": name,
        "dnsName": f"{owner.application}.example.com.",
        "visibility": dice.choice(("public", "public", "private")),
        "creationTime": dice.moment(10, 900, "Z"),
        "dnssecConfig": {"state": "off" if dice.fault(0.4) else "on"},
        "cloudLoggingConfig": {"enableLogging": not dice.fault(0.4)},
        "labels": labels(dice, owner),
    }
    return row(owner, "gcp.dns-managed-zone", f"managedZones/{name}", "global", document)


def dataset(dice: Dice, owner: Owner) -> Row:
    """A BigQuery dataset; some readable by anyone signed in to Google."""
    name = f"{owner.application}_{owner.environment}_{owner.number:03}"
    access: list[dict[str, Any]] = [{"role": "OWNER", "specialGroup": "projectOwners"}]
    if dice.fault(0.2):
        access.append({"role": "READER", "specialGroup": "allAuthenticatedUsers"})
    document: dict[str, Any] = {
        "kind": "bigquery#dataset",
        "id": f"{owner.account}:{name}",
        "name": name,
        "datasetReference": {"datasetId": name, "projectId": owner.account},
        "location": owner.region,
        "access": access,
        "creationTime": "1700000000000",
        "labels": labels(dice, owner),
    }
    if not dice.fault(0.5):
        document["defaultEncryptionConfiguration"] = {
            "kmsKeyName": f"projects/{owner.account}/keyRings/main/cryptoKeys/bq"
        }
    if not dice.fault(0.5):
        document["defaultTableExpirationMs"] = "7776000000"
    return row(owner, "gcp.bq-dataset", f"datasets/{name}", owner.region, document)


BUILDERS: tuple[Builder, ...] = (
    *COMPUTE, bucket, sql_instance, cluster, crypto_key, cloud_function, service_account, dns_zone, dataset,
    bucket,
)  # fmt: skip
