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

# The policy engine asks whether a text can be read as a date, an address or JSON (PostgreSQL's own function from
# 16 on), and lowers letters by Unicode's simple mapping (the collation pg_c_utf8, from 17 on). Where the server
# has them already, nothing is made.
OLDER_SERVERS = """
DO $do$ BEGIN
    IF to_regprocedure('pg_catalog.pg_input_is_valid(text, text)') IS NULL THEN
        CREATE FUNCTION pg_input_is_valid(value text, type text) RETURNS boolean
        LANGUAGE plpgsql STABLE PARALLEL SAFE AS $fn$
        BEGIN
            EXECUTE format('SELECT %L::%s', value, type::regtype);
            RETURN true;
        EXCEPTION WHEN data_exception THEN
            RETURN false;
        END $fn$;
    END IF;
    IF to_regcollation('pg_catalog.pg_c_utf8') IS NULL THEN
        BEGIN
            CREATE COLLATION pg_c_utf8 (provider = libc, locale = 'C.UTF-8');
        EXCEPTION WHEN undefined_object OR invalid_parameter_value THEN
            CREATE COLLATION pg_c_utf8 (provider = icu, locale = 'und');
        END;
    END IF;
END $do$;
"""
NEWER = """
DROP FUNCTION IF EXISTS public.pg_input_is_valid(text, text);
DROP COLLATION IF EXISTS public.pg_c_utf8;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [
        migrations.RunSQL(UUID7, "DROP FUNCTION new_uuid7()"),
        migrations.RunSQL(WATERMARK, "DROP FUNCTION stamp_changed_xid()"),
        migrations.RunSQL(OLDER_SERVERS, NEWER),
    ]
