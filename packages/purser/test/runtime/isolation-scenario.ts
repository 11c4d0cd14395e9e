import assert from 'node:assert/strict'
import { PurserError } from '../../src/errors.ts'
import type { Lease } from '../../src/runtime/api.ts'
import type { McpConnectRequest, ModelRequest } from '../../src/runtime/ports.ts'
import type { Store } from '../../src/storage/store.ts'
import { createRandom, InterleavingScheduler, type Random } from '../support/interleaving-scheduler.ts'
import { type OpenedClient, openRuntimeHarness, type RuntimeHarness } from '../support/runtime-harness.ts'

/*
 * Thousands of users configure, read, acquire, override, evict, fail, cancel, break and erase at the same time. Every
 * value and every client carries the id of its owner. A seeded scheduler decides which task runs next.
 */

export interface IsolationOptions {
  readonly seed: number
  readonly users: number
  readonly operations: number
}

/** Operations that run at the same time. */
const CONCURRENCY = 200
/** Half of all operations use one of these few users, so that they interleave. */
const BUSY_USERS = 20
const SESSIONS = ['s0', 's1', 's2']

/** Errors that a user may get here. Any other error fails the test. */
const EXPECTED = new Set([
  'mcp_unavailable',
  'runtime_busy',
  'user_erased',
  'store_unavailable',
  'version_conflict',
  'closed',
])

interface Scenario {
  readonly options: IsolationOptions
  readonly harness: RuntimeHarness
  readonly random: Random
  readonly scheduler: InterleavingScheduler
  /** The newest acknowledged version per user; later reads must not return an older one. */
  readonly acknowledged: Map<string, { incarnation: number; version: number }>
  readonly counts: Record<string, number>
}

const PROVIDERS = Object.fromEntries(
  ['p', 'q', 'r'].map((name) => [
    name,
    { kind: 'openai-compatible' as const, models: [`${name}-1`, `${name}-2`], defaultModel: `${name}-1` },
  ]),
)

async function createScenario(options: IsolationOptions): Promise<Scenario> {
  const random = createRandom(options.seed)
  const scheduler = new InterleavingScheduler(random, 16)
  const harness = await openRuntimeHarness({
    providers: PROVIDERS,
    presets: { q: { provider: 'q', model: 'q-2' } },
    mcpServers: {
      own: { url: 'http://127.0.0.1:1/{user}', headers: { authorization: '{secret.token}' } },
      child: { command: 'nothing', env: { OWNER: '{user}' } },
    },
    runtime: { defaults: { provider: 'p' }, maxLive: Math.ceil(options.users / 4), maxMcpProcesses: 64, sweepMs: 1e9 },
  })
  slowDown(harness.store, scheduler, random)
  harness.fakes.connect = async ({ signal }) => {
    await scheduler.pause()
    if (random.happens(0.05)) throw new Error('refused')
    if (!random.happens(0.5)) signal.throwIfAborted()
  }
  harness.fakes.disconnect = async () => {
    await scheduler.pause()
    if (random.happens(0.05)) throw new Error('will not close')
  }
  return { options, harness, random, scheduler, acknowledged: new Map(), counts: {} }
}

/** Delays the store, and makes it unavailable now and then. */
function slowDown({ users, bus }: Store, scheduler: InterleavingScheduler, random: Random): void {
  const [load, record] = [users.load.bind(users), users.record.bind(users)]
  const [records, commit] = [users.records.bind(users), users.commit.bind(users)]
  const delay = async (): Promise<void> => {
    await scheduler.pause()
    if (random.happens(0.002)) throw new PurserError('store_unavailable', 'The store is unavailable.')
  }
  users.load = (user) => delay().then(() => load(user))
  users.record = (user, kind, name) => delay().then(() => record(user, kind, name))
  users.records = (user, kind, page) => delay().then(() => records(user, kind, page))
  users.commit = (user, change) => delay().then(() => commit(user, change))
  const publish = bus.publish.bind(bus)
  bus.publish = async (message) => {
    await scheduler.pause()
    for (let times = random.below(3); times > 0; times--) await publish(message)
  }
}

const stampOf = (id: string): string => `owned by ${id};`

/** What a lease shows must belong to its user, be consistent, and be open. */
function inspectLease(id: string, lease: Lease): void {
  const { provider, model, region, parameters } = lease.settings
  if (region !== null) assert.ok(region.startsWith(stampOf(id)), `${id} sees the region ${region}`)
  for (const value of Object.values(parameters)) assert.equal(value, stampOf(id))
  assert.ok(provider !== null && model?.startsWith(`${provider}-`), `${id} sees ${model} of the provider ${provider}`)
  const { opened } = lease.chat as unknown as { opened: OpenedClient<ModelRequest> }
  assert.equal(opened.request.user.id, id)
  assert.equal(opened.request.modelId, model)
  assert.equal(opened.closes, 0, `${id} got a closed model`)
  const key = opened.request.credentials?.apiKey
  if (key !== undefined) assert.ok(key.startsWith(stampOf(id)), `${id} uses the key ${key}`)
}

function inspectConnection(id: string, { request, closes }: OpenedClient<McpConnectRequest>): void {
  const { definition } = request
  if ('url' in definition) {
    assert.equal(definition.url, `http://127.0.0.1:1/${encodeURIComponent(id)}`)
    assert.ok(definition.headers?.authorization?.startsWith(stampOf(id)))
  } else assert.equal(definition.env?.OWNER, id)
  assert.equal(closes, 0, `${id} got a closed client`)
}

async function useLease(
  { random, scheduler, harness }: Scenario,
  id: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const override = random.happens(0.3)
    ? random.pick([
        { preset: 'q' },
        { provider: 'r' },
        { region: `${stampOf(id)} turn` },
        { provider: 'p', model: 'p-2' },
      ])
    : undefined
  const session = random.happens(0.2) ? random.pick(SESSIONS) : undefined
  const lease = await harness.user(id).acquire({ override, session, signal })
  try {
    inspectLease(id, lease)
    if (override?.preset !== undefined) assert.equal(lease.settings.model, 'q-2')
    const before = JSON.stringify(lease.settings)
    const server = random.pick(['own', 'child'])
    if (random.happens(0.4)) {
      const { opened } = (await lease.mcp(server, { signal })) as unknown as { opened: OpenedClient<McpConnectRequest> }
      inspectConnection(id, opened)
      await scheduler.pause()
      inspectLease(id, lease)
      inspectConnection(id, opened)
    }
    await scheduler.pause()
    assert.equal(JSON.stringify(lease.settings), before)
    inspectLease(id, lease)
  } finally {
    lease.release()
  }
}

async function configure({ harness, random, acknowledged }: Scenario, id: string): Promise<void> {
  const patch = random.pick([
    { provider: random.pick(['p', 'q', 'r']) },
    { provider: 'q', model: 'q-2', region: `${stampOf(id)}${random.below(1e6)}` },
    { region: `${stampOf(id)}${random.below(1e6)}`, parameters: { [`k${random.below(5)}`]: stampOf(id) } },
    { provider: null, region: null },
    { preset: random.pick(['q', null]) },
  ])
  const incarnation = acknowledged.get(id)?.incarnation ?? 0
  const { version } = await harness.user(id).configure(patch)
  const known = acknowledged.get(id)
  if (known === undefined || (known.incarnation === incarnation && known.version < version)) {
    acknowledged.set(id, { incarnation, version })
  }
  const atLeast = acknowledged.get(id)
  const { version: read } = await harness.user(id).settings()
  if (acknowledged.get(id)?.incarnation === incarnation)
    assert.ok(read >= (atLeast?.version ?? 0), `${id} reads version ${read} after ${version}`)
}

/** Each operation and its share of all operations; the shares add up to 1. */
const OPERATIONS: readonly [name: string, share: number, run: (scenario: Scenario, id: string) => Promise<void>][] = [
  ['use', 0.45, (scenario, id) => useLease(scenario, id, undefined)],
  ['cancel', 0.1, cancelLease],
  ['configure', 0.2, configure],
  ['secret', 0.07, setSecrets],
  ['session', 0.06, startSession],
  ['read', 0.05, readSettings],
  ['evict', 0.03, ({ harness }, id) => harness.user(id).evict()],
  ['sweep', 0.01, sweep],
  ['break', 0.02, breakConnection],
  ['erase', 0.01, erase],
]

async function cancelLease(scenario: Scenario, id: string): Promise<void> {
  const abort = new AbortController()
  const using = useLease(scenario, id, abort.signal)
  scenario.scheduler.pause().then(() => abort.abort(new PurserError('closed', 'cancelled')))
  await using
}

async function setSecrets({ harness, random }: Scenario, id: string): Promise<void> {
  const user = harness.user(id)
  const fields = random.happens(0.2) ? null : { apiKey: `${stampOf(id)}${random.next()}` }
  await user.setSecret(random.pick(['p', 'q']), fields)
  await user.setSecret('own', { token: `${stampOf(id)}${random.next()}` })
}

async function startSession({ harness, random }: Scenario, id: string): Promise<void> {
  await harness.user(id).startSession(random.pick(SESSIONS), { policy: random.pick(['pin', 'follow']) })
}

async function readSettings({ harness, random }: Scenario, id: string): Promise<void> {
  const { region } = await harness.user(id).settings({ session: random.pick(SESSIONS) })
  if (region !== null) assert.ok(region.startsWith(stampOf(id)))
}

async function sweep({ harness, random }: Scenario): Promise<void> {
  harness.clock.stepWall((random.next() - 0.5) * 172_800_000)
  harness.clock.advance(600_000)
  await harness.runtimes.sweep()
}

async function breakConnection({ harness, random }: Scenario): Promise<void> {
  if (harness.connections.length > 0) random.pick(harness.connections).break()
}

async function erase({ harness, acknowledged }: Scenario, id: string): Promise<void> {
  acknowledged.set(id, { incarnation: (acknowledged.get(id)?.incarnation ?? 0) + 1, version: 0 })
  await harness.erase(id)
}

async function operate(scenario: Scenario, id: string): Promise<void> {
  const { random, counts } = scenario
  let rest = random.next()
  const operation = OPERATIONS.find(([, share]) => {
    rest -= share
    return rest < 0
  })
  const [name, , run] = operation ?? (OPERATIONS[0] as (typeof OPERATIONS)[number])
  counts[name] = (counts[name] ?? 0) + 1
  await run(scenario, id)
}

async function runOperations(scenario: Scenario): Promise<void> {
  const { random, counts, options } = scenario
  let remaining = options.operations
  const worker = async (): Promise<void> => {
    while (remaining-- > 0) {
      const id = `user ${random.below(random.happens(0.5) ? options.users : BUSY_USERS)}`
      await operate(scenario, id).catch((error: unknown) => {
        const isMissing = PurserError.is(error, 'secret_missing') && error.details?.name === 'own'
        if (!PurserError.is(error) || !(EXPECTED.has(error.code) || isMissing)) throw error
        counts[error.code] = (counts[error.code] ?? 0) + 1
      })
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

/** Runs the operations and closes. Rejects when a user saw data of another one, or a client was not closed once. */
export async function runIsolationScenario(options: IsolationOptions): Promise<string> {
  const scenario = await createScenario(options)
  const { harness, scheduler, counts } = scenario
  await scheduler.run(runOperations(scenario))
  assert.deepEqual(
    harness.runtimes.active().filter(({ inUse }) => inUse > 0),
    [],
  )
  await scheduler.run(harness.runtimes.close({ timeoutMs: 0 }))
  assert.deepEqual(
    [...harness.models, ...harness.connections].filter(({ closes }) => closes !== 1),
    [],
  )
  assert.equal(harness.clock.timers, 0)
  return `${harness.models.length} models, ${harness.connections.length} MCP clients, ${JSON.stringify(counts)}`
}
