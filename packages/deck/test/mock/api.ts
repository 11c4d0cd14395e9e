import type { Bond, Event, LimitState } from '../../src/api/wire.ts'
import type { MockStore, MockUser } from './store.ts'

export interface MockRequest {
  readonly method: string
  /** Decoded path segments below `/api`. */
  readonly segments: readonly string[]
  readonly search: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
  readonly isSignedIn: boolean
}

export interface MockResponse {
  readonly status: number
  readonly body: unknown
  /** Signs the browser in or out. */
  readonly cookie?: 'in' | 'out'
  /** Events to send to open pages. */
  readonly events?: readonly Event[]
}

/** The key that the mock accepts. */
export const MOCK_KEY = 'mock-key'

/** Lists that are empty in the mock. */
const LISTS = ['usage', 'turns', 'instances', 'events', 'audit', 'webhooks']

const ok = (body: unknown, events: readonly Event[] = []): MockResponse => ({ status: 200, body, events })
const list = (data: unknown, cursor: string | null = null): MockResponse => ok({ data, cursor })
const error = (status: number, code: string, message: string): MockResponse => ({
  status,
  body: { error: { code, message } },
})

/** Answers the requests that the Deck sends to the management API. */
export function handleRequest(store: MockStore, request: MockRequest): MockResponse {
  const [resource, user, part, detail] = request.segments
  if (resource === 'session') return handleSession(request)
  if (!request.isSignedIn) return error(401, 'invalid_api_key', 'Missing API key.')
  if (resource === 'overview') return readOverview(store, user)
  if (resource === 'answers') return ok(ANSWER_STATS)
  if (resource === 'runtimes') return list(buildRuntimes(store))
  if (resource === 'plans') return list([])
  if (LISTS.includes(resource ?? '')) return list([])
  if (resource === 'config') return ok({ currency: 'USD', limits: [] })
  if (resource === 'attention') return ok({ total: 0, complete: true, rules: [], rows: [] })
  if (resource !== 'users') return error(404, 'not_found', 'Unknown route.')
  if (user === undefined) return listUsers(store, request.search)
  const entry = store.users.get(user)
  if (entry === undefined) return ok({ user, exists: false })
  if (detail === 'summary') return ok(TURN_SUMMARY)
  return request.method === 'GET' ? readUser(entry, part, request.search) : changeUser(store, entry, request)
}

function handleSession({ method, body, isSignedIn }: MockRequest): MockResponse {
  const session = { name: 'meera', role: 'admin' }
  if (method === 'DELETE') return { status: 204, body: undefined, cookie: 'out' }
  if (method === 'GET') return ok(isSignedIn ? session : null)
  if (body.key !== MOCK_KEY) return error(401, 'invalid_api_key', 'Invalid API key.')
  return { ...ok(session), cookie: 'in' }
}

const TURN_SUMMARY = { turns: 9, prefixes: { first: 2, same: 6, changed: 1 }, inputTokens: 900, cachedTokens: 300 }
const STORED_ANSWERS = { answers: 0, bytes: 0, oldestAt: null, newestAt: null }

const ANSWER_STATS = {
  entries: 1840,
  active: 1799,
  expired: 41,
  bytes: 9_412_000,
  file: null,
  maxEntries: 10_000,
  maxBytes: 268_435_456,
  ttlMs: 604_800_000,
  hits: 5120,
  misses: 7411,
  joined: 231,
  evictions: 12,
}

function buildRuntimes({ users }: MockStore): unknown[] {
  return [...users.keys()].slice(0, 9).map((user, index) => ({
    instance: 'instance-1',
    user,
    version: index,
    inUse: index % 3 === 0 ? 1 : 0,
    idleMs: index * 71_000,
    clients: [{ kind: 'model', name: 'local/m', state: 'open', inUse: 0 }],
  }))
}

const NO_TIMES = { p50: 0, p95: 0, p99: 0 }

function readOverview(store: MockStore, part: string | undefined): MockResponse {
  if (part === 'days' || part === 'phases') return list([])
  if (part !== 'latency') return ok(buildOverview(store))
  const times = { overheadMs: NO_TIMES, firstChunkMs: NO_TIMES, upstreamMs: NO_TIMES, totalMs: NO_TIMES }
  return ok({ turns: 0, complete: true, ...times, cache: {}, context: {} })
}

function buildOverview({ users, now }: MockStore): unknown {
  const phases: Record<string, number> = {}
  const riskLevels: Record<string, number> = {}
  let blocked = 0
  for (const { bond } of users.values()) {
    phases[bond.phase] = (phases[bond.phase] ?? 0) + 1
    riskLevels[bond.riskLevel] = (riskLevels[bond.riskLevel] ?? 0) + 1
    if (bond.blocked !== null) blocked += 1
  }
  const server = {
    version: '0.1.0',
    startedAt: new Date(now() - 9e6).toISOString(),
    store: { name: 'sqlite', location: 'data/purser.db' },
    namespace: 'default',
  }
  return { users: users.size, blocked, phases, riskLevels, vocabulary: { phases: null, riskLevels: null }, server }
}

function listUsers({ users }: MockStore, search: URLSearchParams): MockResponse {
  const limit = Number(search.get('limit') ?? 50)
  const start = Number(search.get('offset') ?? search.get('cursor') ?? 0)
  const matches = (name: string, value: unknown): boolean => !search.has(name) || search.get(name) === String(value)
  const direction = search.get('order') === 'desc' ? -1 : 1
  const bonds = [...users.values()]
    .map(({ bond }) => bond)
    .filter((bond) => matches('phase', bond.phase) && matches('riskLevel', bond.riskLevel))
    .filter((bond) => matches('blocked', bond.blocked !== null) && bond.user.includes(search.get('q') ?? ''))
    .sort((a, b) => compareBonds(a, b, search.get('orderBy') ?? 'id') * direction)
  const end = start + limit
  const cursor = end < bonds.length ? String(end) : null
  return ok({ data: bonds.slice(start, end), cursor, total: bonds.length })
}

function compareBonds(a: Bond, b: Bond, orderBy: string): number {
  if (orderBy === 'lastSeenAt') return (a.lastSeenAt ?? '').localeCompare(b.lastSeenAt ?? '')
  if (orderBy === 'createdAt') return (a.createdAt ?? '').localeCompare(b.createdAt ?? '')
  if (orderBy === 'capUsed') return usedRatio(a) - usedRatio(b)
  return a.user.localeCompare(b.user)
}

function usedRatio(bond: Bond): number {
  return bond.dailyCap === 0 ? 0 : bond.dailyCount / bond.dailyCap
}

const CONTEXT = `# About the user
Name: Ada
City: Pune
Learning: class 10, physics

# Recent actions (times in Asia/Kolkata)
- 2 minutes ago: asked about Newton's third law
- today 09:12: finished "Motion in a straight line"

It is now Friday, 20 November 2026, 15:02.`

const SECTION = { source: 'store', ageMs: 4_000, tokens: 30, cut: 0, text: '', previous: null }

const SETTINGS = {
  version: 3,
  provider: 'local',
  model: 'm',
  region: null,
  deployment: null,
  baseURL: null,
  mcpServers: ['calendar'],
  preset: 'evening',
  parameters: { temperature: 0.4 },
  allowedModels: null,
  fallbacks: [],
  origin: {
    provider: 'default',
    model: 'user',
    region: 'default',
    deployment: 'default',
    baseURL: 'default',
    mcpServers: 'preset',
    preset: 'user',
    parameters: 'preset',
    allowedModels: 'default',
    fallbacks: 'default',
  },
}

function readUser({ bond, events, notes }: MockUser, part: string | undefined, search: URLSearchParams): MockResponse {
  switch (part) {
    case 'bond':
      return ok(bond)
    case 'events': {
      const before = Number(search.get('before') ?? Number.POSITIVE_INFINITY)
      const types = search.get('types')?.split(',')
      const matching = events.filter(({ sequence, type }) => sequence < before && (types?.includes(type) ?? true))
      return list(matching.slice(0, Number(search.get('limit') ?? 50)))
    }
    case 'notes':
      return list(notes)
    case 'verify':
      return ok({ ok: true, checked: events.length })
    case 'secrets':
      return list([{ name: 'openai', fields: ['apiKey'], updatedAt: bond.createdAt }])
    case 'sessions':
      return list([{ id: 'evening', policy: 'pin', version: 2, lastUsedAt: bond.lastSeenAt }])
    case 'runtime':
      return ok(SETTINGS)
    case 'answers':
      return ok(STORED_ANSWERS)
    case 'limits':
      return list([buildDailyLimit(bond)])
    case 'mcp':
    case 'turns':
    case 'usage':
      return list([])
    default:
      return ok(buildContext(bond))
  }
}

function buildDailyLimit({ dailyCap, dailyCount, capOrigin, windowResetAt }: Bond): LimitState {
  return {
    name: 'daily',
    measure: 'turns',
    window: 'day',
    max: dailyCap === 0 ? null : dailyCap,
    used: dailyCount,
    held: 0,
    remaining: dailyCap === 0 ? null : dailyCap - dailyCount,
    resetAt: windowResetAt,
    models: null,
    mode: 'enforce',
    alertAt: [],
    onLimit: 'refuse',
    until: null,
    origin: capOrigin,
    ceiling: null,
    pending: null,
  }
}

function buildContext({ lastSeenAt: loadedAt }: Bond): unknown {
  return {
    text: CONTEXT,
    status: 'partial',
    details: '',
    actions: '',
    sections: [
      { ...SECTION, name: 'profile', status: 'fresh', loadedAt, reason: 'complete' },
      { ...SECTION, name: 'actions', status: 'stale', loadedAt, cut: 3, reason: 'timeout' },
    ],
    tokens: 61,
    prefixHash: '9f86d081884c7d65',
    enabled: true,
    previous: { at: loadedAt, text: CONTEXT.replace('Pune', 'Mumbai'), prefixHash: '9f86d081884c7d64' },
  }
}

function changeUser(store: MockStore, entry: MockUser, { method, segments, body }: MockRequest): MockResponse {
  const { user, dailyCap } = entry.bond
  const at = new Date(store.now()).toISOString()
  const actor = 'meera'
  const reason = typeof body.reason === 'string' ? { reason: body.reason } : {}
  const record = (action: string, detail: string, change: Partial<Bond>): MockResponse => {
    const event = { type: 'admin_action', detail, data: { action }, actor, ...reason }
    const appended = store.appendEvent(user, event, change)
    return ok(entry.bond, [appended])
  }
  switch (`${method} ${segments[2]}`) {
    case 'PUT cap': {
      const cap = body.cap as number | null
      const capOrigin = cap === null ? 'default' : 'user'
      return record('cap', `rate limit: ${dailyCap} -> ${cap}`, { dailyCap: cap ?? 50, capOrigin })
    }
    case 'PUT block': {
      const until = (body.until as string | undefined) ?? null
      return record('block', 'blocked', { blocked: { at, actor, reason: String(body.reason), until } })
    }
    case 'DELETE block':
      return record('unblock', 'unblocked', { blocked: null })
    case 'POST correct':
      return record('correct', 'corrected', typeof body.phase === 'string' ? { phase: body.phase } : {})
    case 'POST notes': {
      const note = { id: `n${entry.notes.length + 1}`, at, actor, text: String(body.text) }
      entry.notes.unshift(note)
      return { ...record('note', 'note added', { notesCount: entry.notes.length }), body: note }
    }
    case 'POST erase':
      store.users.delete(user)
      return ok({ erased: { bond: 1, events: entry.events.length }, purged: true })
    default:
      return { status: 204, body: undefined }
  }
}
