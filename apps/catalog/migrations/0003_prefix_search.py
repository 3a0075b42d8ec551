from django.db import migrations, models
from django.db.models.functions import Collate


class Migration(migrations.Migration):
    """`starts_with` is leakproof and answered from a btree in C collation: search that row-level security allows."""

    dependencies = [("catalog", "0002_watermark_and_storage")]
    operations = [
        migrations.AddIndex(
            "resource",
            models.Index("tenant", Collate(column, "C"), name=f"resources_by_{column}"),
        )
        for column in ("name", "native_id")
    ]
