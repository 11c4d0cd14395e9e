/**
 * Records of turns, and sums. Records are in the order of their ids, which rise with time, so that new ones are written
 * to the same few pages; an index finds those of a user. Sums of a user belong to `uid` like every row of a user; sums of
 * a namespace name no user.
 */
const AMOUNTS = Array.from({ length: 8 }, (_, index) => `a${index + 1} INTEGER NOT NULL`).join(', ')

export const turns: string = `
CREATE TABLE turns (
  namespace TEXT NOT NULL,
  id TEXT NOT NULL,
  uid INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX turns_by_user ON turns (uid, id);
CREATE INDEX turns_by_outcome ON turns (namespace, outcome, id) WHERE outcome <> 'completed';

CREATE TABLE user_sums (
  uid INTEGER NOT NULL,
  day TEXT NOT NULL,
  hour INTEGER NOT NULL,
  key TEXT NOT NULL,
  ${AMOUNTS},
  PRIMARY KEY (uid, day, hour, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE sums (
  namespace TEXT NOT NULL,
  day TEXT NOT NULL,
  hour INTEGER NOT NULL,
  key TEXT NOT NULL,
  ${AMOUNTS},
  PRIMARY KEY (namespace, day, hour, key)
) STRICT, WITHOUT ROWID;
`
