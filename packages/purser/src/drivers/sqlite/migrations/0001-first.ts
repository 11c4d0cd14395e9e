/**
 * The first schema. A released migration is never changed: a change of the schema is a new file.
 *
 * The rows that belong to a user (records, events, replies) refer to `uid`, a number that is never reused. So one step
 * makes a user unreachable: it deletes the user's row, and with it the only reference to the number. The other rows are
 * wiped afterwards.
 *
 * What every admission changes is in the user's row, with the counters as one JSON object whose keys are
 * `["limit","window"]`: one page to write instead of two. Instants are epoch ms. An absent instant is stored as one out
 * of range (`seen_at` earlier than all dates, `cap_used_until` later), so that every order has an index without NULLs.
 */
export const first = `
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  uid INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace TEXT NOT NULL,
  id TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  seen_at REAL NOT NULL,
  phase TEXT NOT NULL,
  risk_level TEXT NOT NULL,
  blocked INTEGER NOT NULL,
  cap_used REAL NOT NULL,
  cap_used_until REAL NOT NULL,
  peak REAL NOT NULL,
  head_sequence INTEGER,
  head_mac TEXT,
  mac TEXT,
  counters TEXT NOT NULL,
  state TEXT,
  measured TEXT
) STRICT;

CREATE UNIQUE INDEX users_by_id ON users (namespace, id);
CREATE INDEX users_by_seen ON users (namespace, seen_at, id, phase, risk_level, blocked);
CREATE INDEX users_by_creation ON users (namespace, created_at, id, phase, risk_level, blocked);
CREATE INDEX users_by_peak ON users (namespace, peak, id, phase, risk_level, blocked);
CREATE INDEX users_by_phase ON users (namespace, phase, risk_level, id);
CREATE INDEX users_by_risk ON users (namespace, risk_level, id);
CREATE INDEX users_blocked ON users (namespace, id) WHERE blocked = 1;
CREATE INDEX users_by_cap ON users (namespace, cap_used_until, cap_used, id) WHERE cap_used > 0;

CREATE TABLE incarnations (
  namespace TEXT NOT NULL,
  tag TEXT NOT NULL,
  next INTEGER NOT NULL,
  PRIMARY KEY (namespace, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
  uid INTEGER NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (uid, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  uid INTEGER NOT NULL,
  namespace TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  id TEXT NOT NULL,
  at REAL NOT NULL,
  type TEXT NOT NULL,
  body TEXT NOT NULL,
  mac TEXT NOT NULL,
  UNIQUE (uid, sequence),
  UNIQUE (namespace, id)
) STRICT;

CREATE INDEX events_by_position ON events (namespace, position);

CREATE TABLE replies (
  uid INTEGER NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  result TEXT NOT NULL,
  expires_at REAL NOT NULL,
  PRIMARY KEY (uid, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX replies_by_expiry ON replies (expires_at);

-- Erased users whose bytes are not wiped yet.
CREATE TABLE purges (
  purge INTEGER PRIMARY KEY AUTOINCREMENT,
  uid INTEGER,
  namespace TEXT NOT NULL,
  tag TEXT NOT NULL,
  id TEXT NOT NULL
) STRICT;
`
