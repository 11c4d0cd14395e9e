import { first } from './0001-first.ts'
import { usage } from './0002-usage.ts'
import { turns } from './0003-turns.ts'
import { turnLog } from './0004-turn-log.ts'

/** In order: the position in the list, from 1, is the schema version. Append only. */
export const MIGRATIONS: readonly string[] = [first, usage, turns, turnLog]
