from django.db import migrations, models

# A scan reads the documents of one type: without the type beside them it passes over all of them. The inventory
# import gives it; whoever inserts without is given the resource's own, and a resource whose type is changed (nothing
# of ours does) takes its document along.
FOLLOW = """
CREATE FUNCTION resource_properties_take_type() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.type := coalesce((SELECT r.type FROM resources r WHERE r.id = NEW.resource_id), '');
    RETURN NEW;
END $$;
CREATE TRIGGER resource_properties_type BEFORE INSERT ON resource_properties FOR EACH ROW
    WHEN (NEW.type = '') EXECUTE FUNCTION resource_properties_take_type();
CREATE FUNCTION resources_give_type() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE resource_properties p SET type = NEW.type WHERE p.resource_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER resources_type AFTER UPDATE OF type ON resources FOR EACH ROW
    WHEN (OLD.type IS DISTINCT FROM NEW.type) EXECUTE FUNCTION resources_give_type();
"""
UNFOLLOW = """
DROP TRIGGER resources_type ON resources;
DROP FUNCTION resources_give_type();
DROP TRIGGER resource_properties_type ON resource_properties;
DROP FUNCTION resource_properties_take_type();
"""

# No document changes by it, so no scan need look at one again.
FILL = """
ALTER TABLE resource_properties DISABLE TRIGGER resource_properties_stamp;
UPDATE resource_properties p SET type = r.type FROM resources r WHERE r.id = p.resource_id AND p.type <> r.type;
ALTER TABLE resource_properties ENABLE TRIGGER resource_properties_stamp;
"""

# Made by Django for LIKE 'prefix%%' on a text key: nobody asks that of a generated id, and every import paid for it.
WITHOUT_USE = """
DROP INDEX IF EXISTS resources_id_08784ab3_like;
DROP INDEX IF EXISTS resource_properties_resource_id_6d007402_like;
"""
AS_BEFORE = """
CREATE INDEX resources_id_08784ab3_like ON resources (id text_pattern_ops);
CREATE INDEX resource_properties_resource_id_6d007402_like ON resource_properties (resource_id text_pattern_ops);
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_changes_of_any_type")]
    operations = [
        migrations.AddField("resourceproperties", "type", models.TextField(db_default="")),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL(FOLLOW, UNFOLLOW),
        migrations.AddIndex(
            "resourceproperties",
            models.Index(fields=["tenant", "type"], name="resource_properties_type"),
        ),
        migrations.RunSQL(WITHOUT_USE, AS_BEFORE),
    ]
