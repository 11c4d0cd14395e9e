import type { AbortOptions } from '../core/abort.ts'
import { readPage } from '../core/long-read.ts'
import { parseInteger, parseText, throwInvalid, validateOptions } from '../core/validate.ts'
import type { Event } from '../journal/event.ts'
import { readEvent } from '../journal/hash-chain.ts'
import type { Store, TailEvent } from '../storage/store.ts'

/** Options of `purser.audit`. All filters must match. */
export interface ReadAuditOptions extends AbortOptions {
  /** Events per page, 1 to 1,000. Default 50. */
  readonly limit?: number | undefined
  /** The cursor of the previous page. */
  readonly cursor?: string | undefined
  /** Only what this actor did. */
  readonly actor?: string | undefined
  /** Only this `data.action`, or this type of event. */
  readonly action?: string | undefined
  /** Only what was done to this user; '' is what belongs to no user. */
  readonly user?: string | undefined
}

export interface AuditPage {
  /** Newest first. */
  readonly events: Event[]
  /** Of older events; null when there are none. A page may have fewer events than its limit and still have a cursor. */
  readonly cursor: string | null
}

const LIMIT_DEFAULT = 50
const LIMIT_MAX = 1_000
const FILTER_MAX_BYTES = 256
/** The log is read backwards in windows of this many positions, */
const WINDOW = 500
/** and at most this many of them for one page. */
const MAX_WINDOWS = 40
/** Types of events that only a person or the application's operator causes. */
const AUDITED_TYPES = ['admin_action', 'limit_change', 'plan_change']

export interface AuditDeps {
  readonly store: Store
  readonly namespace: string
}

/** What was done through the management API and by operators, over all users, newest first. */
export async function readAudit(deps: AuditDeps, options: ReadAuditOptions): Promise<AuditPage> {
  const { limit, before, matches } = parseOptions(options)
  let end = before ?? ((await deps.store.events.position(deps.namespace)) ?? 0) + 1
  const events: Event[] = []
  for (let window = 0; window < MAX_WINDOWS && end > 1; window++) {
    options.signal?.throwIfAborted()
    for (const { position, user, event: stored } of await readWindow(deps, end)) {
      const event = readEvent(user, stored)
      if (isAudited(event) && matches(event)) events.push(event)
      if (events.length === limit) return { events, cursor: cursorAt(position) }
    }
    end = startOfWindow(end)
  }
  return { events, cursor: cursorAt(end) }
}

/** The events of the window below a position, newest first. */
async function readWindow({ store, namespace }: AuditDeps, end: number): Promise<readonly TailEvent[]> {
  const after = startOfWindow(end) - 1
  const entries = await readPage(() => store.events.tail(namespace, { after, limit: WINDOW }))
  return entries.filter(({ position }) => position < end).toReversed()
}

function startOfWindow(end: number): number {
  return Math.max(1, end - WINDOW)
}

/** Positions begin at 1. */
function cursorAt(position: number): string | null {
  return position > 1 ? String(position) : null
}

function isAudited({ type, data }: Event): boolean {
  return AUDITED_TYPES.includes(type) || data.origin !== undefined
}

interface ParsedOptions {
  readonly limit: number
  readonly before: number | undefined
  matches(event: Event): boolean
}

function parseOptions(options: ReadAuditOptions): ParsedOptions {
  validateOptions('audit', options, ['limit', 'cursor', 'actor', 'action', 'user'])
  const { limit = LIMIT_DEFAULT, cursor, user } = options
  const actor = parseFilter(options.actor, 'actor')
  const action = parseFilter(options.action, 'action')
  return {
    limit: parseInteger(limit, { name: 'limit', min: 1, max: LIMIT_MAX }),
    before: cursor === undefined ? undefined : parseCursor(cursor),
    matches: (event) =>
      (actor === undefined || event.actor === actor) &&
      (action === undefined || event.type === action || event.data.action === action) &&
      (user === undefined || event.user === user),
  }
}

function parseFilter(value: unknown, name: string): string | undefined {
  return value === undefined ? undefined : parseText(value, { name, maxBytes: FILTER_MAX_BYTES })
}

function parseCursor(cursor: unknown): number {
  if (typeof cursor === 'string' && /^[1-9]\d{0,15}$/.test(cursor)) return Number(cursor)
  return throwInvalid('The cursor is not one of a page of the audit log.', {
    name: 'cursor',
    hint: 'Pass the cursor of the previous page.',
  })
}
