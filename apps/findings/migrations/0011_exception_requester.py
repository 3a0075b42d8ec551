"""Nobody asks for an exception in another's name, by raw SQL either: four eyes compare the decider with who asked."""

from django.db import migrations

REQUESTER = """
CREATE FUNCTION exceptions_requester() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.created_by <> nullif(current_setting('rls.user_id', true), '')::uuid THEN
        RAISE EXCEPTION 'nobody asks for an exception in the name of another'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_requester';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER exceptions_requester AFTER INSERT ON exceptions
    FOR EACH ROW EXECUTE FUNCTION exceptions_requester();
"""
NO_REQUESTER = "DROP TRIGGER exceptions_requester ON exceptions; DROP FUNCTION exceptions_requester();"


class Migration(migrations.Migration):
    dependencies = [("findings", "0010_recommendation_evidence")]
    operations = [migrations.RunSQL(REQUESTER, NO_REQUESTER)]
