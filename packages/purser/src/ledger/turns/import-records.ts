import { hash } from 'node:crypto'
import type { Subject } from '../../core/subject.ts'
import { firstIdAt } from '../../core/time-ordered-id.ts'
import { throwInvalid } from '../../core/validate.ts'
import type { SumIncrement, SumPage } from '../../storage/sum-store.ts'
import type { LedgerDeps } from '../deps.ts'
import { type ImportedTurn, missingOf, parseTurnRecord, parseUsageRow } from './parse-records.ts'
import { LAST_DATE } from './read-usage.ts'
import { encodeTurn } from './stored-turn.ts'

/*
 * Imports the records of turns and the sums of one user from an export. Importing the same rows again adds nothing. Sums of
 * the namespace stay as they are: they are what was used here.
 */

type ImportDeps = Pick<LedgerDeps, 'store' | 'calls' | 'journal' | 'effects' | 'rules'>

/** Rows of one call, which are one commit. */
const MAX_ROWS = 500
const PAGE_ROWS = 500
/** The part of an id that tells the time and the order within a millisecond. */
const TIME_CHARS = '00000000-0000-7000'.length

/**
 * Adds records that the user does not have yet. Ids are unique in a namespace, so each gets one of its own, at the same
 * instant. Those that are too old to stay are left out.
 *
 * @returns the number of rows that are stored now
 */
export async function importTurns(deps: ImportDeps, user: Subject, values: readonly unknown[]): Promise<number> {
  requireRows(values)
  const { effects, rules, journal } = deps
  const { maxAgeMs, maxPerUser } = rules.keepTurns
  const oldest = maxAgeMs === null ? '' : firstIdAt(effects.now() - maxAgeMs)
  const turns = values.map(parseTurnRecord).filter(({ facts }) => facts.id >= oldest)
  const stored = await readIds(deps, user, turns)
  const missing = turns.filter(({ facts: { id } }) => !stored.has(id) && !stored.has(ownId(user, id)))
  await journal.write<void>(user, {
    isAudited: false,
    decide({ exists, usage }) {
      if (!exists) throwInvalid(`The user '${user.id}' does not exist.`)
      // Whether there were turns before the first record, the rows do not say.
      const recorded = usage.recorded ?? 1
      return {
        usage: { ...usage, recorded: recorded + missing.length },
        recorded: {
          turns: missing.map(({ facts, ...turn }, index) =>
            encodeTurn({ ...turn, facts: { ...facts, id: ownId(user, facts.id) }, number: recorded + index + 1 }),
          ),
          ...(maxPerUser === null ? {} : { keepTurns: maxPerUser }),
          userSums: [],
          sums: [],
        },
        result: () => undefined,
      }
    },
  })
  return turns.length
}

function requireRows(values: readonly unknown[]): void {
  if (values.length > MAX_ROWS) throwInvalid(`At most ${MAX_ROWS} rows can be imported at a time.`)
}

function ownId({ id: user }: Subject, id: string): string {
  const digits = hash('sha256', JSON.stringify([user, id]), 'hex')
  return `${id.slice(0, TIME_CHARS)}-8${digits.slice(0, 3)}-${digits.slice(3, 15)}`
}

/** The ids of the user's turns of the times in which these began. */
async function readIds(
  { store, calls }: ImportDeps,
  user: Subject,
  turns: readonly ImportedTurn[],
): Promise<Set<string>> {
  const ids = new Set<string>()
  const times = turns.map(({ facts }) => facts.id.slice(0, TIME_CHARS)).sort()
  const [from, last = ''] = [times[0], times.at(-1)]
  if (from === undefined) return ids
  for (let after: string | undefined; ; ) {
    const page = { order: 'ascending', limit: PAGE_ROWS, from, after } as const
    const found = await calls.run(() => store.turns.ofUser(user, page))
    for (const { id } of found) ids.add(id)
    after = found.at(-1)?.id
    if (after === undefined || found.length < PAGE_ROWS || after.slice(0, TIME_CHARS) > last) return ids
  }
}

/**
 * Adds what is missing of the user's sums.
 *
 * @returns the number of rows
 */
export async function importUsage(deps: ImportDeps, user: Subject, values: readonly unknown[]): Promise<number> {
  requireRows(values)
  const asked = values.map(parseUsageRow)
  const stored = await readSums(deps, user, asked)
  const userSums = asked.flatMap((row) => missingOf(row, stored.get(rowKey(row))) ?? [])
  if (userSums.length === 0) return asked.length
  await deps.journal.write<void>(user, {
    isAudited: false,
    decide({ exists }) {
      if (!exists) throwInvalid(`The user '${user.id}' does not exist.`)
      return { recorded: { turns: [], userSums, sums: [] }, result: () => undefined }
    },
  })
  return asked.length
}

function rowKey({ day, hour, key }: Pick<SumIncrement, 'day' | 'hour' | 'key'>): string {
  return `${day} ${hour} ${key}`
}

async function readSums(
  { store, calls }: ImportDeps,
  user: Subject,
  asked: readonly SumIncrement[],
): Promise<Map<string, SumIncrement>> {
  const sums = new Map<string, SumIncrement>()
  const wanted = new Set(asked.map(rowKey))
  const [from = LAST_DATE] = asked.map(({ day }) => day).sort()
  for (let after: SumPage['after']; ; ) {
    const page = { from, to: LAST_DATE, after, limit: PAGE_ROWS }
    const rows = await calls.run(() => store.sums.ofUser(user, page))
    for (const row of rows) if (wanted.has(rowKey(row))) sums.set(rowKey(row), row)
    if (rows.length < PAGE_ROWS) return sums
    after = rows.at(-1)
  }
}
