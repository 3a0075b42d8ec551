from django.db import migrations

# Posture on any past day is told from events. So every change of what a day tells has its event: a new severity
# too, another term, and a term that the clock ended, which is written down when the row is next touched, at the
# term's own end. `posture_days` sums the same changes up by day.
#
# As an event sees it, a suppression whose term is over ("over") is open, and its `lapsed` event says since when.
INSERT = """
CREATE OR REPLACE FUNCTION violations_on_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO violation_events
        (tenant_id, violation_id, policy_id, resource_id, severity, kind, status, suppressed_until, exception_id)
    SELECT tenant_id, id, policy_id, resource_id, severity,
           CASE s.status WHEN 'open' THEN CASE s.part WHEN 1 THEN 'opened' ELSE 'lapsed' END
                         WHEN 'suppressed' THEN 'excepted' ELSE 'fixed' END,
           s.status, CASE s.status WHEN 'suppressed' THEN suppressed_until END,
           CASE s.status WHEN 'suppressed' THEN exception_id END
    FROM new_rows n CROSS JOIN LATERAL (
        SELECT 1 AS part, n.status
        UNION ALL SELECT 2, 'open' WHERE n.status = 'suppressed' AND n.suppressed_until <= now()
    ) s
    ORDER BY n.id, s.part;
    INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
    SELECT tenant_id, coalesce(policy_id, ''), severity, status, count(*) FROM new_rows
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n;
    INSERT INTO posture_days AS d (tenant_id, day, policy_id, severity, status, delta)
    SELECT tenant_id, (now() AT TIME ZONE 'UTC')::date, coalesce(policy_id, ''), severity,
           CASE WHEN status = 'suppressed' AND suppressed_until <= now() THEN 'open' ELSE status END, count(*)
    FROM new_rows GROUP BY 1, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, day, policy_id, severity, status) DO UPDATE SET delta = d.delta + excluded.delta;
    RETURN NULL;
END $$;
"""

UPDATE = """
CREATE OR REPLACE FUNCTION violations_on_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    WITH changed AS MATERIALIZED (
        SELECT n.tenant_id, n.id, n.resource_id, coalesce(o.policy_id, '') AS old_policy, n.policy_id,
               o.severity AS old_severity, n.severity, o.status AS old_status, n.status,
               o.suppressed_until AS old_until, n.suppressed_until AS until,
               o.exception_id AS old_exception, n.exception_id,
               coalesce(o.status = 'suppressed' AND o.suppressed_until <= now(), false) AS was_over,
               coalesce(n.status = 'suppressed' AND n.suppressed_until <= now(), false) AS is_over
        FROM new_rows n JOIN old_rows o USING (id)
        WHERE (o.status, o.severity, o.policy_id, o.suppressed_until, o.exception_id)
              IS DISTINCT FROM (n.status, n.severity, n.policy_id, n.suppressed_until, n.exception_id)
           OR (o.status = 'suppressed' AND o.suppressed_until <= now())
    ),
    seen AS MATERIALIZED (
        SELECT c.*, CASE WHEN c.was_over THEN 'open' ELSE c.old_status END AS was,
               CASE WHEN c.was_over AND c.is_over AND c.until = c.old_until THEN 'open' ELSE c.status END AS becomes,
               c.was_over AND NOT EXISTS (
                   SELECT 1 FROM violation_events e
                   WHERE e.tenant_id = c.tenant_id AND e.violation_id = c.id AND e.kind = 'lapsed'
                     AND e.at >= c.old_until) AS lapses
        FROM changed c
    ),
    told AS MATERIALIZED (
        SELECT 1 AS part, tenant_id, id, resource_id, old_policy AS policy_from, old_severity AS severity_from,
               'suppressed' AS was, old_policy AS policy, old_severity AS severity, 'open' AS becomes,
               'lapsed' AS kind, old_until AS at, NULL::timestamptz AS until, NULL::uuid AS exception_id
        FROM seen WHERE lapses
        UNION ALL
        SELECT 2, tenant_id, id, resource_id, old_policy, old_severity, was, coalesce(policy_id, ''), severity, becomes,
               CASE WHEN becomes = 'fixed' AND was <> 'fixed' THEN 'fixed'
                    WHEN becomes = 'suppressed' AND (was, old_until, old_exception)
                         IS DISTINCT FROM ('suppressed', until, exception_id) THEN 'excepted'
                    WHEN becomes = 'open' AND was = 'fixed' THEN 'reopened'
                    WHEN becomes = 'open' AND was = 'suppressed' THEN 'unexcepted'
                    ELSE 'changed' END,
               now(), CASE becomes WHEN 'suppressed' THEN until END,
               CASE becomes WHEN 'suppressed' THEN exception_id END
        FROM seen
        WHERE (was, old_severity, old_policy) IS DISTINCT FROM (becomes, severity, coalesce(policy_id, ''))
           OR (becomes = 'suppressed' AND (old_until, old_exception) IS DISTINCT FROM (until, exception_id))
        UNION ALL
        SELECT 3, tenant_id, id, resource_id, coalesce(policy_id, ''), severity, 'suppressed',
               coalesce(policy_id, ''), severity, 'open', 'lapsed', now(), NULL, NULL
        FROM seen WHERE is_over AND becomes = 'suppressed'
    ),
    written AS (
        INSERT INTO violation_events
            (tenant_id, violation_id, policy_id, resource_id, severity, kind, at, status, suppressed_until, exception_id)
        SELECT tenant_id, id, nullif(policy, ''), resource_id, severity, kind, at, becomes, until, exception_id
        FROM told ORDER BY id, part
    ),
    counted AS (
        INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
        SELECT tenant_id, policy, severity, status, sum(d) FROM (
            SELECT tenant_id, coalesce(policy_id, '') AS policy, severity, status, 1 AS d FROM changed
            UNION ALL
            SELECT tenant_id, old_policy, old_severity, old_status, -1 FROM changed
        ) changes
        GROUP BY 1, 2, 3, 4 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n
    )
    INSERT INTO posture_days AS p (tenant_id, day, policy_id, severity, status, delta)
    SELECT tenant_id, day, policy, severity, status, sum(d) FROM (
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, policy, severity, becomes AS status, 1 AS d FROM told
        UNION ALL
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date, policy_from, severity_from, was, -1 FROM told
    ) changes
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, day, policy_id, severity, status) DO UPDATE SET delta = p.delta + excluded.delta;
    RETURN NULL;
END $$;
"""

# A tenant that is being purged takes its violations along: there is nobody left to keep a record for.
DELETE = """
CREATE OR REPLACE FUNCTION violations_on_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    WITH gone AS MATERIALIZED (
        SELECT o.tenant_id, o.id, o.policy_id, o.resource_id, o.severity, o.status, o.suppressed_until,
               coalesce(o.status = 'suppressed' AND o.suppressed_until <= now(), false) AS was_over
        FROM old_rows o JOIN tenants t ON t.id = o.tenant_id
    ),
    told AS MATERIALIZED (
        SELECT 1 AS part, g.tenant_id, g.id, g.policy_id, g.resource_id, g.severity, 'lapsed' AS kind,
               g.suppressed_until AS at, 'suppressed' AS was, 'open' AS becomes
        FROM gone g WHERE g.was_over AND NOT EXISTS (
            SELECT 1 FROM violation_events e
            WHERE e.tenant_id = g.tenant_id AND e.violation_id = g.id AND e.kind = 'lapsed'
              AND e.at >= g.suppressed_until)
        UNION ALL
        SELECT 2, tenant_id, id, policy_id, resource_id, severity, 'removed', now(),
               CASE WHEN was_over THEN 'open' ELSE status END, 'removed'
        FROM gone
    ),
    written AS (
        INSERT INTO violation_events (tenant_id, violation_id, policy_id, resource_id, severity, kind, at, status)
        SELECT tenant_id, id, policy_id, resource_id, severity, kind, at, becomes FROM told ORDER BY id, part
    ),
    counted AS (
        INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
        SELECT tenant_id, coalesce(policy_id, ''), severity, status, -count(*) FROM gone
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n
    )
    INSERT INTO posture_days AS p (tenant_id, day, policy_id, severity, status, delta)
    SELECT tenant_id, day, policy, severity, status, sum(d) FROM (
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, coalesce(policy_id, '') AS policy, severity,
               becomes AS status, 1 AS d FROM told WHERE becomes <> 'removed'
        UNION ALL
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date, coalesce(policy_id, ''), severity, was, -1 FROM told
    ) changes
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, day, policy_id, severity, status) DO UPDATE SET delta = p.delta + excluded.delta;
    RETURN NULL;
END $$;
"""

# Events from before this version: the state that each left behind follows from its kind; the term of those
# that still suppress stands in the violation.
KNOWN_EVENTS = """
UPDATE violation_events e SET recorded_at = e.at, status = CASE e.kind
    WHEN 'opened' THEN 'open' WHEN 'reopened' THEN 'open' WHEN 'unexcepted' THEN 'open'
    WHEN 'excepted' THEN 'suppressed' ELSE e.kind END
WHERE e.status = '';
UPDATE violation_events e SET suppressed_until = v.suppressed_until, exception_id = v.exception_id
FROM violations v
WHERE v.id = e.violation_id AND v.status = 'suppressed' AND e.kind = 'excepted'
  AND e.id = (SELECT max(l.id) FROM violation_events l WHERE l.violation_id = v.id);
INSERT INTO posture_days (tenant_id, day, policy_id, severity, status, delta)
SELECT tenant_id, day, policy_id, severity, status, sum(d) FROM (
    SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, coalesce(policy_id, '') AS policy_id, severity, status, 1 AS d
    FROM violation_events WHERE status <> 'removed'
    UNION ALL
    SELECT tenant_id, day, policy_id, severity, status, -1 FROM (
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day,
               lag(coalesce(policy_id, '')) OVER w AS policy_id, lag(severity) OVER w AS severity,
               lag(status) OVER w AS status
        FROM violation_events WINDOW w AS (PARTITION BY tenant_id, violation_id ORDER BY at, id)
    ) before WHERE status IS NOT NULL AND status <> 'removed'
) changes GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0;
"""

EXCEPTIONS = """
CREATE FUNCTION exceptions_record_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.status, NEW.expires_at) IS NOT DISTINCT FROM (OLD.status, OLD.expires_at) THEN
        RETURN NULL;
    END IF;
    INSERT INTO exception_events (tenant_id, exception_id, status, expires_at, actor_id)
    VALUES (NEW.tenant_id, NEW.id, NEW.status, NEW.expires_at,
            nullif(current_setting('rls.user_id', true), '')::uuid);
    RETURN NULL;
END $$;
CREATE TRIGGER exceptions_record_state AFTER INSERT OR UPDATE ON exceptions
    FOR EACH ROW EXECUTE FUNCTION exceptions_record_state();

INSERT INTO exception_events (tenant_id, exception_id, status, expires_at, actor_id, at)
SELECT tenant_id, id, status, expires_at, actor_id, at FROM (
    SELECT 1 AS part, x.tenant_id, x.id, 'pending' AS status, x.expires_at, x.created_by AS actor_id, x.created_at AS at
    FROM exceptions x
    UNION ALL
    SELECT 2, x.tenant_id, x.id, CASE x.status WHEN 'rejected' THEN 'rejected' ELSE 'approved' END, x.expires_at,
           x.decided_by, x.decided_at
    FROM exceptions x WHERE x.decided_at IS NOT NULL
    UNION ALL
    SELECT 3, x.tenant_id, x.id, 'expired', x.expires_at, NULL, coalesce((
        SELECT min(a.created_at) FROM audits a
        WHERE a.tenant_id = x.tenant_id AND a.target_type = 'findings.policyexception'
          AND a.target_id = x.id::text AND a.payload->>'to' = 'expired'), x.expires_at, now())
    FROM exceptions x WHERE x.status = 'expired'
) known ORDER BY id, part;
"""
UNEXCEPTIONS = "DROP TRIGGER exceptions_record_state ON exceptions; DROP FUNCTION exceptions_record_state();"


class Migration(migrations.Migration):
    dependencies = [("findings", "0004_history"), ("audit", "0003_inserting_transaction")]
    operations = [
        migrations.RunSQL(INSERT, migrations.RunSQL.noop),
        migrations.RunSQL(UPDATE, migrations.RunSQL.noop),
        migrations.RunSQL(DELETE, migrations.RunSQL.noop),
        migrations.RunSQL(KNOWN_EVENTS, migrations.RunSQL.noop),
        migrations.RunSQL(EXCEPTIONS, UNEXCEPTIONS),
    ]
