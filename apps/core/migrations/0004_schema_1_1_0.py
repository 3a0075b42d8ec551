from django.db import migrations

from apps.core.db.operations import SetSchemaVersion


class Migration(migrations.Migration):
    """1.1.0: cloud accounts, the action pipeline, sealing, frameworks, archival.

    Each room's newest migration of this release stands in `dependencies`.
    """

    dependencies = [
        ("core", "0003_schema_version"),
        ("findings", "0009_exceptions_of_sets"),
        ("catalog", "0008_discovery"),
        ("actions", "0003_guards"),
        ("audit", "0005_seal_state"),
        ("tenancy", "0005_cloud_account_held"),
        ("notices", "0001_initial"),
        ("costs", "0003_lines"),
        ("reports", "0002_framework"),
        ("costs", "0004_account_names"),
        ("findings", "0010_recommendation_evidence"),
        ("findings", "0011_exception_requester"),
    ]
    operations = [SetSchemaVersion("1.1.0")]
