import { type Purser, PurserError, type User } from 'purser'
import type { UserReport } from './import-report.ts'
import type { OriginalUser } from './original-ledger.ts'

const ACTOR = 'import'
/** Types of events are `vendor:name`. */
const VENDOR = 'abl'
const MAX_REFUSALS = 100

const SKIPPED = {
  counter: 'The original counted from the first message of a day; counting begins anew.',
  dates: 'Dates of the bond are not imported; those of events are in their data.',
} as const

/**
 * Imports one user of the original ledger. Every value that this installation rejects costs that value only. Events keep
 * their date in their data, as `at`: the log has the time of the import, because it cannot be written back in time.
 */
export async function importOriginalUser(
  purser: Purser,
  original: OriginalUser,
  { force, signal }: { readonly force: boolean; readonly signal: AbortSignal },
): Promise<UserReport> {
  const taken: Record<string, number> = {}
  const refused: { line: number; message: string }[] = []
  const refuse = (line: number, message: string): void => {
    if (refused.length < MAX_REFUSALS) refused.push({ line, message })
  }
  /** `line`: 0 for the bond, else the number of the event, the oldest is 1. */
  const attempt = async (line: number, what: string, write: () => Promise<unknown>): Promise<void> => {
    signal.throwIfAborted()
    try {
      await write()
      taken[what] = (taken[what] ?? 0) + 1
    } catch (error) {
      if (!PurserError.is(error) || error.retryable || error.code === 'closed') throw error
      refuse(line, error.message)
    }
  }
  const report = (exists: boolean, left: UserReport['left']): UserReport => {
    return { user: original.user, exists, taken, left, refused }
  }

  let user: User
  try {
    user = purser.user(original.user)
  } catch (error) {
    refuse(0, (error as Error).message)
    return report(false, [])
  }
  if (!force && (await user.ledger.bond()).exists) return report(true, [])
  for (const [index, event] of original.events.entries()) {
    if (event instanceof Error) refuse(index + 1, event.message)
    else await attempt(index + 1, 'event', () => recordEvent(user, event))
  }
  const { bond } = original
  if (bond === undefined) return report(false, [])
  if (bond instanceof Error) {
    refuse(0, bond.message)
    return report(false, [])
  }
  for (const text of textsOf(bond.notes)) await attempt(0, 'note', () => user.ledger.addNote(text, { actor: ACTOR }))
  for (const detection of detectionsOf(bond))
    await attempt(0, Object.keys(detection)[0] ?? '', () => user.ledger.observe(detection))
  const peaks = numbersOf(bond.peak_nodes)
  if (Object.keys(peaks).length > 0) await attempt(0, 'peaks', () => user.ledger.observe({}, { peaks }))
  const cap = bond.daily_msg_cap
  if (typeof cap === 'number' && cap > 0)
    await attempt(0, 'cap', () => user.ledger.setDailyCap(cap, { actor: ACTOR, reason: 'imported' }))
  const left = Object.entries(SKIPPED).map(([what, why]) => ({ what, count: 1, why }))
  return report(false, left)
}

async function recordEvent(user: User, event: Readonly<Record<string, unknown>>): Promise<void> {
  const { timestamp, event_type: type, detail, data } = event
  const at = typeof timestamp === 'number' ? instantOf(timestamp) : undefined
  await user.ledger.record(`${VENDOR}:${String(type)}`, {
    ...(typeof detail === 'string' ? { detail } : {}),
    data: { ...(at === undefined ? {} : { at }), ...(data === undefined ? {} : { original: data }) },
    actor: ACTOR,
  })
}

/** Epoch seconds; undefined for what is no date. */
function instantOf(seconds: number): string | undefined {
  const date = new Date(seconds * 1_000)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}

/** One detection for each field, so that a value which this installation does not know costs that field only. */
function detectionsOf(bond: Readonly<Record<string, unknown>>): Readonly<Record<string, string | number>>[] {
  const fields = [
    ['phase', bond.phase],
    ['riskLevel', bond.risk_level],
    ['archetype', bond.archetype],
    ['eggStatus', bond.egg_status],
    ['turnCount', bond.turn_count],
  ] as const
  return fields.flatMap(([name, value]): Record<string, string | number>[] => {
    if (typeof value === 'string' && value !== '') return [{ [name]: value }]
    return typeof value === 'number' && value > 0 ? [{ [name]: value }] : []
  })
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : []
}

function numbersOf(value: unknown): Readonly<Record<string, number>> {
  if (typeof value !== 'object' || value === null) return {}
  const entries = Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number')
  return Object.fromEntries(entries)
}
