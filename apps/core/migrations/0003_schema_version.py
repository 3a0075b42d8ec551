from django.db import migrations

from apps.core.db.operations import SetSchemaVersion


class Migration(migrations.Migration):
    """1.0.0: the specification's schema and what this product lays beside it from the start."""

    dependencies = [
        ("core", "0002_functions"),
        ("tenancy", "0003_idempotency_keys"),
        ("audit", "0003_inserting_transaction"),
        ("jobs", "0002_due"),
        ("catalog", "0004_changes_of_any_type"),
        ("findings", "0003_scan_target"),
        ("costs", "0002_hypertable"),
        ("actions", "0001_initial"),
        ("reports", "0001_initial"),
    ]
    operations = [SetSchemaVersion("1.0.0")]
