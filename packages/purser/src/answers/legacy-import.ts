import { hash } from 'node:crypto'
import type { AbortOptions } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import { throwInvalid, validateOptions } from '../core/validate.ts'
import {
  isResponseCacheEntry,
  KEY_PATTERN,
  MEMBER_PATTERN,
  RESPONSE_CACHE_FILE,
  type ResponseCacheEntry,
} from '../templates/response-cache-file.ts'
import type { Answers } from './api.ts'

export interface ImportOptions extends AbortOptions {
  /** What to do with entries that have no date. `now` (default): they count as stored now. `forever`: they never expire. */
  readonly undated?: 'now' | 'forever' | 'skip' | undefined
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
}

export interface ImportRequest {
  /** The user that the answers become the user's own. */
  readonly user: Subject
  /** Content of the file. */
  readonly text: string
  readonly options: ImportOptions
  /** Epoch ms. */
  now(): number
}

export interface ImportReport {
  readonly found: number
  readonly imported: number
  /** Entries that were left out, by reason. */
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>
  /** The first 100 of them. */
  readonly examples: readonly { readonly key: string; readonly reason: SkipReason }[]
  /** False: the file was torn, and its entries were recovered one by one. */
  readonly whole: boolean
}

/**
 * - `unreadable`: not JSON, not an entry, or not stored under a hash
 * - `incomplete`: another length than the entry states; in a torn file also when it states none
 * - `expired`: older than `answers.ttlMs`
 * - `undated`: has no date, with `undated: 'skip'`
 * - `refused`: too large, or the store failed
 */
export type SkipReason = 'unreadable' | 'incomplete' | 'expired' | 'undated' | 'refused'

const MAX_EXAMPLES = 100
const PROGRESS_EVERY = 50

/**
 * The request that an imported answer is found under.
 *
 * @param text the text that the original cache hashed as the key
 * @example
 * await purser.user('ada').answers.lookup(importedRequest('gpt-4|system|What is 2 + 2?'))
 */
export function importedRequest(text: string): unknown {
  return requestOf(hash('sha256', text, 'hex'))
}

function requestOf(key: string): unknown {
  return { from: RESPONSE_CACHE_FILE, key }
}

/** Throws `argument_invalid` or `option_unknown`. */
export function validateImport(text: unknown, options: unknown): void {
  validateOptions('import', options, ['undated', 'onProgress'])
  if (typeof text === 'string') return
  const hint = `Example: answers.import('ada', await readFile('${RESPONSE_CACHE_FILE}', 'utf8')).`
  throwInvalid('import needs the content of the file as text.', { name: 'text', hint })
}

/**
 * Imports the answers of an original cache file for one user, with their dates: the TTL counts from when each was made.
 * An entry that cannot be read costs that entry only.
 */
export async function importAnswers(answers: Answers, request: ImportRequest): Promise<ImportReport> {
  const { signal, onProgress } = request.options
  const { members, whole } = recoverMembers(request.text)
  const skipped: Partial<Record<SkipReason, number>> = {}
  const examples: { key: string; reason: SkipReason }[] = []
  let imported = 0
  // Oldest access first: the order of writing is the order of eviction.
  const inOrder = members.toSorted((a, b) => lastAccessOf(a) - lastAccessOf(b))
  for (const [index, member] of inOrder.entries()) {
    signal?.throwIfAborted()
    const reason = await importMember(answers, request, { ...member, whole })
    if (reason === undefined) imported++
    else {
      skipped[reason] = (skipped[reason] ?? 0) + 1
      if (examples.length < MAX_EXAMPLES) examples.push({ key: member.key, reason })
    }
    const done = index + 1
    if (done % PROGRESS_EVERY === 0 || done === members.length) onProgress?.({ done, total: members.length })
  }
  return { found: members.length, imported, skipped, examples, whole }
}

/** Why the entry was left out; undefined if it was imported. */
async function importMember(
  answers: Answers,
  { user, options, now }: ImportRequest,
  { key, entry, whole }: Member & { readonly whole: boolean },
): Promise<SkipReason | undefined> {
  const { undated = 'now' } = options
  if (!KEY_PATTERN.test(key) || !isResponseCacheEntry(entry)) return 'unreadable'
  if (!isComplete(entry, whole)) return 'incomplete'
  const importedAt = now()
  const createdAt = epochMsOf(entry.created_at)
  if (createdAt === undefined && undated === 'skip') return 'undated'
  const storedAt = Math.min(createdAt ?? importedAt, importedAt)
  const { ttlMs } = answers.stats()
  if (importedAt - storedAt > ttlMs) return 'expired'
  const dates = { storedAt, ...(createdAt === undefined && undated === 'forever' ? { ttlMs: null } : {}) }
  return (await answers.of(user).importEntry(requestOf(key), entry.response, dates)) ? undefined : 'refused'
}

/** Entries of a torn file have to prove their length; others are believed if they state none. */
function isComplete({ response, text_length: length }: ResponseCacheEntry, whole: boolean): boolean {
  return length === codePointsOf(response) || (length === undefined && whole)
}

function lastAccessOf({ entry }: Member): number {
  return isResponseCacheEntry(entry) ? (epochMsOf(entry.last_accessed) ?? epochMsOf(entry.created_at) ?? 0) : 0
}

/** Epoch ms of a number of epoch seconds; undefined for anything else. */
function epochMsOf(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds > 0 && seconds < 1e11 ? Math.floor(seconds * 1_000) : undefined
}

function codePointsOf(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

/** One member of the file. */
interface Member {
  /** The hash it is stored under. */
  readonly key: string
  /** Undefined if it was found, but could not be read. */
  readonly entry: unknown
}

/**
 * Reads the file, also a torn one: if it is not valid JSON, each member is searched by its hash and parsed by itself. A
 * hash inside an answer is not mistaken for one, because the quotes around it are escaped there.
 */
function recoverMembers(text: string): { readonly members: readonly Member[]; readonly whole: boolean } {
  const parsed = parseJson(text)
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    return { members: Object.entries(parsed).map(([key, entry]) => ({ key, entry })), whole: true }
  }
  const members: Member[] = []
  const pattern = new RegExp(MEMBER_PATTERN)
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    // The search continues inside this member: if its end is missing, it has swallowed the ones behind it.
    const start = pattern.lastIndex - 1
    members.push({ key: match[1] as string, entry: parseJson(text.slice(start, endOfObject(text, start))) })
  }
  return { members, whole: false }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The index behind the brace that closes the one at `start`; the end of the text if there is none. */
function endOfObject(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const character = text[at]
    if (character === '"') at = endOfString(text, at)
    else if (character === '{') depth++
    else if (character === '}' && --depth === 0) return at + 1
  }
  return text.length
}

/** The index of the quote that closes the one at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  return text.length
}
