import { SUM_AMOUNTS } from '../../../storage/sum-store.ts'

/*
 * Records of turns, and sums. Every turn adds to the same rows of its namespace, and a transaction locks the rows that it
 * changes until it is on disk: so these rows have parts, one for each connection of 16, which readers add up.
 */

/** The columns of amounts. */
export const AMOUNTS: readonly string[] = Array.from({ length: SUM_AMOUNTS }, (_, index) => `a${index + 1}`)

const COLUMNS = `day text COLLATE "C" NOT NULL, hour bigint NOT NULL, key text COLLATE "C" NOT NULL,
  ${AMOUNTS.map((column) => `${column} numeric NOT NULL`).join(', ')}`

/** Inserts the rows of a JSON array of increments, or adds them. */
function addStatement(
  table: string,
  owner: readonly (readonly [column: string, value: string])[],
  rows: string,
): string {
  const columns = owner.map(([column]) => column).join(', ')
  const amounts = AMOUNTS.map((_, index) => `sum((s->'amounts'->>${index})::numeric)`).join(', ')
  const added = AMOUNTS.map((column) => `${column} = ${table}.${column} + excluded.${column}`).join(', ')
  return `INSERT INTO $S.${table} (${columns}, day, hour, key, ${AMOUNTS.join(', ')})
  SELECT ${owner.map(([, value]) => value).join(', ')}, s->>'day', (s->>'hour')::bigint, s->>'key', ${amounts}
  FROM json_array_elements(${rows}) AS s GROUP BY s->>'day', s->>'hour', s->>'key'
  ON CONFLICT (${columns}, day, hour, key) DO UPDATE SET ${added};`
}

/** A sum over rows for every column of amounts. */
export const ADDED_AMOUNTS: string = AMOUNTS.map((column) => `sum(${column}) AS ${column}`).join(', ')

export const turns: string = `
CREATE TABLE $S.turns (
  namespace text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
  uid bigint NOT NULL REFERENCES $S.users ON DELETE CASCADE,
  outcome text COLLATE "C" NOT NULL, value text NOT NULL,
  PRIMARY KEY (namespace, id)
);
CREATE INDEX turns_by_user ON $S.turns (uid, id);
CREATE INDEX turns_by_outcome ON $S.turns (namespace, outcome, id) WHERE outcome <> 'completed';

CREATE TABLE $S.user_sums (
  uid bigint NOT NULL REFERENCES $S.users ON DELETE CASCADE, ${COLUMNS}, PRIMARY KEY (uid, day, hour, key)
) WITH (fillfactor = 70);
CREATE TABLE $S.sums (
  namespace text COLLATE "C" NOT NULL, part int NOT NULL, ${COLUMNS}, PRIMARY KEY (namespace, day, hour, key, part)
) WITH (fillfactor = 70);

CREATE FUNCTION $S.apply_recorded(owner bigint, ns text, r json) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO $S.turns (namespace, id, uid, outcome, value)
  SELECT ns, t->>'id', owner, t->>'outcome', t->>'value' FROM json_array_elements(r->'turns') AS t;
  IF r->>'keepTurns' IS NOT NULL THEN
    DELETE FROM $S.turns WHERE uid = owner AND id <=
      (SELECT id FROM $S.turns WHERE uid = owner ORDER BY id DESC LIMIT 1 OFFSET (r->>'keepTurns')::int);
  END IF;
  ${addStatement('user_sums', [['uid', 'owner']], "r->'userSums'")}
  ${addStatement(
    'sums',
    [
      ['namespace', 'ns'],
      ['part', 'pg_backend_pid() % 16'],
    ],
    "r->'sums'",
  )}
END $$;

ALTER FUNCTION $S.apply_commit(json) RENAME TO apply_commit_rows;

CREATE FUNCTION $S.apply_commit(c json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF NOT $S.apply_commit_rows(c) THEN RETURN false; END IF;
  IF c->'recorded' IS NOT NULL THEN
    PERFORM $S.apply_recorded(
      (SELECT uid FROM $S.users WHERE namespace = c->>'namespace' AND id = c->>'id'), c->>'namespace', c->'recorded');
  END IF;
  RETURN true;
END $$;

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
  DELETE FROM $S.users WHERE uid = gone.uid;
  INSERT INTO $S.incarnations (namespace, tag, next)
  VALUES (e->>'namespace', e->>'tag', (e->>'incarnation')::bigint + 1)
  ON CONFLICT (namespace, tag) DO UPDATE SET next = excluded.next;
  RETURN counts;
END $$;
`
