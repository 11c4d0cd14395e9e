import { first } from './0001-first.ts'
import { answerTotals } from './0002-answer-totals.ts'
import { instances } from './0003-instances.ts'
import { capIndex } from './0004-cap-index.ts'
import { turns } from './0005-turns.ts'
import { updateUsers } from './0006-update-users.ts'
import { plainCommits } from './0007-plain-commits.ts'

/** In order: the position in the list, from 1, is the schema version. Append only. */
export const MIGRATIONS: readonly string[] = [
  first,
  answerTotals,
  instances,
  capIndex,
  turns,
  updateUsers,
  plainCommits,
]
