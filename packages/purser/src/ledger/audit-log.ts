import type { AbortOptions } from '../core/abort.ts'
import { parseInteger, parseText, throwInvalid, validateOptions } from '../core/validate.ts'
import type { Event } from '../journal/event.ts'
import { type PositionedEvent, type RecentEventsDeps, readBackwards } from './recent-events.ts'

/** Options of `purser.audit`. All filters must match. */
export interface ReadAuditOptions extends AbortOptions {
  /** Events per page, 1 to 1,000. Default 50. */
  readonly limit?: number | undefined
  /** The cursor of the previous page. */
  readonly cursor?: string | undefined
  /** Only what this actor did. */
  readonly actor?: string | undefined
  /** Only this `data.action` or type of event, or one of several. */
  readonly action?: string | readonly string[] | undefined
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
/** Types of events that only a person or the application's operator causes. */
const AUDITED_TYPES = ['admin_action', 'limit_change', 'plan_change']

/** What was done through the management API and by operators, over all users, newest first. */
export async function readAudit(deps: RecentEventsDeps, options: ReadAuditOptions): Promise<AuditPage> {
  const { limit, before, matches } = parseOptions(options)
  const found: PositionedEvent[] = []
  let oldest = before
  for await (const part of readBackwards(deps, { before, signal: options.signal })) {
    if (part === 'end of scan') return pageOf(found, oldest)
    found.push(...part.filter(({ event }) => isAudited(event) && matches(event)))
    oldest = part.at(-1)?.position ?? oldest
    if (found.length >= limit) return pageOf(found.slice(0, limit), found[limit - 1]?.position)
  }
  return pageOf(found, undefined)
}

/** `last`: the position below which the next page begins. */
function pageOf(found: readonly PositionedEvent[], last: number | undefined): AuditPage {
  return { events: found.map(({ event }) => event), cursor: last === undefined || last <= 1 ? null : String(last) }
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
  const actions = parseActions(options.action)
  return {
    limit: parseInteger(limit, { name: 'limit', min: 1, max: LIMIT_MAX }),
    before: cursor === undefined ? undefined : parseCursor(cursor),
    matches: (event) =>
      (actor === undefined || event.actor === actor) &&
      (actions === undefined || actions.has(event.type) || actions.has(event.data.action)) &&
      (user === undefined || event.user === user),
  }
}

/** Actions that one read can ask for. */
const ACTIONS_MAX = 32

function parseActions(value: ReadAuditOptions['action']): ReadonlySet<unknown> | undefined {
  if (value === undefined) return undefined
  const names: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (names.length === 0 || names.length > ACTIONS_MAX)
    throwInvalid(`'action' must have 1 to ${ACTIONS_MAX} names.`, {
      name: 'action',
      hint: "Example: ['block', 'unblock'].",
    })
  return new Set(names.map((name) => parseFilter(name, 'action')))
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
