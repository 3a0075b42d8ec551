from django.db import migrations

from apps.core.db.operations import SetSchemaVersion


class Migration(migrations.Migration):
    """1.3.0: costs and recommendations of a resource by an index, recommendations by what they save, how AWS is listed.

    Each room's newest migration of this release stands in `dependencies`.
    """

    dependencies = [
        ("core", "0005_schema_1_2_0"),
        ("costs", "0005_known_resource_index"),
        ("findings", "0013_recommendation_orders"),
        ("tenancy", "0007_listing"),
    ]
    operations = [SetSchemaVersion("1.3.0")]
