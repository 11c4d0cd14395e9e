/**
 * Records become a log: a commit appends rows to `turns` and changes nothing else. Rows behind the position `folded` wait:
 * their entries by user and by id, and their sums, are added many at a time, in the order of users, so that pages that
 * belong to one user are written once for many turns. `upto` is the end of a fold that has not ended yet, which continues
 * with (`next_uid`, `next_position`); otherwise it equals `folded`. Rows up to `listed` have their entries by id. See
 * `main/turn-fold.ts`.
 */
export const turnLog = `
ALTER TABLE turns RENAME TO turns_before;

CREATE TABLE turns (
  position INTEGER PRIMARY KEY,
  uid INTEGER NOT NULL,
  namespace TEXT NOT NULL,
  id TEXT NOT NULL,
  outcome TEXT NOT NULL,
  value TEXT NOT NULL,
  sums TEXT,
  keep INTEGER
) STRICT;

INSERT INTO turns (uid, namespace, id, outcome, value)
SELECT uid, namespace, id, outcome, value FROM turns_before ORDER BY namespace, id;

DROP TABLE turns_before;

CREATE INDEX turns_by_outcome ON turns (namespace, outcome, id) WHERE outcome <> 'completed';

CREATE TABLE turns_by_user (
  uid INTEGER NOT NULL,
  id TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (uid, id)
) STRICT, WITHOUT ROWID;

INSERT INTO turns_by_user SELECT uid, id, position FROM turns ORDER BY uid, id;

CREATE TABLE turns_by_id (
  namespace TEXT NOT NULL,
  id TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;

INSERT INTO turns_by_id SELECT namespace, id, position FROM turns ORDER BY namespace, id;

CREATE TABLE turn_fold (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  listed INTEGER NOT NULL,
  folded INTEGER NOT NULL,
  upto INTEGER NOT NULL,
  next_uid INTEGER NOT NULL,
  next_position INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT;

INSERT INTO turn_fold SELECT 1, last, last, last, 0, 0, 0 FROM (SELECT coalesce(max(position), 0) AS last FROM turns);
`
