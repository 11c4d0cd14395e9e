import type { Bond } from 'purser'
import type { LedgerEvent } from '../../src/api/responses.ts'
import type { Person, World } from './world.ts'

export interface Asked {
  readonly method: string
  /** The path below `/api`, decoded. */
  readonly segments: readonly string[]
  readonly search: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
  readonly signedIn: boolean
}

export interface Reply {
  readonly status: number
  readonly body: unknown
  readonly cookie?: string
  readonly events?: readonly LedgerEvent[]
}

const ok = (body: unknown, events: readonly LedgerEvent[] = []): Reply => ({ status: 200, body, events })
const no = (status: number, code: string, message: string): Reply => ({ status, body: { error: { code, message } } })
const list = (data: unknown): Reply => ok({ data, cursor: null })

/** The key that opens the mock. */
export const KEY = 'mock-key'

export function answer(world: World, asked: Asked): Reply {
  const [place, user, part] = asked.segments
  if (place === 'session') return session(asked)
  if (!asked.signedIn) return no(401, 'invalid_api_key', 'There is no key.')
  if (place === 'overview') return ok(overview(world))
  if (place === 'answers') {
    return ok({
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
    })
  }
  if (place === 'runtimes') {
    return list(
      [...world.people.keys()].slice(0, 9).map((name, index) => ({
        user: name,
        version: index,
        inUse: index % 3 === 0 ? 1 : 0,
        idleMs: index * 71_000,
        clients: [{ kind: 'model', name: 'local/m', state: 'open', inUse: 0 }],
      })),
    )
  }
  if (place !== 'users') return no(404, 'not_found', 'There is no such route.')
  if (user === undefined) return users(world, asked.search)
  const person = world.people.get(user)
  if (person === undefined) return ok({ user, exists: false })
  if (asked.method === 'GET') return read(person, part, asked.search)
  return act(world, person, asked)
}

function session({ method, body, signedIn }: Asked): Reply {
  const known = { name: 'meera', role: 'admin' }
  if (method === 'DELETE') return { status: 204, body: undefined, cookie: 'out' }
  if (method === 'GET') return ok(signedIn ? known : null)
  if (body.key !== KEY) return no(401, 'invalid_api_key', 'That key is not valid.')
  return { ...ok(known), cookie: 'in' }
}

function overview({ people }: World): unknown {
  const phases: Record<string, number> = {}
  const riskLevels: Record<string, number> = {}
  let blocked = 0
  for (const { bond } of people.values()) {
    phases[bond.phase] = (phases[bond.phase] ?? 0) + 1
    riskLevels[bond.riskLevel] = (riskLevels[bond.riskLevel] ?? 0) + 1
    if (bond.blocked !== null) blocked += 1
  }
  const server = {
    version: '0.1.0',
    startedAt: new Date(Date.now() - 9e6).toISOString(),
    store: { name: 'sqlite', location: 'data/purser.db' },
    namespace: 'default',
  }
  return { users: people.size, blocked, phases, riskLevels, vocabulary: { phases: null, riskLevels: null }, server }
}

function users({ people }: World, search: URLSearchParams): Reply {
  const limit = Number(search.get('limit') ?? 50)
  const start = Number(search.get('cursor') ?? 0)
  const wanted = (name: string, value: unknown): boolean => !search.has(name) || search.get(name) === String(value)
  const found = [...people.values()]
    .map(({ bond }) => bond)
    .filter((bond) => wanted('phase', bond.phase) && wanted('riskLevel', bond.riskLevel))
    .filter((bond) => wanted('blocked', bond.blocked !== null) && bond.user.startsWith(search.get('q') ?? ''))
    .sort((a, b) => compare(a, b, search.get('orderBy') ?? 'id') * (search.get('order') === 'desc' ? -1 : 1))
  const rest = start + limit < found.length
  return ok({ data: found.slice(start, start + limit), cursor: rest ? String(start + limit) : null })
}

function compare(a: Bond, b: Bond, orderBy: string): number {
  if (orderBy === 'lastSeenAt') return (a.lastSeenAt ?? '').localeCompare(b.lastSeenAt ?? '')
  if (orderBy === 'createdAt') return (a.createdAt ?? '').localeCompare(b.createdAt ?? '')
  if (orderBy === 'capUsed') return used(a) - used(b)
  return a.user.localeCompare(b.user)
}

function used(bond: Bond): number {
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

function read(person: Person, part: string | undefined, search: URLSearchParams): Reply {
  const before = Number(search.get('before') ?? Number.POSITIVE_INFINITY)
  const limit = Number(search.get('limit') ?? 50)
  if (part === 'bond') return ok(person.bond)
  if (part === 'events') return list(person.events.filter(({ sequence }) => sequence < before).slice(0, limit))
  if (part === 'notes') return list(person.notes)
  if (part === 'verify') return ok({ ok: true, checked: person.events.length })
  if (part === 'secrets') return list([{ name: 'openai', fields: ['apiKey'], updatedAt: person.bond.createdAt }])
  if (part === 'sessions')
    return list([{ id: 'evening', policy: 'pin', version: 2, lastUsedAt: person.bond.lastSeenAt }])
  if (part === 'runtime') {
    return ok({
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
      },
    })
  }
  const at = person.bond.lastSeenAt
  return ok({
    text: CONTEXT,
    status: 'partial',
    details: '',
    actions: '',
    sections: [
      { name: 'profile', status: 'fresh', loadedAt: at, text: '', cut: 0 },
      { name: 'actions', status: 'stale', loadedAt: at, text: '', cut: 3 },
    ],
  })
}

function act(world: World, person: Person, { method, segments, body }: Asked): Reply {
  const { user } = person.bond
  const at = new Date(world.now()).toISOString()
  const by = { actor: 'meera', ...(typeof body.reason === 'string' ? { reason: body.reason } : {}) }
  const log = (action: string, detail: string, change: Partial<Bond>): Reply => {
    const event = world.log(user, { type: 'admin_action', detail, data: { action }, ...by }, change)
    return ok(person.bond, [event])
  }
  switch (`${method} ${segments[2]}`) {
    case 'PUT cap': {
      const cap = body.cap as number | null
      return log('cap', `rate limit: ${person.bond.dailyCap} -> ${cap}`, {
        dailyCap: cap ?? 50,
        capOrigin: cap === null ? 'default' : 'user',
      })
    }
    case 'PUT block':
      return log('block', 'blocked', {
        blocked: { at, actor: 'meera', reason: String(body.reason), until: (body.until as string) ?? null },
      })
    case 'DELETE block':
      return log('unblock', 'unblocked', { blocked: null })
    case 'POST correct':
      return log('correct', 'corrected', { ...(typeof body.phase === 'string' ? { phase: body.phase } : {}) })
    case 'POST notes': {
      const note = { id: `n${person.notes.length + 1}`, at, actor: 'meera', text: String(body.text) }
      person.notes.unshift(note)
      return { ...log('note', 'note added', { notesCount: person.notes.length }), body: note }
    }
    case 'POST erase':
      world.people.delete(user)
      return ok({ erased: { bond: 1, events: person.events.length }, purged: true })
    default:
      return { status: 204, body: undefined }
  }
}
