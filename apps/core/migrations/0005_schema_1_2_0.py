from django.db import migrations

from apps.core.db.operations import SetSchemaVersion


class Migration(migrations.Migration):
    """1.2.0: history and retention, purges with a certificate, reports on a part of the estate.

    Each room's newest migration of this release stands in `dependencies`.
    """

    dependencies = [
        ("core", "0004_schema_1_1_0"),
        ("findings", "0012_archive"),
        ("actions", "0004_archive"),
        ("archive", "0002_holds"),
        ("audit", "0006_purges"),
        ("reports", "0003_scope"),
        ("tenancy", "0006_purging"),
    ]
    operations = [SetSchemaVersion("1.2.0")]
