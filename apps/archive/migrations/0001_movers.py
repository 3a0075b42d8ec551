from django.db import migrations

# A quarter's partition of a history table, made where it is missing. It is made beside the table and attached, which
# blocks no reader; there is no default partition, for attaching would lock that one, and a row without a partition is
# then an error and not a row in a corner. Nobody is granted anything on a partition: only the way through the parent
# is open. Its policies are the parent's, so that whoever grants something on it by hand still has tenants apart.
# SECURITY DEFINER: the mover is the app role, which owns nothing.
PARTITION = """
CREATE FUNCTION archive_protect(child text, parent text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    policy record;
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', child);
    FOR policy IN
        SELECT p.polname AS name, pg_get_expr(p.polqual, p.polrelid) AS condition,
               (SELECT string_agg(quote_ident(r.rolname), ', ') FROM pg_roles r WHERE r.oid = ANY (p.polroles)) AS roles
        FROM pg_policy p WHERE p.polrelid = to_regclass(parent) AND NOT EXISTS (
            SELECT 1 FROM pg_policy c WHERE c.polrelid = to_regclass(child) AND c.polname = p.polname
              AND c.polroles = p.polroles
              AND pg_get_expr(c.polqual, c.polrelid) = pg_get_expr(p.polqual, p.polrelid))
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS %I ON %I', policy.name, child);
        EXECUTE format('CREATE POLICY %I ON %I TO %s USING (%s)', policy.name, child,
                       coalesce(policy.roles, 'PUBLIC'), policy.condition);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION archive_protect(text, text) FROM PUBLIC;

CREATE FUNCTION archive_partition(parent text, moment timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET TimeZone = 'UTC' AS $$
DECLARE
    first timestamptz := date_trunc('quarter', moment);
    beyond timestamptz := date_trunc('quarter', moment) + interval '3 months';
    child text := format('%s_%sq%s', parent, extract(year FROM first), extract(quarter FROM first));
BEGIN
    IF parent NOT IN ('violations_history', 'action_events_history') THEN
        RAISE EXCEPTION '% has no partitions by quarter', parent USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF first < timestamptz '2000-01-01' OR first > now() + interval '2 years' THEN
        RAISE EXCEPTION '% is no time that % may hold', moment, parent USING ERRCODE = 'datetime_field_overflow';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(child) AND inhparent = to_regclass(parent))
    THEN
        PERFORM pg_advisory_xact_lock(hashtext('archive_partition'), hashtext(child));
        IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(child) AND inhparent = to_regclass(parent))
        THEN
            RETURN child;
        END IF;
        IF to_regclass(child) IS NOT NULL THEN
            RAISE EXCEPTION 'the partition % of % is detached', child, parent
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', child, parent);
        PERFORM archive_protect(child, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, first, beyond);
    END IF;
    RETURN child;
END $$;
REVOKE EXECUTE ON FUNCTION archive_partition(text, timestamptz) FROM PUBLIC;
"""

# How long a tenant keeps what is closed in the hot tables: 30 to 90 days (specification 3.7), as its settings say.
WINDOW = """
CREATE FUNCTION archive_cut(asked uuid) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT now() - make_interval(days => least(90, greatest(30, coalesce((
        SELECT CASE WHEN jsonb_typeof(settings -> 'retention' -> 'hot_days') = 'number'
                    THEN trunc((settings -> 'retention' ->> 'hot_days')::numeric)::integer END
        FROM tenants WHERE id = asked), 90))));
END;
"""

# One batch of the context's tenant into the history: one quarter, one segment, one transaction, so that whatever is
# killed has moved all of a batch or nothing of it. It returns no row where nothing is due.
# SECURITY DEFINER: the app role can't write the history nor delete violations; all that these do with the right is
# to move what is closed and older than the tenant's window, of the context's tenant.
MOVERS = """
CREATE FUNCTION archive_violations(at_most integer)
RETURNS TABLE (segment uuid, quarter date, moved bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET TimeZone = 'UTC' AS $$
DECLARE
    mine uuid := nullif(current_setting('rls.tenant_id', true), '')::uuid;
    cut timestamptz := archive_cut(mine);
    first timestamptz;
    batch uuid := new_uuid7();
    n bigint;
BEGIN
    SELECT coalesce(v.fixed_at, v.last_seen) INTO first FROM violations v
    WHERE v.tenant_id = mine AND v.status = 'fixed' AND coalesce(v.fixed_at, v.last_seen) < cut
    ORDER BY coalesce(v.fixed_at, v.last_seen) LIMIT 1;
    IF first IS NULL THEN
        RETURN;
    END IF;
    PERFORM archive_partition('violations_history', first);
    WITH due AS MATERIALIZED (
        SELECT v.id FROM violations v
        WHERE v.tenant_id = mine AND v.status = 'fixed' AND coalesce(v.fixed_at, v.last_seen) >= first
          AND coalesce(v.fixed_at, v.last_seen)
              < least(cut, date_trunc('quarter', first) + interval '3 months')
        ORDER BY coalesce(v.fixed_at, v.last_seen) LIMIT least(at_most, 20000) FOR UPDATE SKIP LOCKED
    ),
    gone AS (DELETE FROM violations v USING due WHERE v.id = due.id RETURNING v.*)
    INSERT INTO violations_history (tenant_id, id, policy_id, resource_id, severity, severity_rank, reason, first_seen,
                                    last_seen, fixed_at, policy_version, source, closed_at, segment_id)
    SELECT g.tenant_id, g.id, g.policy_id, g.resource_id, g.severity, g.severity_rank, g.reason, g.first_seen,
           g.last_seen, g.fixed_at, g.policy_version, g.source, coalesce(g.fixed_at, g.last_seen), batch
    FROM gone g;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT batch, date_trunc('quarter', first)::date, n WHERE n > 0;
END $$;
REVOKE EXECUTE ON FUNCTION archive_violations(integer) FROM PUBLIC;

CREATE FUNCTION archive_action_events(at_most integer)
RETURNS TABLE (segment uuid, quarter date, moved bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET TimeZone = 'UTC' AS $$
DECLARE
    mine uuid := nullif(current_setting('rls.tenant_id', true), '')::uuid;
    cut timestamptz := archive_cut(mine);
    first timestamptz;
    batch uuid := new_uuid7();
    n bigint;
BEGIN
    SELECT e.ts INTO first FROM action_events e JOIN actions a ON a.id = e.action_id AND a.tenant_id = mine
    WHERE e.tenant_id = mine AND e.ts < cut AND a.updated_at < cut
      AND a.status IN ('completed', 'failed', 'rolled_back')
    ORDER BY e.ts, e.id LIMIT 1;
    IF first IS NULL THEN
        RETURN;
    END IF;
    PERFORM archive_partition('action_events_history', first);
    WITH due AS MATERIALIZED (
        SELECT e.id FROM action_events e JOIN actions a ON a.id = e.action_id AND a.tenant_id = mine
        WHERE e.tenant_id = mine AND e.ts >= first
          AND e.ts < least(cut, date_trunc('quarter', first) + interval '3 months')
          AND a.updated_at < cut AND a.status IN ('completed', 'failed', 'rolled_back')
        ORDER BY e.ts, e.id LIMIT least(at_most, 20000) FOR UPDATE OF e SKIP LOCKED
    ),
    gone AS (DELETE FROM action_events e USING due WHERE e.id = due.id RETURNING e.*)
    INSERT INTO action_events_history (tenant_id, id, action_id, ts, message, segment_id)
    SELECT g.tenant_id, g.id, g.action_id, g.ts, g.message, batch FROM gone g;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT batch, date_trunc('quarter', first)::date, n WHERE n > 0;
END $$;
REVOKE EXECUTE ON FUNCTION archive_action_events(integer) FROM PUBLIC;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [("findings", "0012_archive"), ("actions", "0004_archive"), ("catalog", "0008_discovery")]
    operations = [
        migrations.RunSQL(
            PARTITION,
            "DROP FUNCTION archive_partition(text, timestamptz); DROP FUNCTION archive_protect(text, text)",
        ),
        migrations.RunSQL(WINDOW, "DROP FUNCTION archive_cut(uuid)"),
        migrations.RunSQL(
            MOVERS, "DROP FUNCTION archive_violations(integer); DROP FUNCTION archive_action_events(integer)"
        ),
    ]
