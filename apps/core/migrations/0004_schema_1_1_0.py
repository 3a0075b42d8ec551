from django.db import migrations

from apps.core.db.operations import SetSchemaVersion


class Migration(migrations.Migration):
    """1.1.0: cloud accounts, the action pipeline, sealing, frameworks, archival.

    Each room's newest migration of this release stands in `dependencies`.
    """

    dependencies = [
        ("core", "0003_schema_version"),
        ("actions", "0003_guards"),
    ]
    operations = [SetSchemaVersion("1.1.0")]
