/** What the open Pursers publish about themselves. Rebuildable. */
export const instances = `
CREATE UNLOGGED TABLE $S.instances (
  id text COLLATE "C" PRIMARY KEY, value text NOT NULL, written_at timestamptz NOT NULL
);
`
