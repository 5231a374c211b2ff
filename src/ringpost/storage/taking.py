"""How PostgreSQL takes due deliveries: what another worker is taking at this moment is passed over."""

from sqlalchemy import text

TAKE = text("""
    WITH ring AS (SELECT key AS queue, value::bigint AS share FROM jsonb_each_text(CAST(:shares AS jsonb))),
    due AS (
      SELECT mine.id, row_number() OVER (PARTITION BY ring.queue ORDER BY mine.due_at) AS place
      FROM ring CROSS JOIN LATERAL (
        SELECT id, due_at FROM deliveries
        WHERE state = 'queued' AND urgency = :urgency AND queue = ring.queue COLLATE "C" AND due_at <= :now
        ORDER BY due_at LIMIT least(ring.share, :limit)
        FOR UPDATE SKIP LOCKED) AS mine),
    taken AS MATERIALIZED (SELECT id FROM due ORDER BY place LIMIT :limit)
    UPDATE deliveries SET state = 'sending', claim = :claim, lease_until = :lease_until, claims = claims + 1
    FROM taken WHERE deliveries.id = taken.id
    RETURNING deliveries.id, tenant, event, recipient, urgency, secret, queue, attempts, retries, created_at,
              expires_at""")
