import { AMOUNTS } from './0005-turns.ts'

/*
 * What nearly every commit changes is in no index, so that PostgreSQL updates the row in its page and touches no index at
 * all (HOT): lists are ordered by the minute in which a user was seen and by a step of the used cap, which change rarely, and
 * sorted exactly within them.
 *
 * `write_users` writes a batch of commits that change the rows of different users and add turns and sums. Values are arrays,
 * one element for each commit, turn or sum, which is a third of the server's time of JSON. Rows are updated in the order of
 * the arrays, so that batches in the order of users cannot lock each other out; a row that another process has changed
 * meanwhile does not match any more. The namespace's sums are added up first, so that each is written once.
 *
 * The plan of a statement is made once for a connection, perhaps while the table is small, so plans that read all of it are
 * excluded.
 *
 * No table refers to users by a foreign key, which would lock and look up the user for every row: rows are written only in
 * transactions that have updated the user's row, and `erase_user` deletes them.
 */

const STEPS = [
  0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1, 2, 5,
]

const TABLES_OF_USERS = ['records', 'events', 'replies', 'turns', 'user_sums'] as const

const names = (prefix: string): string => AMOUNTS.map((column) => `${prefix}${column}`).join(', ')
const added = (table: string): string =>
  AMOUNTS.map((column) => `${column} = ${table}.${column} + excluded.${column}`).join(', ')

const sums = AMOUNTS.map((column) => `sum(s.${column})`).join(', ')

export const plainCommits: string = `
CREATE FUNCTION $S.cap_step(used double precision) RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN used > 0 THEN 1 + width_bucket(used, ARRAY[${STEPS.join(', ')}]::float8[]) ELSE 0 END
$$;
CREATE FUNCTION $S.seen_minute(at double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT floor(at / 60000)
$$;
DROP INDEX $S.users_by_seen;
DROP INDEX $S.users_by_cap;
ALTER TABLE $S.users
  ADD COLUMN seen_minute double precision GENERATED ALWAYS AS (floor(seen_at / 60000)) STORED,
  ADD COLUMN cap_step int GENERATED ALWAYS AS ($S.cap_step(cap_used)) STORED;
CREATE INDEX users_by_seen ON $S.users (namespace, seen_minute, id);
CREATE INDEX users_by_cap ON $S.users (namespace, cap_used_until, cap_step, id) WHERE cap_step > 0;

${TABLES_OF_USERS.map((table) => `ALTER TABLE $S.${table} DROP CONSTRAINT ${table}_uid_fkey;`).join('\n')}

CREATE OR REPLACE FUNCTION $S.erase_user(e json) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  gone record;
  counts json;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('purser user ' || (e->>'namespace') || (e->>'tag'), 0));
  SELECT uid, incarnation, revision INTO gone FROM $S.users WHERE namespace = e->>'namespace' AND id = e->>'id' FOR UPDATE;
  IF coalesce(gone.incarnation, (SELECT next FROM $S.incarnations WHERE namespace = e->>'namespace' AND tag = e->>'tag'), 1)
    <> (e->>'incarnation')::bigint THEN RETURN NULL; END IF;
  IF e->>'revision' IS NOT NULL AND gone.revision IS DISTINCT FROM (e->>'revision')::bigint THEN RETURN NULL; END IF;
  IF NOT $S.apply_commit(e->'log') THEN RETURN NULL; END IF;
  SELECT json_build_object(
    'user', CASE WHEN gone.uid IS NULL THEN 0 ELSE 1 END,
    'events', (SELECT count(*) FROM $S.events WHERE uid = gone.uid),
    'turns', (SELECT count(*) FROM $S.turns WHERE uid = gone.uid),
    'usage', (SELECT count(*) FROM $S.user_sums WHERE uid = gone.uid),
    'records', (SELECT json_object_agg(kind, amount) FROM
      (SELECT kind, count(*) AS amount FROM $S.records WHERE uid = gone.uid GROUP BY kind) AS kinds)) INTO counts;
  ${TABLES_OF_USERS.map((table) => `DELETE FROM $S.${table} WHERE uid = gone.uid;`).join('\n  ')}
  DELETE FROM $S.users WHERE uid = gone.uid;
  INSERT INTO $S.incarnations (namespace, tag, next)
  VALUES (e->>'namespace', e->>'tag', (e->>'incarnation')::bigint + 1)
  ON CONFLICT (namespace, tag) DO UPDATE SET next = excluded.next;
  RETURN counts;
END $$;

DROP FUNCTION $S.update_users(json);
CREATE FUNCTION $S.write_users(namespaces text[], ids text[], expected bigint[], incarnations bigint[], ats float8[],
  seen_ats float8[], phases text[], risk_levels text[], blocks boolean[], caps float8[], cap_ends float8[], peaks float8[],
  measurements text[], usages text[],
  turn_commits int[], turn_ids text[], turn_outcomes text[], turn_values text[],
  sum_commits int[], sum_of_users boolean[], sum_days text[], sum_hours bigint[], sum_keys text[],
  ${AMOUNTS.map((column) => `sum_${column} bigint[]`).join(', ')})
RETURNS boolean[] LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  amount int := cardinality(ids);
  owners bigint[] := array_fill(NULL::bigint, ARRAY[amount]);
  outcomes boolean[] := array_fill(false, ARRAY[amount]);
  written record;
BEGIN
  FOR written IN UPDATE $S.users AS u SET revision = u.revision + 1, updated_at = c.at, seen_at = c.seen_at,
      phase = c.phase, risk_level = c.risk_level, blocked = c.blocked, cap_used = c.cap_used,
      cap_used_until = c.cap_used_until, peak = c.peak, measured = coalesce(c.measured, u.measured),
      usage = coalesce(c.usage, u.usage)
    FROM unnest(namespaces, ids, expected, incarnations, ats, seen_ats, phases, risk_levels, blocks, caps, cap_ends,
        peaks, measurements, usages) WITH ORDINALITY AS c(namespace, id, expect, incarnation, at, seen_at, phase,
        risk_level, blocked, cap_used, cap_used_until, peak, measured, usage, position)
    WHERE u.namespace = c.namespace AND u.id = c.id AND u.revision = c.expect AND u.incarnation = c.incarnation
    RETURNING c.position::int AS position, u.uid
  LOOP
    owners[written.position] := written.uid;
    outcomes[written.position] := true;
  END LOOP;
  IF cardinality(turn_ids) > 0 THEN
    INSERT INTO $S.turns (namespace, id, uid, outcome, value)
    SELECT namespaces[t.commit], t.id, owners[t.commit], t.outcome, t.value
    FROM unnest(turn_commits, turn_ids, turn_outcomes, turn_values) AS t(commit, id, outcome, value)
    WHERE outcomes[t.commit];
  END IF;
  IF cardinality(sum_keys) > 0 THEN
    INSERT INTO $S.user_sums (uid, day, hour, key, ${names('')})
    SELECT owners[s.commit], s.day, s.hour, s.key, ${sums}
    FROM unnest(sum_commits, sum_of_users, sum_days, sum_hours, sum_keys, ${names('sum_')})
      AS s(commit, of_user, day, hour, key, ${names('')})
    WHERE s.of_user AND outcomes[s.commit] GROUP BY owners[s.commit], s.day, s.hour, s.key
    ON CONFLICT (uid, day, hour, key) DO UPDATE SET ${added('user_sums')};
    INSERT INTO $S.sums (namespace, part, day, hour, key, ${names('')})
    SELECT namespaces[s.commit], pg_backend_pid() % 16, s.day, s.hour, s.key,
      ${sums}
    FROM unnest(sum_commits, sum_of_users, sum_days, sum_hours, sum_keys, ${names('sum_')})
      AS s(commit, of_user, day, hour, key, ${names('')})
    WHERE NOT s.of_user AND outcomes[s.commit]
    GROUP BY namespaces[s.commit], s.day, s.hour, s.key ORDER BY 1, 3, 4, 5
    ON CONFLICT (namespace, part, day, hour, key) DO UPDATE SET ${added('sums')};
  END IF;
  RETURN outcomes;
END $$;
`
