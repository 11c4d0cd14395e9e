import { hash } from 'node:crypto'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { Answers } from './answers.ts'
import { useAt } from './monotonic-clock.ts'
import { type Salvaged, salvage } from './salvage.ts'

export interface ImportOptions {
  /** What to do with an entry that does not say when it was made. Default `'now'`: it counts as stored now. */
  readonly undated?: 'now' | 'forever' | 'skip' | undefined
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ImportRequest extends ImportOptions {
  readonly answers: Answers
  /** Whose answers these become. */
  readonly user: Subject
  /** What the file `ai_responses.json` holds. */
  readonly text: string
  readonly effects: Pick<Effects, 'now'>
}

export interface ImportReport {
  readonly found: number
  readonly kept: number
  /** How many were left out, by reason. */
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>
  /** The first of those that were left out. */
  readonly examples: readonly { readonly key: string; readonly reason: SkipReason }[]
  /** False when the file was torn and its entries were picked out one by one. */
  readonly whole: boolean
}

/**
 * `unreadable`: not JSON, not an entry, or not under a hash. `incomplete`: shorter or longer than the entry says, or,
 * in a torn file, it does not say. `expired`: older than `answers.ttlMs`. `undated`: without a date, when these are to
 * be skipped. `refused`: too large, or the store failed.
 */
export type SkipReason = 'unreadable' | 'incomplete' | 'expired' | 'undated' | 'refused'

const HASH = /^[0-9a-f]{64}$/
const MAX_EXAMPLES = 100
const PROGRESS_EVERY = 50

/** What an imported answer is found under: `answers.lookup(importedRequest(text))` for the text the old key was made of. */
export function importedRequest(text: string): unknown {
  return requestOf(hash('sha256', text, 'hex'))
}

function requestOf(key: string): unknown {
  return { from: 'ai_responses.json', key }
}

/** Throws `argument_invalid` or `option_unknown` for what cannot be imported. */
export function checkImport(text: unknown, options: unknown): void {
  validateOptions('import', options, ['undated', 'onProgress'])
  if (typeof text === 'string') return
  throw new PurserError('argument_invalid', 'import needs what the file holds, as text.', {
    hint: "For instance: answers.import('ada', await readFile('ai_responses.json', 'utf8')).",
    details: { param: 'text' },
  })
}

/**
 * Takes over the answers of an old cache file for one user, with their dates: the TTL counts from when each was made.
 * Every entry that can be read is taken, whatever the others are like.
 */
export async function importAnswers(order: ImportRequest): Promise<ImportReport> {
  const { members, whole } = salvage(order.text)
  const skipped: Partial<Record<SkipReason, number>> = {}
  const examples: { key: string; reason: SkipReason }[] = []
  let kept = 0
  // In the order of their last use: when there is not room for all, the longest unused give way.
  const inOrder = members.toSorted((a, b) => lastUseOf(a) - lastUseOf(b))
  for (const [index, member] of inOrder.entries()) {
    order.signal?.throwIfAborted()
    const reason = await takeOver(order, member, whole)
    if (reason === undefined) kept++
    else {
      skipped[reason] = (skipped[reason] ?? 0) + 1
      if (examples.length < MAX_EXAMPLES) examples.push({ key: member.key, reason })
    }
    const done = index + 1
    if (done % PROGRESS_EVERY === 0 || done === members.length) order.onProgress?.({ done, total: members.length })
  }
  return { found: members.length, kept, skipped, examples, whole }
}

/** Why the entry was left out; undefined when it was not. */
async function takeOver(
  order: ImportRequest,
  { key, entry }: Salvaged,
  whole: boolean,
): Promise<SkipReason | undefined> {
  const { answers, user, effects, undated = 'now' } = order
  if (!HASH.test(key) || !isEntry(entry)) return 'unreadable'
  const { response, text_length: length } = entry
  // Of a torn file only what can be checked is believed.
  if (length !== codePoints(response) && (length !== undefined || !whole)) return 'incomplete'
  const now = effects.now()
  const madeAt = instantOf(entry.created_at)
  if (madeAt === undefined && undated === 'skip') return 'undated'
  const storedAt = Math.min(madeAt ?? now, now)
  const { ttlMs } = answers.stats()
  if (now - storedAt > ttlMs) return 'expired'
  const used = useAt(Math.min(instantOf(entry.last_accessed) ?? storedAt, now))
  const terms = { storedAt, used, ...(madeAt === undefined && undated === 'forever' ? { ttlMs: null } : {}) }
  return (await answers.of(user).adopt(requestOf(key), response, terms)) ? undefined : 'refused'
}

interface OldEntry {
  readonly response: string
  /** Epoch seconds. */
  readonly created_at?: unknown
  readonly last_accessed?: unknown
  /** In code points. */
  readonly text_length?: unknown
}

function isEntry(entry: unknown): entry is OldEntry {
  return typeof entry === 'object' && entry !== null && typeof (entry as OldEntry).response === 'string'
}

function lastUseOf({ entry }: Salvaged): number {
  return isEntry(entry) ? (instantOf(entry.last_accessed) ?? instantOf(entry.created_at) ?? 0) : 0
}

/** Epoch ms of a number of epoch seconds; undefined for anything else. */
function instantOf(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds > 0 && seconds < 1e11 ? Math.floor(seconds * 1_000) : undefined
}

function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
