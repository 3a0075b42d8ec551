from django.db import migrations

STAMP = """
CREATE TRIGGER resources_stamp BEFORE UPDATE ON resources FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION stamp_changed_xid();
CREATE TRIGGER resource_properties_stamp BEFORE UPDATE ON resource_properties FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION stamp_changed_xid();
CREATE TRIGGER policies_stamp BEFORE UPDATE ON policies FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION stamp_changed_xid();
"""
UNSTAMP = """
DROP TRIGGER resources_stamp ON resources;
DROP TRIGGER resource_properties_stamp ON resource_properties;
DROP TRIGGER policies_stamp ON policies;
"""

# Most documents stay inline below 8 kB: decompressing at every -> is what a scan would spend its time on.
# A server built without lz4 keeps its default compression.
STORAGE = """
ALTER TABLE resource_properties ADD CONSTRAINT resource_properties_is_object
    CHECK (jsonb_typeof(properties) = 'object');
ALTER TABLE resources ADD CONSTRAINT resources_tags_is_object CHECK (jsonb_typeof(tags) = 'object');
ALTER TABLE resource_properties SET (toast_tuple_target = 8160);
DO $$ BEGIN
    ALTER TABLE resource_properties ALTER COLUMN properties SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
"""
UNSTORE = """
ALTER TABLE resources DROP CONSTRAINT resources_tags_is_object;
ALTER TABLE resource_properties DROP CONSTRAINT resource_properties_is_object;
ALTER TABLE resource_properties RESET (toast_tuple_target);
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial"), ("core", "0002_functions")]
    operations = [migrations.RunSQL(STAMP, UNSTAMP), migrations.RunSQL(STORAGE, UNSTORE)]
