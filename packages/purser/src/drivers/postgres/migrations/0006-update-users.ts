/*
 * Commits that change nothing but the rows of different users, in one statement. Rows are locked in the order of users, so
 * that batches cannot lock each other out; a row that another process has changed meanwhile does not match any more.
 *
 * The plan of a statement is made once for a connection, perhaps while the table is small, so plans that read all of it are
 * excluded.
 */
export const updateUsers: string = `
CREATE FUNCTION $S.update_users(commits json) RETURNS boolean[] LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  outcomes boolean[];
BEGIN
  WITH c AS MATERIALIZED (SELECT * FROM json_to_recordset(commits) AS c("index" int, namespace text, id text,
      expect bigint, incarnation bigint, at double precision, "seenAt" double precision, phase text, "riskLevel" text,
      blocked boolean, "capUsed" double precision, "capUsedUntil" double precision, peak double precision,
      measured text, usage text)),
  locked AS MATERIALIZED (SELECT u.uid, c.* FROM c JOIN $S.users AS u ON u.namespace = c.namespace AND u.id = c.id
    WHERE u.revision = c.expect AND u.incarnation = c.incarnation ORDER BY u.namespace, u.id FOR UPDATE OF u),
  written AS (UPDATE $S.users AS u SET revision = u.revision + 1, updated_at = l.at, seen_at = l."seenAt",
      phase = l.phase, risk_level = l."riskLevel", blocked = l.blocked, cap_used = l."capUsed",
      cap_used_until = l."capUsedUntil", peak = l.peak, measured = coalesce(l.measured, u.measured),
      usage = coalesce(l.usage, u.usage)
    FROM locked AS l WHERE u.uid = l.uid RETURNING l."index")
  SELECT array_agg(w."index" IS NOT NULL ORDER BY c."index") INTO outcomes
  FROM c LEFT JOIN written AS w ON w."index" = c."index";
  RETURN outcomes;
END $$;

ALTER FUNCTION $S.apply_commits(json) SET enable_seqscan = off;
`
