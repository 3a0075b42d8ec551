from django.db import migrations

# UUIDv7 (RFC 9562 section 5.7) for rows that set-based statements insert; PostgreSQL has its own from 18 on.
UUID7 = """
CREATE FUNCTION new_uuid7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN encode(
    set_bit(
        set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6
            ),
            52, 1),
        53, 1),
    'hex')::uuid;
"""

# The change watermark: which transaction last changed a row. A row that did not change keeps its own.
WATERMARK = """
CREATE FUNCTION stamp_changed_xid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_xid := pg_current_xact_id();
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [
        migrations.RunSQL(UUID7, "DROP FUNCTION new_uuid7()"),
        migrations.RunSQL(WATERMARK, "DROP FUNCTION stamp_changed_xid()"),
    ]
